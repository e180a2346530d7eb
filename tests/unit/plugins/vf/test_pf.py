"""Settings at the PF: errors that say which, and patience with a driver that is busy."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from cni.linux.netlink.socket import NetlinkError, NetlinkSocket
from cni.linux.netns import NetNS
from cni.protocol.errors import CniError
from plugins.vf import mac, plan
from plugins.vf.pf import Entry
from plugins.vf.plan import Setting


class Kernel(NetlinkSocket):
    """Answers requests with errors, one after the other, and takes those after them."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)
        self.requests = 0

    def _answer(self) -> None:
        self.requests += 1
        if self.errors:
            number = self.errors.pop(0)
            raise NetlinkError(number, os.strerror(number))

    def change(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Take a change or refuse it."""
        self._answer()

    def get(self, kind: int, body: bytes, question: str) -> bytes:
        """Return a link without VFs, or refuse."""
        self._answer()
        return b"\0" * 16


@pytest.fixture
def entry() -> Callable[..., tuple[Entry, Kernel]]:
    """A function that makes the entry of a VF at a kernel that answers with these errors."""

    def make(*errors: int) -> tuple[Entry, Kernel]:
        kernel = Kernel(*errors)
        return Entry(NetNS("", -1, kernel), "ens1", 3, "0000:03:02.6", 6), kernel

    return make


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EBUSY])
def test_a_busy_driver_is_asked_again(number: int, entry: Callable[..., tuple[Entry, Kernel]]) -> None:
    """A setting that meets the reset of the one before it."""
    one, kernel = entry(number, number)
    one.make(Setting(plan.TRUST, True))
    assert kernel.requests == 3


def test_a_driver_that_stays_busy(entry: Callable[..., tuple[Entry, Kernel]], monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an end to it."""
    monkeypatch.setattr(mac, "INTERVAL_S", 0)
    one, kernel = entry(*[errno.EBUSY] * 100)
    with pytest.raises(CniError, match=r"trust on on VF 6 \(0000:03:02.6\) of ens1"):
        one.make(Setting(plan.TRUST, True))
    assert kernel.requests == mac.ATTEMPTS


def test_a_refusal_is_final(entry: Callable[..., tuple[Entry, Kernel]]) -> None:
    """Nothing else is tried twice."""
    one, kernel = entry(errno.EOPNOTSUPP)
    with pytest.raises(CniError):
        one.make(Setting(plan.LINK_STATE, "enable"))
    assert kernel.requests == 1


def test_a_table_that_does_not_fit(entry: Callable[..., tuple[Entry, Kernel]]) -> None:
    """The kernel cannot tell 512 VFs; that is as if the driver told nothing."""
    assert entry(errno.EMSGSIZE)[0].read() is None
    with pytest.raises(CniError, match="VF table of ens1"):
        entry(errno.EPERM)[0].read()
