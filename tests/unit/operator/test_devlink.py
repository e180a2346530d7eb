"""What devlink is asked; the kernel's answers are seen in the lab."""

from __future__ import annotations

import struct
from typing import Any

from pyroute2.netlink.devlink import DEVLINK_CMD_ESWITCH_SET

from plumbline.node.devlink import Devlink


class Socket:
    """Takes one message, as it would be sent."""

    prid = 21
    sent = b""

    def nlm_request(self, message: Any, msg_type: int, msg_flags: int) -> list[str]:
        """See pyroute2."""
        assert msg_type == self.prid
        assert msg_flags == 1 | 4  # linux/netlink.h, NLM_F_REQUEST and NLM_F_ACK
        message.encode()
        self.sent = bytes(message.data)
        return ["answer"]


def test_request() -> None:
    """Bus and address come first, then what the command needs (linux/devlink.h)."""
    socket = Socket()
    wanted = (("DEVLINK_ATTR_ESWITCH_MODE", 1),)
    assert Devlink(socket).request(DEVLINK_CMD_ESWITCH_SET, "pci", "0000:03:00.0", wanted) == ["answer"]
    bus = struct.pack("<HH", 8, 1) + b"pci\0"
    address = struct.pack("<HH", 17, 2) + b"0000:03:00.0\0" + bytes(3)
    mode = struct.pack("<HHHH", 6, 25, 1, 0)
    assert socket.sent.endswith(bus + address + mode)
