"""The mode of an embedded switch is changed by devlink (linux/devlink.h)."""

from __future__ import annotations

import errno
import os

from pyroute2 import NetlinkError
from pyroute2.netlink.devlink import DEVLINK_CMD_ESWITCH_SET

from plumbline.errors import Status, VerbError
from plumbline.node import devlink
from plumbline.node.switch_mode import MODES

HINTS = {
    errno.EOPNOTSUPP: "its driver has no such mode",
    errno.ENODEV: "its driver does not know devlink, and has the legacy mode only",
    errno.ENOENT: "this kernel has no devlink",
    errno.EBUSY: "something uses the switch: VFs with drivers, offloaded rules or IPsec states",
    errno.EINVAL: "dmesg has what the driver says",
    errno.EPERM: "only root may",
}


def set_mode(bus: str, address: str, mode: str) -> None:
    """Change the mode of a PF's switch: `legacy` or `switchdev`. Raises VerbError."""
    wanted = (("DEVLINK_ATTR_ESWITCH_MODE", MODES.index(mode)),)
    try:
        with devlink.connected() as connection:
            connection.request(DEVLINK_CMD_ESWITCH_SET, bus, address, wanted)
    except NetlinkError as e:
        raise VerbError(
            Status.FAILURE,
            f"cannot switch {bus}/{address} to {mode} mode: {os.strerror(e.code)}",
            HINTS.get(e.code, "dmesg has what the driver says"),
        ) from e
