"""Which settings are made for ADD and for the way back, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from cni.linux.netlink.vf import VF
from plugins.vf import plan
from plugins.vf.config import VfConfig, Vlan
from plugins.vf.plan import LINK_STATE, MAC, RATES, SPOOFCHK, TRUST, VLAN, Setting

Q, AD = 0x8100, 0x88A8
NULL_MAC, A, B = "00:00:00:00:00:00", "02:00:00:00:00:0a", "02:00:00:00:00:0b"

EVERYTHING: dict[str, Any] = {
    **{"trust": True, "spoofchk": False, "mac": A, "vlan": Vlan(100, 3, AD), "min_tx_rate": 10, "max_tx_rate": 20},
    "link_state": "enable",
}
ALL_SETTINGS = [
    Setting(TRUST, True),
    Setting(SPOOFCHK, False),
    Setting(MAC, A),
    Setting(VLAN, (100, 3, AD)),
    Setting(RATES, (10, 20)),
    Setting(LINK_STATE, "enable"),
]


def wanted(**given: Any) -> VfConfig:
    """Return what a user asks for."""
    config = VfConfig("0000:03:02.6")
    for name, value in given.items():
        setattr(config, name, value)
    return config


def entry(**given: Any) -> VF:
    """Return an entry of the table; what is not given is as a fresh VF of a driver that tells everything has it."""
    vf = VF(6)
    for name, value in {"mac": NULL_MAC, "spoofchk": True, "trust": False, **given}.items():
        setattr(vf, name, value)
    return vf


AS_WANTED: dict[str, Any] = {
    **{"trust": True, "spoofchk": False, "mac": A, "vlan": 100, "qos": 3, "protocol": AD},
    **{"min_tx_rate": 10, "max_tx_rate": 20, "link_state": "enable"},
}

ASKED: dict[str, tuple[dict[str, Any], VF | None, list[Setting]]] = {
    "nothing": ({}, entry(), []),
    "nothing that the PF sets": ({"mtu": 9000}, entry(), []),
    "everything, in order": (EVERYTHING, entry(), ALL_SETTINGS),
    "everything, of a driver that tells nothing": (EVERYTHING, None, ALL_SETTINGS),
    "everything, as it is already": (EVERYTHING, entry(**AS_WANTED), ALL_SETTINGS),
    "what is off and none": (
        {"trust": False, "spoofchk": False, "vlan": Vlan(0, 0, Q), "min_tx_rate": 0, "max_tx_rate": 0},
        entry(),
        [Setting(TRUST, False), Setting(SPOOFCHK, False), Setting(VLAN, (0, 0, Q)), Setting(RATES, (0, 0))],
    ),
    "maximum keeps the minimum": ({"max_tx_rate": 20}, entry(min_tx_rate=5), [Setting(RATES, (5, 20))]),
    "minimum keeps the maximum": ({"min_tx_rate": 5}, entry(max_tx_rate=50), [Setting(RATES, (5, 50))]),
    "no maximum keeps the minimum": ({"max_tx_rate": 0}, entry(min_tx_rate=5, max_tx_rate=9), [Setting(RATES, (5, 0))]),
    "a rate, nothing known": ({"max_tx_rate": 20}, None, [Setting(RATES, (0, 20))]),
}


@pytest.mark.parametrize(("given", "current", "expected"), ASKED.values(), ids=ASKED)
def test_asked(given: dict[str, Any], current: VF | None, expected: list[Setting]) -> None:
    """Only what is asked for, trust first and the link state last; a rate that is not asked for stays what it is."""
    assert plan.asked(wanted(**given), current) == expected


TO_MAKE: dict[str, tuple[dict[str, Any], VF | None, list[Setting]]] = {
    "nothing": ({}, entry(), []),
    "everything": (EVERYTHING, entry(), ALL_SETTINGS),
    "nothing known": (EVERYTHING, None, ALL_SETTINGS),
    "all as it is, but the MAC address is bound": (EVERYTHING, entry(**AS_WANTED), [Setting(MAC, A)]),
    "a switch not told": ({"trust": False}, entry(trust=None), [Setting(TRUST, False)]),
    "the other switch told": (
        {"trust": False, "spoofchk": True},
        entry(trust=None, spoofchk=True),
        [Setting(TRUST, False)],
    ),
    "a switch off that is off": ({"trust": False}, entry(), []),
    "a switch on that is off": ({"trust": True}, entry(), [Setting(TRUST, True)]),
    "VLAN 0 where none is": ({"vlan": Vlan(0, 0, Q)}, entry(), []),
    "VLAN 0 where one is": ({"vlan": Vlan(0, 0, Q)}, entry(vlan=7, qos=1), [Setting(VLAN, (0, 0, Q))]),
    "another QoS": ({"vlan": Vlan(7, 1, Q)}, entry(vlan=7), [Setting(VLAN, (7, 1, Q))]),
    "another protocol": ({"vlan": Vlan(7, 0, AD)}, entry(vlan=7), [Setting(VLAN, (7, 0, AD))]),
    "no VLAN, remains of one": ({"vlan": Vlan(0, 0, Q)}, entry(qos=1, protocol=AD), []),
    "a maximum that is": ({"max_tx_rate": 20}, entry(min_tx_rate=5, max_tx_rate=20), []),
    "a maximum that is not": ({"max_tx_rate": 30}, entry(min_tx_rate=5, max_tx_rate=20), [Setting(RATES, (5, 30))]),
    "link state auto that is": ({"link_state": "auto"}, entry(), []),
    "link state auto that is not": (
        {"link_state": "auto"},
        entry(link_state="disable"),
        [Setting(LINK_STATE, "auto")],
    ),
}


@pytest.mark.parametrize(("given", "current", "expected"), TO_MAKE.values(), ids=TO_MAKE)
def test_to_make(given: dict[str, Any], current: VF | None, expected: list[Setting]) -> None:
    """What is so already is not made: some drivers refuse even the value they have."""
    assert plan.to_make(wanted(**given), current) == expected


TO_RESTORE: dict[str, tuple[dict[str, Any], VF, VF | None, list[Setting]]] = {
    "nothing asked, all changed by others": ({}, entry(), entry(**AS_WANTED), []),
    "nothing that the PF sets": ({"mtu": 9000}, entry(), entry(**AS_WANTED), []),
    "everything, in reverse": (
        EVERYTHING,
        entry(mac=B, vlan=7, qos=1, min_tx_rate=1, max_tx_rate=2, link_state="disable"),
        entry(**AS_WANTED),
        [
            Setting(LINK_STATE, "disable"),
            Setting(RATES, (1, 2)),
            Setting(VLAN, (7, 1, Q)),
            Setting(SPOOFCHK, True),
            Setting(TRUST, False),
        ],
    ),
    "everything, set back already": (EVERYTHING, entry(), entry(), []),
    "everything, nothing changed": (EVERYTHING, entry(**AS_WANTED), entry(**AS_WANTED), []),
    "only what was asked": ({"trust": True}, entry(), entry(**AS_WANTED), [Setting(TRUST, False)]),
    "never the MAC address": ({"mac": A}, entry(mac=B), entry(mac=A), []),
    "a VLAN that was": ({"vlan": Vlan(0, 0, Q)}, entry(vlan=7, protocol=AD), entry(), [Setting(VLAN, (7, 0, AD))]),
    "no VLAN before": (
        {"vlan": Vlan(9, 1, AD)},
        entry(),
        entry(vlan=9, qos=1, protocol=AD),
        [Setting(VLAN, (0, 0, Q))],
    ),
    "a switch never told": ({"trust": True}, entry(trust=None), entry(trust=None), []),
    "a switch not told before": ({"trust": True}, entry(trust=None), entry(trust=True), []),
    "a switch not told now": ({"trust": True}, entry(trust=True), entry(trust=None), []),
    "a switch as sriov-cni writes one not told": ({"spoofchk": False}, entry(spoofchk=False), entry(spoofchk=None), []),
    "nothing told now": (
        EVERYTHING,
        entry(),
        None,
        [Setting(LINK_STATE, "auto"), Setting(RATES, (0, 0)), Setting(VLAN, (0, 0, Q))],
    ),
    "one rate asked, both back": (
        {"max_tx_rate": 30},
        entry(min_tx_rate=5, max_tx_rate=20),
        entry(min_tx_rate=5, max_tx_rate=30),
        [Setting(RATES, (5, 20))],
    ),
    "link state": ({"link_state": "enable"}, entry(), entry(link_state="enable"), [Setting(LINK_STATE, "auto")]),
    "set by another to something else": (
        {"vlan": Vlan(9, 0, Q), "link_state": "enable"},
        entry(),
        entry(vlan=10, link_state="disable"),
        [Setting(LINK_STATE, "auto"), Setting(VLAN, (0, 0, Q))],
    ),
}


@pytest.mark.parametrize(("given", "original", "current", "expected"), TO_RESTORE.values(), ids=TO_RESTORE)
def test_to_restore(given: dict[str, Any], original: VF, current: VF | None, expected: list[Setting]) -> None:
    """Only what was asked for and is not as it was, in the reverse order of ADD."""
    assert plan.to_restore(wanted(**given), original, current) == expected


@pytest.mark.parametrize("attribute", ["trust", "spoofchk", "vlan", "link_state", "rates"])
def test_there_and_back(attribute: str) -> None:
    """For each attribute alone: what ADD makes, DEL makes undone, and then neither has anything to do."""
    given = {
        "rates": {"min_tx_rate": 10, "max_tx_rate": 20},
    }.get(attribute, {attribute: EVERYTHING.get(attribute)})
    changed = entry(**{**AS_WANTED, "mac": NULL_MAC})
    (made,) = plan.to_make(wanted(**given), entry())
    (restored,) = plan.to_restore(wanted(**given), entry(), changed)
    assert made.attribute == restored.attribute
    assert made == plan.value_of(made.attribute, changed)
    assert restored == plan.value_of(made.attribute, entry())
    assert plan.to_make(wanted(**given), changed) == []
    assert plan.to_restore(wanted(**given), entry(), entry()) == []


NEEDS_PF: dict[str, tuple[dict[str, Any], list[Setting]]] = {
    "nothing": ({}, []),
    "the MAC address and the MTU can be set from inside": ({"mac": A, "mtu": 1400}, []),
    "VLAN 0 is no VLAN": ({"vlan": Vlan(0, 0, Q)}, []),
    "VLAN": ({"vlan": Vlan(7, 0, Q)}, [Setting(VLAN, (7, 0, Q))]),
    "switches, off too": (
        {"trust": False, "spoofchk": False},
        [Setting(TRUST, False), Setting(SPOOFCHK, False)],
    ),
    "link state": ({"link_state": "auto"}, [Setting(LINK_STATE, "auto")]),
    "rate": ({"max_tx_rate": 20}, [Setting(RATES, (0, 20))]),
    "everything": (EVERYTHING, [x for x in ALL_SETTINGS if x.attribute != MAC]),
}


@pytest.mark.parametrize(("given", "expected"), NEEDS_PF.values(), ids=NEEDS_PF)
def test_what_needs_a_pf(given: dict[str, Any], expected: list[Setting]) -> None:
    """What only a PF can set."""
    assert plan.needs_pf(wanted(**given)) == expected


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (Setting(TRUST, True), "trust on"),
        (Setting(SPOOFCHK, False), "spoofchk off"),
        (Setting(MAC, A), f"mac {A}"),
        (Setting(VLAN, (100, 3, Q)), "vlan 100, vlanQoS 3, vlanProto 802.1q"),
        (Setting(VLAN, (0, 0, AD)), "vlan 0, vlanQoS 0, vlanProto 802.1ad"),
        (Setting(RATES, (10, 20)), "min_tx_rate 10, max_tx_rate 20"),
        (Setting(LINK_STATE, "enable"), "link_state enable"),
    ],
    ids=repr,
)
def test_description(setting: Setting, text: str) -> None:
    """In the words of the configuration."""
    assert setting.describe() == text


def test_equality() -> None:
    """Attribute and value count, and nothing else is a setting."""
    assert Setting(TRUST, True) == Setting(TRUST, True)
    assert Setting(TRUST, True) != Setting(SPOOFCHK, True)
    assert Setting(TRUST, True) != Setting(TRUST, False)
    other: object = "trust on"
    assert Setting(TRUST, True) != other


@pytest.mark.parametrize("attribute", [TRUST, SPOOFCHK, MAC, VLAN, RATES, LINK_STATE])
def test_value_of_an_unknown_table(attribute: str) -> None:
    """A driver that tells nothing has no value of anything."""
    assert plan.value_of(attribute, None) is None
