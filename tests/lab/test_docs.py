"""What the sriov page says, on VFs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from tests.support import disk, vf_page
from tests.support.net import HOST, Space
from tests.support.simulator import Simulated, in_place_of_pf
from tests.support.vf_page import Described, Page, asked_mac
from tests.support.vfs import VF

PAGE = Page("docs/sriov.md", {"type": "sriov"})
REFUSED_BY_IGB = {"link_state", "min_tx_rate"}


BY_CONFIGURATION: dict[str, dict[str, Any]] = {
    **vf_page.BY_CONFIGURATION,
    "cannot set link_state": {"link_state": "enable"},
    "cannot set min_tx_rate": {"min_tx_rate": 10},
    "cannot set vlan": {"vlan": 5, "vlanProto": "802.1ad"},
    "vlanQoS: ": {"vlanQoS": 3},
    "<parameter>: ": {"spoofchk": "yes"},
}
"""A part of a message on the page, and the configuration that provokes it."""

BY_STATE = {**vf_page.BY_STATE, "is already allocated": PAGE.attached, "not visible here": vf_page.without_pf}
"""The same, with the state of the VF that provokes it."""

NOT_PROVOKED = (
    *("cannot lock", "cannot set MAC address", "IPAM plugin returned", "cannot look up", "cannot list"),
    *("has just been attached anew", "of an earlier ADD has not come back", "is attached to network"),
    *("ADD left it <value>", "ADD set <setting>", "the network gave <address>", "has vanished from"),
    *("cannot give <address> the MAC address",),
)
"""What takes a minute, another driver, another IPAM plugin, or a kernel that refuses a question; two commands at once,
or an attachment that there is already; and CHECK's. Tests of those parts know these messages.
"""


class Rig(vf_page.Rig):
    """A VF, and its entry in a table: its PF's, or netdevsim's in its place."""

    page = PAGE
    folder = disk.SRIOV
    by_configuration = BY_CONFIGURATION
    by_state = BY_STATE
    others = NOT_PROVOKED
    asked: ClassVar = {"vlan": 5, "trust": "on"}

    def __init__(self, vf: VF, pod: Space) -> None:
        super().__init__(vf, pod)
        self._simulated: Simulated | None = None

    @contextmanager
    def suitable(self, conf: dict[str, Any]) -> Iterator[None]:
        """See `Rig`. igb takes what nearly all examples ask for, netdevsim takes everything, but it is not the PF that
        the VF reports its address to.
        """
        with super().suitable(conf):
            if not REFUSED_BY_IGB & conf.keys():
                yield
                return
            with in_place_of_pf(self.vf) as self._simulated:
                yield

    def snapshot(self) -> object:
        """See `Rig`."""
        self._before = self._table()
        return self.vf.snapshot() if self._simulated is None else (self._before, HOST.settings(self.vf.name))

    def _table(self) -> dict[str, Any]:
        return (self._simulated or self.vf).table()

    def assert_attached(self, conf: dict[str, Any]) -> None:
        """See `Rig`. The table has what it had of what the example leaves out."""
        before, now = self._before, self._table()
        vlan = (now.get("vlan_list") or [{}])[0]
        asked = (conf.get("vlan", 0), conf.get("vlanQoS", 0), conf.get("vlanProto", "802.1q"))
        assert (vlan.get("vlan", 0), vlan.get("qos", 0), vlan.get("protocol", "802.1Q").lower()) == asked
        for key in ("spoofchk", "trust"):
            assert now[key] == (conf[key] == "on" if key in conf else before[key])
        assert now["link_state"] == conf.get("link_state", before["link_state"])
        assert now["rate"] == {"min_tx": conf.get("min_tx_rate", 0), "max_tx": conf.get("max_tx_rate", 0)}
        assert now["address"] == asked_mac(conf, before["address"])


@pytest.fixture
def rig(vf: VF, pod: Space) -> Rig:
    """A VF of the first PF."""
    return Rig(vf, pod)


class TestPage(Described):
    """All of it."""

    rigs = Rig
