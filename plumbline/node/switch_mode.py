"""The mode of a PF's embedded switch, as devlink tells it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from pyroute2 import NetlinkError
from pyroute2.netlink.devlink import DEVLINK_CMD_ESWITCH_GET

from plumbline.node import devlink
from plumbline.node.devlink import Devlink
from plumbline.node.model import Pf

MODES = ("legacy", "switchdev")  # DEVLINK_ESWITCH_MODE_*, linux/devlink.h


def modes(pfs: Iterable[Pf]) -> tuple[dict[str, str], list[str]]:
    """Return the modes of PFs by their addresses, and what the kernel says of those whose mode it does not tell. A
    driver that knows no devlink has a legacy switch; where the kernel has no devlink, all are. Raises OSError.
    """
    pfs = list(pfs)
    found: dict[str, str] = {}
    said: list[str] = []
    try:
        with devlink.connected() as connection:
            for pf in pfs:
                try:
                    found[pf.address] = _mode(connection, pf)
                except NetlinkError as e:
                    said.append(f"the switch mode of {pf.name}: {os.strerror(e.code)}")
    except NetlinkError as e:
        if e.code != errno.ENOENT:  # no such family
            raise OSError(e.code, f"devlink: {e}") from e
        return dict.fromkeys((pf.address for pf in pfs), MODES[0]), []
    return found, said


def _mode(connection: Devlink, pf: Pf) -> str:
    try:
        answers = connection.request(DEVLINK_CMD_ESWITCH_GET, pf.bus, pf.address)
        mode = next((x.get_attr("DEVLINK_ATTR_ESWITCH_MODE") for x in answers), None)
    except NetlinkError as e:
        if e.code not in (errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        mode = None
    return MODES[mode] if mode is not None and mode < len(MODES) else MODES[0]
