"""vDPA devices are added and removed by generic netlink (include/uapi/linux/vdpa.h), as vdpa(8) does."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from pyroute2 import NetlinkError
from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST, genlmsg
from pyroute2.netlink.generic import GenericNetlinkSocket

from plumbline.errors import Status, VerbError

FAMILY = "vdpa"
VERSION = 1
VDPA_CMD_DEV_NEW, VDPA_CMD_DEV_DEL = 3, 4

MAX_VQP = 32
"""How many pairs of queues a device is to have, at most; a driver that cannot chooses itself."""

WITHOUT_MAX_VQP = (errno.EOPNOTSUPP, errno.EINVAL, errno.ERANGE)
"""What drivers answer that do not have so many, or cannot be told."""

HINTS = {
    errno.ENODEV: "its driver {driver} makes no vDPA devices: the module for it, such as mlx5_vdpa, may not be loaded",
    errno.EEXIST: "there is a vDPA device of that name",
    errno.EOPNOTSUPP: "vDPA is off for it: some NICs want switchdev mode, or a setting of the firmware",
    errno.ENOENT: "this kernel has no vDPA: `modprobe vdpa`",
    errno.EPERM: "only root may",
}


class vdpacmd(genlmsg):  # type: ignore[misc] # noqa: N801 - pyroute2 has no types, and names messages so
    """A message of the family: its attributes in the order of `enum vdpa_attr`, as far as they are needed."""

    prefix = "VDPA_ATTR_"
    nla_map = (
        ("VDPA_ATTR_UNSPEC", "none"),
        ("VDPA_ATTR_MGMTDEV_BUS_NAME", "asciiz"),
        ("VDPA_ATTR_MGMTDEV_DEV_NAME", "asciiz"),
        ("VDPA_ATTR_MGMTDEV_SUPPORTED_CLASSES", "uint64"),
        ("VDPA_ATTR_DEV_NAME", "asciiz"),
        ("VDPA_ATTR_DEV_ID", "uint32"),
        ("VDPA_ATTR_DEV_VENDOR_ID", "uint32"),
        ("VDPA_ATTR_DEV_MAX_VQS", "uint32"),
        ("VDPA_ATTR_DEV_MAX_VQ_SIZE", "uint16"),
        ("VDPA_ATTR_DEV_MIN_VQ_SIZE", "uint16"),
        ("VDPA_ATTR_DEV_NET_CFG_MACADDR", "l2addr"),
        ("VDPA_ATTR_DEV_NET_STATUS", "uint8"),
        ("VDPA_ATTR_DEV_NET_CFG_MAX_VQP", "uint16"),
        ("VDPA_ATTR_DEV_NET_CFG_MTU", "uint16"),
    )


@dataclass(frozen=True, slots=True)
class Parent:
    """The device that makes vDPA devices. bus: empty for a simulated one, which is on none."""

    bus: str
    name: str


def name_of(address: str) -> str:
    """Return what the vDPA device of a VF is called. address: the VF's, on the PCI bus."""
    return f"vdpa:{address}"


def add(parent: Parent, name: str, driver: str = "") -> None:
    """Make a vDPA device, with MAX_VQP pairs of queues or as many as there are. driver: of the parent, for the error.

    Raises VerbError.
    """
    attributes: list[tuple[str, object]] = [("VDPA_ATTR_MGMTDEV_BUS_NAME", parent.bus)] if parent.bus else []
    attributes += [("VDPA_ATTR_MGMTDEV_DEV_NAME", parent.name), ("VDPA_ATTR_DEV_NAME", name)]
    try:
        try:
            _request(VDPA_CMD_DEV_NEW, [*attributes, ("VDPA_ATTR_DEV_NET_CFG_MAX_VQP", MAX_VQP)])
        except NetlinkError as e:
            if e.code not in WITHOUT_MAX_VQP:
                raise
            _request(VDPA_CMD_DEV_NEW, attributes)
    except NetlinkError as e:
        raise _failure(f"make the vDPA device {name} of {parent.name}", e, driver or "(none)") from e


def remove(name: str) -> None:
    """Remove a vDPA device. Raises VerbError."""
    try:
        _request(VDPA_CMD_DEV_DEL, [("VDPA_ATTR_DEV_NAME", name)])
    except NetlinkError as e:
        raise _failure(f"remove the vDPA device {name}", e, "") from e


def _request(command: int, attributes: list[tuple[str, object]]) -> None:
    with GenericNetlinkSocket() as socket:
        socket.bind(FAMILY, vdpacmd)
        message = vdpacmd()
        message["cmd"] = command
        message["version"] = VERSION
        message["attrs"] = attributes
        for _ in socket.nlm_request(message, msg_type=socket.prid, msg_flags=NLM_F_REQUEST | NLM_F_ACK):
            pass


def _failure(attempt: str, error: NetlinkError, driver: str) -> VerbError:
    hint = HINTS.get(error.code, "dmesg has what the driver says").format(driver=driver)
    return VerbError(Status.FAILURE, f"cannot {attempt}: {os.strerror(error.code)}", hint)
