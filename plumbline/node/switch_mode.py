"""The mode of a PF's embedded switch, as devlink tells it."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from pyroute2 import NetlinkError
from pyroute2.netlink.devlink import DEVLINK_CMD_ESWITCH_GET

from plumbline.node import devlink
from plumbline.node.devlink import Devlink
from plumbline.node.model import Pf

MODES = ("legacy", "switchdev")  # DEVLINK_ESWITCH_MODE_*, linux/devlink.h


def modes(pfs: Iterable[Pf]) -> dict[str, str]:
    """Return the modes of PFs by their addresses. A driver that knows no devlink has a legacy switch; a kernel without
    devlink tells nothing. Raises OSError for what else the kernel says.
    """
    found: dict[str, str] = {}
    try:
        with devlink.connected() as connection:
            for pf in pfs:
                found[pf.address] = _mode(connection, pf)
    except NetlinkError as e:
        if e.code != errno.ENOENT:  # no such family
            raise OSError(e.code, f"devlink: {e}") from e
    return found


def _mode(connection: Devlink, pf: Pf) -> str:
    try:
        answers = connection.request(DEVLINK_CMD_ESWITCH_GET, pf.bus, pf.address)
        mode = next((x.get_attr("DEVLINK_ATTR_ESWITCH_MODE") for x in answers), None)
    except NetlinkError as e:
        if e.code not in (errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        mode = None
    return MODES[mode] if mode is not None and mode < len(MODES) else MODES[0]
