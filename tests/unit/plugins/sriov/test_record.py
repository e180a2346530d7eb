"""Records of attachments: sriov-cni's are read right, ours have what it reads, and nothing is lost on the way."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from cni.attach.attachment import Owner
from cni.attach.record import OURS
from cni.attach.state import Store
from cni.linux.netlink.link import Link
from cni.linux.netlink.vf import VF
from cni.protocol.errors import CniError
from cni.protocol.section import Section
from plugins.sriov import record
from plugins.vf.attachment import VfAttachment
from plugins.vf.config import VfConfig, Vlan
from tests.support.log import Lines

Q, AD = 0x8100, 0x88A8

# As sriov-cni writes them: what the user did not ask for is null where Go has a pointer, absent where it is omitted.
GO_PLAIN: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "blue",
    "type": "sriov",
    "ipam": {"type": "host-local"},
    "dns": {},
    "OrigVfState": {
        "HostIFName": "ens2f0v6",
        "SpoofChk": True,
        "Trust": False,
        "AdminMAC": "00:00:00:00:00:00",
        "EffectiveMAC": "52:54:00:AA:BB:CC",
        "Vlan": 0,
        "VlanQoS": 0,
        "VlanProto": 33024,
        "MinTxRate": 0,
        "MaxTxRate": 0,
        "LinkState": 0,
        "MTU": 1500,
    },
    "Master": "ens2f0",
    "MAC": "",
    "MTU": None,
    "VFID": 6,
    "deviceID": "0000:03:02.6",
    "vlan": None,
    "vlanQoS": None,
    "vlanProto": None,
    "min_tx_rate": None,
    "max_tx_rate": None,
    "runtimeConfig": {},
}
GO_FULL: dict[str, Any] = {
    **GO_PLAIN,
    "OrigVfState": {
        "HostIFName": "ens2f0v6",
        "SpoofChk": False,
        "Trust": True,
        "AdminMAC": "52:54:00:00:00:01",
        "EffectiveMAC": "52:54:00:00:00:01",
        "Vlan": 9,
        "VlanQoS": 2,
        "VlanProto": 34984,
        "MinTxRate": 5,
        "MaxTxRate": 50,
        "LinkState": 2,
        "MTU": 9000,
    },
    "MAC": "CA:FE:C0:FF:EE:0A",
    "MTU": 1400,
    "vlan": 100,
    "vlanQoS": 3,
    "vlanProto": "802.1ad",
    "min_tx_rate": 10,
    "max_tx_rate": 20,
    "spoofchk": "off",
    "trust": "on",
    "link_state": "enable",
    "runtimeConfig": {"mac": "CA:FE:C0:FF:EE:0A"},
    "logLevel": "debug",
    "logFile": "/var/log/sriov.log",
}
GO_USERSPACE: dict[str, Any] = {
    **GO_PLAIN,
    "OrigVfState": {**GO_PLAIN["OrigVfState"], "HostIFName": "", "EffectiveMAC": "", "MTU": 0},
}


def seen(value: Any) -> Any:
    """Return an object of ours as plain values, to compare and to show."""
    if isinstance(value, VfAttachment | VfConfig | Vlan | Link | VF):
        return {name: seen(getattr(value, name)) for name in value.__slots__}
    return value


NO_WISH: dict[str, Any] = {
    **{"address": "0000:03:02.6", "mac": "", "mtu": None, "vlan": None, "spoofchk": None, "trust": None},
    **{"link_state": "", "min_tx_rate": None, "max_tx_rate": None},
}


def go_file(folder: Path, container_id: str, ifname: str, content: Any) -> Store:
    """Put a record where sriov-cni does and return the store."""
    folder.mkdir(exist_ok=True)
    (folder / f"{container_id}-{ifname}").write_text(json.dumps(content, ensure_ascii=False))
    return Store(str(folder), Lines(), foreign=True)


def loaded(store: Store, container_id: str, ifname: str) -> VfAttachment:
    """Return the recorded attachment, which is there."""
    found = store.load(container_id, ifname)
    assert found is not None
    return record.from_record(found)


def test_a_plain_record_of_sriov_cni(tmp_path: Path) -> None:
    """Whose it is the file's name says; null and absent were not asked for; what sriov-cni does not note is unknown."""
    found = loaded(go_file(tmp_path, "c0ffee", "net1", GO_PLAIN), "c0ffee", "net1")
    assert (found.owner.container_id, found.owner.ifname, found.owner.network) == ("c0ffee", "net1", "blue")
    assert (found.owner.netns, found.owner.netns_cookie, found.owner.boot_id, found.is_ours) == ("", 0, "", False)
    assert (found.pf, found.index, found.master, found.address, found.name) == (
        *("ens2f0", 6, "", "0000:03:02.6", "ens2f0v6"),
    )
    assert seen(found.wanted) == NO_WISH
    assert seen(found.table) == {
        **{"index": 6, "mac": "00:00:00:00:00:00", "vlan": 0, "qos": 0, "protocol": Q, "link_state": "auto"},
        **{"min_tx_rate": 0, "max_tx_rate": 0, "spoofchk": True, "trust": False},
    }
    original = found.original
    assert original is not None
    assert (original.name, original.mac, original.mtu, original.parent) == (
        *("ens2f0v6", "52:54:00:aa:bb:cc", 1500, ""),
    )
    assert (original.index, original.up, original.alias, original.altnames) == (0, False, "", [])


def test_a_full_record_of_sriov_cni(tmp_path: Path) -> None:
    """All that was asked for, and all that it was before."""
    found = loaded(go_file(tmp_path, "c0ffee", "net1", GO_FULL), "c0ffee", "net1")
    assert seen(found.wanted) == {
        **{"address": "0000:03:02.6", "mac": "ca:fe:c0:ff:ee:0a", "mtu": 1400},
        **{"vlan": {"id": 100, "qos": 3, "protocol": AD}, "spoofchk": False, "trust": True},
        **{"link_state": "enable", "min_tx_rate": 10, "max_tx_rate": 20},
    }
    assert seen(found.table) == {
        **{"index": 6, "mac": "52:54:00:00:00:01", "vlan": 9, "qos": 2, "protocol": AD, "link_state": "disable"},
        **{"min_tx_rate": 5, "max_tx_rate": 50, "spoofchk": False, "trust": True},
    }
    assert found.original is not None
    assert (found.original.mac, found.original.mtu) == ("52:54:00:00:00:01", 9000)


def test_a_record_of_sriov_cni_for_a_userspace_driver(tmp_path: Path) -> None:
    """No name on the host means no link; the VF is named by its address then."""
    found = loaded(go_file(tmp_path, "c0ffee", "net1", GO_USERSPACE), "c0ffee", "net1")
    assert (found.original, found.name, found.index, found.pf) == (None, "0000:03:02.6", 6, "ens2f0")
    assert found.table is not None


@pytest.mark.parametrize(
    ("number", "word"), [(0, "auto"), (1, "enable"), (2, "disable")], ids=["auto", "enable", "disable"]
)
def test_link_states_of_sriov_cni(number: int, word: str) -> None:
    """The numbers are the kernel's."""
    found = record.from_record(_with(GO_PLAIN, "OrigVfState.LinkState", number))
    assert found.table is not None
    assert found.table.link_state == word


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"vlan": 5}, (5, 0, Q), id="vlan alone"),
        pytest.param({"vlan": 5, "vlanQoS": 1, "vlanProto": "802.1q"}, (5, 1, Q), id="802.1q"),
        pytest.param({"vlan": 5, "vlanProto": "802.1Q"}, (5, 0, Q), id="802.1Q"),
        pytest.param({"vlan": 5, "vlanProto": "802.1AD"}, (5, 0, AD), id="802.1AD"),
        pytest.param({"vlan": 0, "vlanQoS": 0, "vlanProto": "802.1q"}, (0, 0, Q), id="vlan 0"),
    ],
)
def test_vlans_of_sriov_cni(given: dict[str, Any], expected: tuple[int, int, int]) -> None:
    """ID, priority and protocol as the user asked for them."""
    found = record.from_record({**_owned(GO_PLAIN), **given}).wanted.vlan
    assert found is not None
    assert (found.id, found.qos, found.protocol) == expected


def test_an_old_record_of_sriov_cni() -> None:
    """Older versions knew neither protocol nor MTU: 802.1Q it was, and the MTU stays as it is."""
    old = _owned(GO_PLAIN)
    for key in ("VlanProto", "MTU", "LinkState", "MinTxRate", "MaxTxRate"):
        del old["OrigVfState"][key]
    found = record.from_record(old)
    assert found.table is not None
    assert found.original is not None
    assert (found.table.protocol, found.table.link_state, found.original.mtu) == (Q, "auto", 0)


def test_an_address_in_upper_case() -> None:
    """sriov-cni keeps the address as the user wrote it; the kernel's names are in lower case."""
    found = record.from_record(_with(GO_PLAIN, "deviceID", "0000:AF:02.6"))
    assert found.address == "0000:af:02.6"


@pytest.mark.parametrize("name", ["größe0", "網路0", "éth0"])
def test_names_of_sriov_cni_are_utf_8(tmp_path: Path, name: str) -> None:
    """Go writes a name that is UTF-8 as it is."""
    written = _with(_with(GO_PLAIN, "OrigVfState.HostIFName", name), "Master", f"{name}p")
    del written["containerID"], written["ifName"]
    found = loaded(go_file(tmp_path, "c0ffee", "net1", written), "c0ffee", "net1")
    assert found.original is not None
    assert (found.original.name, found.pf) == (name, f"{name}p")


@pytest.mark.parametrize(
    ("container_id", "ifname", "told"),
    [
        pytest.param("c0ffee", "net1", ("c0ffee", "net1"), id="plain"),
        pytest.param("c0-ff-ee", "net1", ("c0-ff-ee", "net1"), id="ID with hyphens"),
        pytest.param("c0ffee", "net-1", ("c0ffee-net", "1"), id="interface with a hyphen"),
        pytest.param("c0-ffee", "n-e-t", ("c0-ffee-n-e", "t"), id="both"),
    ],
)
def test_whose_a_record_of_sriov_cni_is(tmp_path: Path, container_id: str, ifname: str, told: tuple[str, str]) -> None:
    """Asked for by its owner it is the owner's. In a list only the file's name tells: up to the last hyphen it is the
    container's ID, and joined again the two are always the file's name.
    """
    store = go_file(tmp_path, container_id, ifname, GO_PLAIN)
    found = loaded(store, container_id, ifname)
    assert (found.owner.container_id, found.owner.ifname) == (container_id, ifname)
    (listed,) = (record.from_record(entry) for entry in store.all())
    assert (listed.owner.container_id, listed.owner.ifname) == told
    assert f"{listed.owner.container_id}-{listed.owner.ifname}" == f"{container_id}-{ifname}"
    store.remove(listed.owner.container_id, listed.owner.ifname)
    assert store.load(container_id, ifname) is None


def conf(**members: Any) -> Section:
    """Return a network configuration."""
    return Section({"cniVersion": "1.0.0", "name": "blue", "type": "sriov", **members})


def attachment(**other: Any) -> VfAttachment:
    """Return an attachment of ours that asks for nothing, unless `wanted` does. other: attributes that differ."""
    original = Link(7, "ens2f0v6")
    original.mac, original.mtu, original.up, original.alias = "52:54:00:aa:bb:cc", 1500, True, "an alias"
    original.altnames, original.parent = ["enp3s2v6", "a-name-longer-than-fifteen-bytes"], "0000:03:02.6"
    original.permanent_mac, original.port = "52:54:00:aa:bb:cd", "p0"
    table = VF(6)
    table.mac, table.spoofchk, table.trust = "00:00:00:00:00:00", True, False
    wanted = VfConfig("0000:03:02.6")
    for name, value in other.pop("wanted", {}).items():
        setattr(wanted, name, value)
    owner = Owner("c0ffee", "net1", "blue", "/run/netns/pod1", 4711, "5b3c7e0f")
    made = VfAttachment(owner, original, wanted, "ens2f0", 6, table)
    made.master = "br0"
    for name, value in other.items():
        setattr(owner if name in Owner.__slots__ else made, name, value)
    return made


FULL_TABLE: dict[str, Any] = {
    **{"mac": "52:54:00:00:00:01", "vlan": 9, "qos": 2, "protocol": AD, "link_state": "disable"},
    **{"min_tx_rate": 5, "max_tx_rate": 50, "spoofchk": False, "trust": True},
}
FULL_WISH: dict[str, Any] = {
    **{"mac": "ca:fe:c0:ff:ee:0a", "mtu": 1400, "vlan": Vlan(100, 3, AD), "spoofchk": False, "trust": True},
    **{"link_state": "enable", "min_tx_rate": 10, "max_tx_rate": 20},
}


def table(**given: Any) -> VF:
    """Return an entry of the PF's table."""
    entry = VF(6)
    for name, value in given.items():
        setattr(entry, name, value)
    return entry


STATE_TYPES = {
    **{"HostIFName": str, "SpoofChk": bool, "Trust": bool, "AdminMAC": str, "EffectiveMAC": str, "Vlan": int},
    **{"VlanQoS": int, "VlanProto": int, "MinTxRate": int, "MaxTxRate": int, "LinkState": int, "MTU": int},
}
ALWAYS = {
    **{"cniVersion": str, "name": str, "type": str, "ipam": dict, "Master": str, "MAC": str, "VFID": int},
    **{"deviceID": str, "OrigVfState": dict},
}
WHEN_ASKED = {
    **{"MTU": int, "vlan": int, "vlanQoS": int, "vlanProto": str, "min_tx_rate": int, "max_tx_rate": int},
    **{"spoofchk": str, "trust": str, "link_state": str, "runtimeConfig": dict},
}


def written(made: VfAttachment, network: Section | None = None) -> dict[str, Any]:
    """Return the record as a reader of its JSON sees it."""
    return dict(json.loads(json.dumps(record.to_record(made, network or conf()))))


def types(given: dict[str, Any]) -> dict[str, type]:
    """Return the type of each member."""
    return {key: type(value) for key, value in given.items()}


def test_our_record_when_everything_is_asked() -> None:
    """Every field of sriov-cni is there, with the type that Go's decoder insists on, and the value."""
    network = conf(ipam={"type": "host-local"}, runtimeConfig={"mac": "CA:FE:C0:FF:EE:0A"}, logLevel="debug")
    ours = written(attachment(wanted=FULL_WISH, table=table(**FULL_TABLE)), network)
    assert types(ours).items() >= (ALWAYS | WHEN_ASKED).items()
    assert types(ours["OrigVfState"]) == STATE_TYPES
    expected = {**GO_FULL, "MAC": "ca:fe:c0:ff:ee:0a"}
    expected["OrigVfState"] = {**GO_FULL["OrigVfState"], "EffectiveMAC": "52:54:00:aa:bb:cc", "MTU": 1500}
    del expected["dns"], expected["logFile"]
    del ours[OURS]
    assert ours == expected


def test_our_record_when_nothing_is_asked() -> None:
    """What was not asked for has no key: sriov-cni would restore it. The VF's own state is whole all the same."""
    ours = written(attachment(), conf(ipam={"type": "host-local"}))
    assert set(ours) == {*ALWAYS, OURS}
    assert types(ours).items() >= ALWAYS.items()
    assert types(ours["OrigVfState"]) == STATE_TYPES
    assert ours["MAC"] == ""
    assert ours["OrigVfState"] == {**GO_PLAIN["OrigVfState"], "EffectiveMAC": "52:54:00:aa:bb:cc"}


ONE_WISH: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mtu": ({"mtu": 1400}, {"MTU": 1400}),
    "vlan": ({"vlan": Vlan(100, 0, Q)}, {"vlan": 100, "vlanQoS": 0, "vlanProto": "802.1q"}),
    "vlan 0": ({"vlan": Vlan(0, 0, Q)}, {"vlan": 0, "vlanQoS": 0, "vlanProto": "802.1q"}),
    "vlan of 802.1ad": ({"vlan": Vlan(7, 1, AD)}, {"vlan": 7, "vlanQoS": 1, "vlanProto": "802.1ad"}),
    "spoofchk": ({"spoofchk": True}, {"spoofchk": "on"}),
    "spoofchk off": ({"spoofchk": False}, {"spoofchk": "off"}),
    "trust": ({"trust": True}, {"trust": "on"}),
    "trust off": ({"trust": False}, {"trust": "off"}),
    "link_state": ({"link_state": "auto"}, {"link_state": "auto"}),
    "min_tx_rate": ({"min_tx_rate": 0}, {"min_tx_rate": 0}),
    "max_tx_rate": ({"max_tx_rate": 0}, {"max_tx_rate": 0}),
}


@pytest.mark.parametrize(("wish", "expected"), ONE_WISH.values(), ids=ONE_WISH)
def test_one_wish(wish: dict[str, Any], expected: dict[str, Any]) -> None:
    """One thing asked for has its keys, zero and off too, and nothing else has."""
    ours = written(attachment(wanted=wish))
    plain = written(attachment())
    assert {key: value for key, value in ours.items() if key not in plain} == expected
    assert {key: value for key, value in ours.items() if key in plain} == plain


@pytest.mark.parametrize(
    ("ipam", "expected"),
    [
        ({"type": "host-local", "ranges": [[{"subnet": "10.0.0.0/8"}]], "secret": "x"}, {"type": "host-local"}),
        ({"type": "calico-ipam"}, {"type": "calico-ipam"}),
        ({}, {}),
        (None, {}),
    ],
    ids=["with ranges", "type only", "empty", "absent"],
)
def test_ipam_keeps_only_its_type(ipam: Any, expected: dict[str, Any]) -> None:
    """As in sriov-cni, where it is always an object."""
    assert written(attachment(), conf(ipam=ipam))["ipam"] == expected


def test_members_of_the_configuration() -> None:
    """Those that sriov-cni keeps are kept as they are, others are not."""
    members = {"logLevel": "debug", "logFile": "/var/log/x", "runtimeConfig": {"mac": "02:00:00:00:00:01"}}
    ours = written(attachment(), conf(**members, prevResult={}, somethingElse=1, vlan=5))
    assert ours.items() >= members.items()
    assert {"prevResult", "somethingElse", "vlan"}.isdisjoint(ours)


def test_a_userspace_driver_and_no_pf() -> None:
    """Without a link its name is empty, without a PF the PF's; both are of the right type still."""
    ours = written(attachment(original=None, pf="", index=-1, table=None, master=""))
    assert types(ours).items() >= ALWAYS.items()
    assert types(ours["OrigVfState"]) == STATE_TYPES
    assert (ours["OrigVfState"]["HostIFName"], ours["Master"], ours["VFID"]) == ("", "", 0)


ODD = "eth\udcff\udc80"
"""A name that is not UTF-8."""


def odd_link(**other: Any) -> Link:
    """Return a link all of whose names are odd."""
    link = attachment().original
    assert link is not None
    for name, value in other.items():
        setattr(link, name, value)
    return link


ROUND_TRIPS: dict[str, dict[str, Any]] = {
    "nothing asked": {},
    "everything asked": {"wanted": FULL_WISH, "table": table(**FULL_TABLE)},
    "everything off": {
        "wanted": {
            **{"vlan": Vlan(0, 0, Q), "spoofchk": True, "trust": False, "link_state": "auto"},
            **{"min_tx_rate": 0, "max_tx_rate": 0},
        }
    },
    "a userspace driver": {"original": None, "master": ""},
    "no PF": {"pf": "", "index": -1, "table": None},
    "neither": {"original": None, "master": "", "pf": "", "index": -1, "table": None},
    "VF 0": {"index": 0, "table": attachment().table},
    "VF 255": {"index": 255},
    "hyphens": {"container_id": "a-b-c", "ifname": "net-1-x"},
    "an interface name beyond ASCII": {"ifname": "größe"},
    "no namespace cookie": {"netns_cookie": 0},
    "the largest cookie": {"netns_cookie": (1 << 64) - 1},
    "an InfiniBand address": {"original": odd_link(mac=bytes(range(20)).hex(":"))},
    "names that are UTF-8": {
        **{"pf": "größe0", "master": "網橋", "original": odd_link(name="größe0v6", alias="Größe €", altnames=["é"])},
    },
    "names that are latin-1": {"original": odd_link(name="gr\udcf6\udcdfe"), "master": "\udce9"},
    "a name that is not UTF-8": {"original": odd_link(name=ODD)},
    "an alias that is not UTF-8": {"original": odd_link(alias=f"a {ODD} €")},
    "an altname that is not UTF-8": {"original": odd_link(altnames=["plain", ODD])},
    "a master that is not UTF-8": {"master": ODD},
    "a PF that is not UTF-8": {"pf": ODD},
    "a namespace that is not UTF-8": {"netns": f"/run/netns/{ODD}"},
    "a mark of no character": {"original": odd_link(name="\ufffd", alias="\ufffd\udcff")},
}


@pytest.mark.parametrize("other", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_round_trip(tmp_path: Path, other: dict[str, Any]) -> None:
    """What is written and read is what it was, through a file, asked for by its owner and in a list."""
    made = attachment(**copy.deepcopy(other))
    if made.table is not None:
        made.table.index = made.index
    store = Store(str(tmp_path / "state"), Lines(), foreign=True)
    store.save(made.owner.container_id, made.owner.ifname, record.to_record(made, conf()))
    assert seen(loaded(store, made.owner.container_id, made.owner.ifname)) == seen(made)
    assert [seen(record.from_record(entry)) for entry in store.all()] == [seen(made)]


def test_sriov_cni_sees_names_as_they_are() -> None:
    """sriov-cni gives the link the name in the record: one that is UTF-8 is written as it is."""
    ours = written(attachment(pf="größe0", original=odd_link(name="größe0v6")))
    assert (ours["Master"], ours["OrigVfState"]["HostIFName"]) == ("größe0", "größe0v6")


def test_unknown_switches() -> None:
    """Go has no third state: what the driver does not tell is written as off, and is not asked for."""
    ours = written(attachment(table=table(mac="00:00:00:00:00:00")))
    assert (ours["OrigVfState"]["SpoofChk"], ours["OrigVfState"]["Trust"]) == (False, False)


def test_our_record_without_our_part(tmp_path: Path) -> None:
    """A record of ours that sriov-cni has read and written is one of sriov-cni's: all that it knows is there."""
    ours = written(attachment(wanted=FULL_WISH, table=table(**FULL_TABLE)))
    del ours[OURS]
    found = loaded(go_file(tmp_path, "c0ffee", "net-1", ours), "c0ffee", "net-1")
    made = attachment(wanted=FULL_WISH, table=table(**FULL_TABLE))
    assert (found.is_ours, found.owner.ifname) == (False, "net-1")
    assert seen(found.wanted) == seen(made.wanted)
    assert seen(found.table) == seen(made.table)
    assert (found.pf, found.index, found.owner.network) == (made.pf, made.index, made.owner.network)


def _owned(given: dict[str, Any]) -> dict[str, Any]:
    """Return a record of sriov-cni as the store gives it out, a copy of its own."""
    return copy.deepcopy({**given, "containerID": "c0ffee", "ifName": "net1"})


def _with(given: dict[str, Any], where: str, value: Any) -> dict[str, Any]:
    """Return a record of sriov-cni with one member that is another."""
    changed = _owned(given)
    section = changed
    *path, key = where.split(".")
    for part in path:
        section = section.setdefault(part, {})
    section[key] = value
    return changed


TEXTS = ("Master", "MAC", "name", "link_state", "spoofchk", "trust")
STATE_TEXTS = ("HostIFName", "AdminMAC", "EffectiveMAC")
NUMBERS = ("VFID", "MTU", "vlan", "min_tx_rate", "max_tx_rate")
STATE_NUMBERS = ("Vlan", "VlanQoS", "VlanProto", "MTU", "MinTxRate", "MaxTxRate")

MISTYPED: dict[str, list[Any]] = {
    "deviceID": [None, "", 5, ["0000:03:02.6"], {}],
    "OrigVfState": [None, "", 5, [], True],
    **{key: [5, True, [], {}] for key in TEXTS},
    "Master": [5, True, [], {}, "../x", ".."],
    **{key: ["5", True, 5.5, [], {}] for key in NUMBERS},
    **{f"OrigVfState.{key}": [5, True, []] for key in STATE_TEXTS},
    **{f"OrigVfState.{key}": ["5", True, 5.5, []] for key in STATE_NUMBERS},
    **{f"OrigVfState.{key}": [0, 1, "on", []] for key in ("SpoofChk", "Trust")},
    "OrigVfState.LinkState": [-1, 3, "auto", True],
    "plumbline": [5, [], "x"],
    "plumbline.netns": [5, []],
    "plumbline.netnsCookie": ["5", True],
    "plumbline.bootID": [5],
    "plumbline.up": [1, "true"],
    "plumbline.altNames": ["a", [5], {}],
    "plumbline.index": ["7"],
}

WORTHLESS: dict[str, list[Any]] = {
    "deviceID": ["..", ".", "eth0", "0000:03:02.6/..", "../0000:03:02.6", "03:02.6", "0000:03:02.6\n"],
    "VFID": [-1, 1 << 32],
    "OrigVfState.AdminMAC": ["garbage", "52:54:00:00:00:0g", "52:54"],
    "OrigVfState.EffectiveMAC": ["garbage", "52:54:00:00:00:0g"],
    "OrigVfState.Vlan": [-1, 1 << 32],
    "OrigVfState.VlanQoS": [-1, 1 << 32],
    "OrigVfState.VlanProto": [-1, 1 << 16],
    "OrigVfState.MinTxRate": [-1, 1 << 32],
    "OrigVfState.MaxTxRate": [-1, 1 << 32],
    "OrigVfState.MTU": [-1, 1 << 32],
}
"""Of the right type, but nothing that could be given to the kernel."""


def _cases(table: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(key, value, id=f"{key} {json.dumps(value)}") for key, values in table.items() for value in values
    ]


@pytest.mark.parametrize(("where", "value"), [*_cases(MISTYPED), *_cases(WORTHLESS)])
def test_garbage_is_refused(where: str, value: Any) -> None:
    """A record that says nonsense is no record: what it says never gets as far as a message to the kernel."""
    with pytest.raises(CniError):
        record.from_record(_with(GO_FULL, where, value))


def test_nothing_but_an_owner_is_refused() -> None:
    """An object without a VF in it."""
    with pytest.raises(CniError, match="which VF"):
        record.from_record({"containerID": "c0ffee", "ifName": "net1"})


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b'"x"', b"{", bytes(64), json.dumps(GO_PLAIN).encode()[:-9], b'{"name": "\xff"}', b"\x80"],
    ids=["empty", "null", "list", "text", "cut off at once", "zeros", "cut off", "not UTF-8", "not text"],
)
def test_garbage_in_a_file(tmp_path: Path, content: bytes) -> None:
    """A file that is no record is absent and said to be so, and does not hide the others."""
    log = Lines()
    store = Store(str(tmp_path), log, foreign=True)
    (tmp_path / "c0ffee-net1").write_bytes(content)
    (tmp_path / "other-net1").write_text(json.dumps(GO_PLAIN))
    assert store.load("c0ffee", "net1") is None
    assert [entry["containerID"] for entry in store.all()] == ["other"]
    assert f"record {tmp_path}/c0ffee-net1 is" in log.text("warning")
