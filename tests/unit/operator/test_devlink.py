"""What devlink is asked; the kernel's answers are seen in the lab."""

from __future__ import annotations

import errno
import struct
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from pyroute2 import NetlinkError
from pyroute2.netlink.devlink import DEVLINK_CMD_ESWITCH_SET

from plumbline.errors import VerbError
from plumbline.node import devlink, switch_mode
from plumbline.node.devlink import Devlink
from plumbline.node.model import Pf
from plumbline.node.roots import Roots
from plumbline.prepare.kernel import Kernel, Target


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


PFS = [Pf(f"ens{number}", f"0000:0{number}:00.0", "pci") for number in (3, 4, 5)]


def test_one_pf_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver whose devlink fails leaves its own mode untold, and is said; one without devlink is legacy."""

    class Connection:
        def request(self, command: int, bus: str, address: str) -> list[Any]:
            """See `Devlink`."""
            if address != PFS[0].address:
                raise NetlinkError(errno.EIO if address == PFS[1].address else errno.EOPNOTSUPP)
            return [SimpleNamespace(get_attr=lambda _: 1)]

    monkeypatch.setattr(devlink, "connected", lambda: nullcontext(Connection()))
    found, said = switch_mode.modes(PFS)
    assert found == {PFS[0].address: "switchdev", PFS[2].address: "legacy"}
    assert said == ["the switch mode of ens4: Input/output error"]
    with pytest.raises(VerbError, match="cannot tell the switch mode of ens4: Input/output error"):
        Kernel(Roots()).mode(Target("ens4", PFS[1].address))


def test_a_kernel_without_devlink(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no switch that is not legacy."""

    def fails() -> AbstractContextManager[Devlink]:
        raise NetlinkError(errno.ENOENT)

    monkeypatch.setattr(devlink, "connected", fails)
    assert switch_mode.modes(PFS) == ({pf.address: "legacy" for pf in PFS}, [])
