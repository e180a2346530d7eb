"""The mode of a PF's embedded switch, as devlink tells it (Documentation/networking/devlink)."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from pyroute2 import NetlinkError
from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST
from pyroute2.netlink.devlink import DEVLINK_CMD_ESWITCH_GET, devlinkcmd
from pyroute2.netlink.generic import GenericNetlinkSocket

from plumbline.node.model import Pf

MODES = ("legacy", "switchdev")  # DEVLINK_ESWITCH_MODE_*, linux/devlink.h


def modes(pfs: Iterable[Pf]) -> dict[str, str]:
    """Return the modes of PFs by their addresses. A driver that knows no devlink has a legacy switch; a kernel without
    devlink tells nothing. Raises OSError for what else the kernel says.
    """
    found: dict[str, str] = {}
    try:
        # pyroute2's DL leaves an event loop open where there is no devlink, which complains at the end.
        with GenericNetlinkSocket() as devlink:
            devlink.bind("devlink", devlinkcmd)
            for pf in pfs:
                found[pf.address] = _mode(devlink, pf)
    except NetlinkError as e:
        if e.code != errno.ENOENT:  # no such family
            raise OSError(e.code, f"devlink: {e}") from e
    return found


def _mode(devlink: GenericNetlinkSocket, pf: Pf) -> str:
    message = devlinkcmd()
    message["cmd"] = DEVLINK_CMD_ESWITCH_GET
    message["attrs"] = [("DEVLINK_ATTR_BUS_NAME", pf.bus), ("DEVLINK_ATTR_DEV_NAME", pf.address)]
    try:
        answers = devlink.nlm_request(message, msg_type=devlink.prid, msg_flags=NLM_F_REQUEST | NLM_F_ACK)
        mode = next((x.get_attr("DEVLINK_ATTR_ESWITCH_MODE") for x in answers), None)
    except NetlinkError as e:
        if e.code not in (errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        mode = None
    return MODES[mode] if mode is not None and mode < len(MODES) else MODES[0]
