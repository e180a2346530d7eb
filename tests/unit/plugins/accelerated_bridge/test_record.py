"""Records of attachments: accelerated-bridge-cni's are read right, ours have what it reads, and nothing is lost."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from cni.attach.attachment import Owner
from cni.attach.record import OURS
from cni.attach.records import Records
from cni.attach.state import Store
from cni.linux.netlink.link import Link
from cni.linux.netlink.vf import VF
from cni.protocol.errors import CniError
from cni.protocol.section import Section
from plugins.accelerated_bridge import record
from plugins.accelerated_bridge.config import BridgeConfig
from plugins.accelerated_bridge.plugin import AcceleratedBridge
from plugins.accelerated_bridge.port import RepresentorPort
from plugins.vf.attachment import VfAttachment
from plugins.vf.config import VfConfig
from tests.support.log import Lines

NATIVE = 6
"""BRIDGE_VLAN_INFO_PVID and BRIDGE_VLAN_INFO_UNTAGGED (linux/if_bridge.h)."""

# As accelerated-bridge-cni writes them: a list that was not given is null, text and numbers are empty and 0.
GO_PLAIN: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "blue",
    "type": "accelerated-bridge",
    "ipam": {"type": "host-local"},
    "dns": {},
    "deviceID": "0000:03:02.6",
    "bridge": "br1",
    "vlan": 0,
    "runtimeConfig": {},
    "orig_vf_state": {
        "host_if_name": "ens2f0v6",
        "admin_mac": "00:00:00:00:00:00",
        "effective_mac": "52:54:00:AA:BB:CC",
        "mtu": 1500,
    },
    "orig_rep_state": {"mtu": 1500},
    "pf_name": "ens2f0",
    "actual_bridge": "br1",
    "representor": "ens2f0_6",
    "vfid": 6,
    "cont_if_names": "net1",
    "IsUserspaceDriver": False,
    "mac": "",
    "mtu": 0,
    "trunk": None,
}
GO_FULL: dict[str, Any] = {
    **GO_PLAIN,
    "bridge": "br1,br2",
    "vlan": 100,
    "setUplinkVlan": True,
    "debug": True,
    "runtimeConfig": {"mac": "CA:FE:C0:FF:EE:0A"},
    "orig_vf_state": {
        "host_if_name": "ens2f0v6",
        "admin_mac": "52:54:00:00:00:01",
        "effective_mac": "52:54:00:00:00:02",
        "mtu": 9000,
    },
    "orig_rep_state": {"mtu": 2000},
    "actual_bridge": "br2",
    "mac": "CA:FE:C0:FF:EE:0A",
    "mtu": 1400,
    "trunk": [7, 101, 102],
}
GO_USERSPACE: dict[str, Any] = {
    **GO_PLAIN,
    "orig_vf_state": {**GO_PLAIN["orig_vf_state"], "host_if_name": "", "effective_mac": "", "mtu": 0},
    "IsUserspaceDriver": True,
}


def seen(value: Any) -> Any:
    """Return an object of ours as plain values, to compare and to show."""
    if isinstance(value, BridgeConfig):
        return {name: seen(getattr(value, name)) for name in (*VfConfig.__slots__, *BridgeConfig.__slots__)}
    if isinstance(value, VfAttachment | Link | VF | RepresentorPort):
        return {name: seen(getattr(value, name)) for name in value.__slots__}
    return value


NO_WISH: dict[str, Any] = {
    **{"address": "0000:03:02.6", "mac": "", "mtu": None, "vlan": None, "spoofchk": None, "trust": None},
    **{"link_state": "", "min_tx_rate": None, "max_tx_rate": None},
    **{"bridges": ["br1"], "native": 0, "trunk": [], "on_uplink": False},
}


def go_file(folder: Path, network: str, container_id: str, ifname: str, content: Any) -> Store:
    """Put a record where accelerated-bridge-cni does and return the store."""
    folder.mkdir(exist_ok=True)
    (folder / f"{network}-{container_id}-{ifname}").write_text(json.dumps(content, ensure_ascii=False))
    return _store(folder)


def _store(folder: Path) -> Store:
    return Store(str(folder), Lines(), foreign=True, by_network=True)


def loaded(store: Store, container_id: str = "c0ffee", ifname: str = "net1", network: str = "blue") -> VfAttachment:
    """Return the recorded attachment, which is there."""
    found = store.load(container_id, ifname, network)
    assert found is not None
    return record.from_record(found)


def port_of(found: VfAttachment) -> RepresentorPort:
    """Return what a record says of the representor, which it has."""
    assert isinstance(found.beside, RepresentorPort)
    return found.beside


def _read(given: dict[str, Any]) -> VfAttachment:
    return record.from_record(_owned(given))


def test_a_plain_record_of_the_go_plugin(tmp_path: Path) -> None:
    """Whose it is the file's name says; what was not asked for, and what it does not note, is unknown."""
    found = loaded(go_file(tmp_path, "blue", "c0ffee", "net1", GO_PLAIN))
    assert (found.owner.container_id, found.owner.ifname, found.owner.network) == ("c0ffee", "net1", "blue")
    assert (found.owner.netns, found.owner.netns_cookie, found.owner.boot_id, found.is_ours) == ("", 0, "", False)
    assert (found.pf, found.index, found.master, found.address, found.name) == (
        *("ens2f0", 6, "", "0000:03:02.6", "ens2f0v6"),
    )
    assert seen(found.wanted) == NO_WISH
    assert found.table is not None
    assert (found.table.index, found.table.mac, found.table.trust, found.table.spoofchk) == (
        *(6, "00:00:00:00:00:00", None, None),
    )
    original = found.original
    assert original is not None
    assert (original.name, original.mac, original.mtu) == ("ens2f0v6", "52:54:00:aa:bb:cc", 1500)
    assert original.parent == ""
    assert (original.index, original.up, original.alias, original.altnames) == (0, False, "", [])


def test_the_representor_in_a_plain_record_of_the_go_plugin() -> None:
    """Name, MTU and bridge; it was in no bridge before, and down, as accelerated-bridge-cni leaves it."""
    port = port_of(_read(GO_PLAIN))
    assert (port.original.name, port.original.mtu, port.original.index, port.original.port, port.original.up) == (
        *("ens2f0_6", 1500, 0, "", False),
    )
    assert (port.bridge, port.bridge_index, port.pf) == ("br1", 0, "ens2f0")
    assert (port.mtu, port.exact) == (0, False), "it sets an MTU only if asked for, and leaves a default VLAN but 1"
    assert (port.master, port.original_vlans, port.vlans) == ("", {}, {})
    assert (port.uplink, port.uplink_vlans, port.state_folder) == ("", [], "/var/lib/cni/accelerated-bridge")


def test_a_full_record_of_the_go_plugin(tmp_path: Path) -> None:
    """All that was asked for, and all that it was before; the bridge is the one that was chosen."""
    found = loaded(go_file(tmp_path, "blue", "c0ffee", "net1", GO_FULL))
    assert seen(found.wanted) == NO_WISH | {
        **{"mac": "ca:fe:c0:ff:ee:0a", "mtu": 1400, "bridges": ["br1", "br2"], "native": 100},
        **{"trunk": [7, 101, 102], "on_uplink": True},
    }
    assert found.table is not None
    assert found.original is not None
    assert (found.table.mac, found.original.mac, found.original.mtu) == (
        *("52:54:00:00:00:01", "52:54:00:00:00:02", 9000),
    )
    port = port_of(found)
    assert (port.bridge, port.mtu, port.original.mtu) == ("br2", 1400, 2000)
    assert port.vlans == {7: 0, 100: NATIVE, 101: 0, 102: 0}
    assert port.uplink_vlans == [7, 100, 101, 102]


def test_a_record_of_the_go_plugin_for_a_userspace_driver() -> None:
    """No name on the host means no link; the representor is there all the same."""
    found = _read(GO_USERSPACE)
    assert (found.original, found.name, found.index, found.pf) == (None, "0000:03:02.6", 6, "ens2f0")
    assert (port_of(found).original.name, port_of(found).mtu) == ("ens2f0_6", 0)


GO_VLANS: dict[str, tuple[dict[str, Any], dict[int, int], list[int]]] = {
    "vlan": ({"vlan": 100}, {100: NATIVE}, []),
    "trunk": ({"trunk": [7, 8]}, {7: 0, 8: 0}, []),
    "empty trunk": ({"trunk": []}, {}, []),
    "vlan in the trunk": ({"vlan": 7, "trunk": [7, 8]}, {7: NATIVE, 8: 0}, []),
    "out of order, twice": ({"trunk": [9, 7, 9], "setUplinkVlan": True}, {7: 0, 9: 0}, [7, 9]),
    "setUplinkVlan": ({"vlan": 100, "trunk": [7], "setUplinkVlan": True}, {7: 0, 100: NATIVE}, [7, 100]),
    "setUplinkVlan without VLANs": ({"setUplinkVlan": True}, {}, []),
    "no setUplinkVlan": ({"vlan": 100, "setUplinkVlan": False}, {100: NATIVE}, []),
    "as in the configuration": ({"trunk": [{"id": 9}, {"minID": 6, "maxID": 7}]}, {6: 0, 7: 0, 9: 0}, []),
    "both in one": ({"trunk": [{"id": 9, "minID": 6, "maxID": 7}, {"id": 7}]}, {6: 0, 7: 0, 9: 0}, []),
    "half a range": ({"trunk": [{"minID": 6}, {"maxID": 7}, {}]}, {}, []),
    "0 for none": ({"trunk": [{"id": 9, "minID": 0, "maxID": 7}, {"id": 0}]}, {9: 0}, []),
    "under another name": (
        {"trunk": [{"id": 9}], "trunk_vlan_list": [9], "setUplinkVlan": True},
        {9: 0},
        [9],
    ),
    "null under both names": ({"trunk": None, "trunk_vlan_list": None}, {}, []),
    "null": ({"vlan": None, "trunk": None, "setUplinkVlan": None, "mac": None, "mtu": None}, {}, []),
}


@pytest.mark.parametrize(("given", "vlans", "uplink_vlans"), GO_VLANS.values(), ids=GO_VLANS)
def test_vlans_of_the_go_plugin(given: dict[str, Any], vlans: dict[int, int], uplink_vlans: list[int]) -> None:
    """What the port has, and what was brought to the uplink: with setUplinkVlan that is all."""
    port = port_of(_read(GO_PLAIN | given))
    assert (port.vlans, port.uplink_vlans) == (vlans, uplink_vlans)


@pytest.mark.parametrize("given", [{"orig_rep_state": None}, {"orig_rep_state": {}}, {"orig_rep_state": {"mtu": None}}])
def test_a_representor_whose_mtu_is_not_known(given: dict[str, Any]) -> None:
    """Its MTU stays then."""
    assert port_of(_read(GO_PLAIN | given)).original.mtu == 0


def test_a_record_without_a_representor() -> None:
    """An ADD that ended before it knew one has nothing to put back."""
    assert _read(GO_PLAIN | {"representor": ""}).beside is None


@pytest.mark.parametrize("name", ["größe0", "網路0", "éth0"])
def test_names_of_the_go_plugin_are_utf_8(tmp_path: Path, name: str) -> None:
    """Go writes a name that is UTF-8 as it is."""
    written = GO_PLAIN | {"pf_name": name, "representor": f"{name}r", "actual_bridge": f"{name}b", "name": name}
    found = loaded(go_file(tmp_path, name, "c0ffee", "net1", written), network=name)
    assert (found.pf, found.owner.network) == (name, name)
    assert (port_of(found).original.name, port_of(found).bridge) == (f"{name}r", f"{name}b")


def conf(**members: Any) -> Section:
    """Return a network configuration."""
    return Section({"cniVersion": "1.0.0", "name": "blue", "type": "accelerated-bridge", **members})


def attachment(**other: Any) -> VfAttachment:
    """Return an attachment of ours that asks for nothing.

    other: attributes that differ; `wanted`, `port` and `rep` are those of what was asked for, of the port, and of the
    representor as it was.
    """
    original = Link(7, "ens2f0v6")
    original.mac, original.mtu, original.up, original.alias = "52:54:00:aa:bb:cc", 1500, True, "an alias"
    original.altnames, original.parent = ["enp3s2v6", "a-name-longer-than-fifteen-bytes"], "0000:03:02.6"
    original.permanent_mac, original.port = "52:54:00:aa:bb:cd", "p0"
    table = VF(6)
    table.mac = "00:00:00:00:00:00"
    wanted = BridgeConfig("0000:03:02.6")
    wanted.bridges = ["br1"]
    for name, value in other.pop("wanted", {}).items():
        setattr(wanted, name, value)
    rep = Link(9, "ens2f0_6")
    rep.mtu, rep.port = 1500, "pf0vf6"
    for name, value in other.pop("rep", {}).items():
        setattr(rep, name, value)
    port = RepresentorPort(rep, "br1", wanted.vlans(), wanted.mtu or 1500, "ens2f0", record.STATE_FOLDER)
    port.vf, port.bridge_index = wanted.address, 12
    for name, value in other.pop("port", {}).items():
        setattr(port, name, value)
    owner = Owner("c0ffee", "net1", "blue", "/run/netns/pod1", 4711, "5b3c7e0f")
    made = VfAttachment(owner, original, wanted, "ens2f0", 6, table)
    made.master = "br0"
    made.beside = port
    for name, value in other.items():
        setattr(owner if name in Owner.__slots__ else made, name, value)
    port.vf_index = made.index
    return made


def table(**given: Any) -> VF:
    """Return an entry of the PF's table."""
    entry = VF(6)
    for name, value in given.items():
        setattr(entry, name, value)
    return entry


FULL_WISH: dict[str, Any] = {
    **{"mac": "ca:fe:c0:ff:ee:0a", "mtu": 1400, "spoofchk": False, "trust": True},
    **{"bridges": ["br1", "br2"], "native": 100, "trunk": [7, 101, 102], "on_uplink": True},
}
FULL: dict[str, Any] = {
    "wanted": FULL_WISH,
    "rep": {"mtu": 2000, "up": True},
    "port": {
        **{"bridge": "br2", "master": "br0", "original_vlans": {1: NATIVE, 7: 0, 4094: 4}},
        **{"uplink": "bond0", "uplink_vlans": [7, 102]},
    },
    "table": table(mac="52:54:00:00:00:01", trust=False, spoofchk=True),
}

ALWAYS: dict[str, type] = {
    **{"cniVersion": str, "name": str, "type": str, "ipam": dict, "deviceID": str, "bridge": str, "vlan": int},
    **{"trunk": list, "setUplinkVlan": bool, "debug": bool, "mac": str, "mtu": int, "pf_name": str, "vfid": int},
    **{"actual_bridge": str, "representor": str, "cont_if_names": str, "IsUserspaceDriver": bool},
    **{"orig_vf_state": dict, "orig_rep_state": dict},
}
STATE_TYPES = {"host_if_name": str, "admin_mac": str, "effective_mac": str, "mtu": int}
OUR_TYPES = {
    **{"index": int, "port": str, "up": bool, "master": str, "vlans": dict, "bridgeIndex": int},
    **{"uplink": str, "uplinkIndex": int, "uplinkVlans": list},
}


def written(made: VfAttachment, network: Section | None = None) -> dict[str, Any]:
    """Return the record as a reader of its JSON sees it."""
    return dict(json.loads(json.dumps(record.to_record(made, network or conf()))))


def types(given: dict[str, Any]) -> dict[str, type]:
    """Return the type of each member."""
    return {key: type(value) for key, value in given.items()}


@pytest.mark.parametrize(
    "other",
    [{}, FULL, {"original": None}, {"table": None}, {"wanted": {"trunk": [7]}}],
    ids=["nothing asked", "everything asked", "userspace driver", "no table", "trunk"],
)
def test_types_in_our_record(other: dict[str, Any]) -> None:
    """Every field of accelerated-bridge-cni is there, with the type that Go's decoder insists on."""
    ours = written(attachment(**copy.deepcopy(other)), conf(ipam={"type": "host-local"}))
    assert types(ours).items() >= ALWAYS.items()
    assert types(ours["orig_vf_state"]) == STATE_TYPES
    assert types(ours["orig_rep_state"]) == {"mtu": int}
    assert all(type(vlan) is int for vlan in ours["trunk"])
    assert types(ours[OURS]["representor"]) == OUR_TYPES
    assert set(ours) - set(ALWAYS) <= {OURS, "spoofchk", "trust"}


def test_our_record_when_everything_is_asked() -> None:
    """The values are those that accelerated-bridge-cni would have written."""
    network = conf(ipam={"type": "host-local"}, runtimeConfig={"mac": "CA:FE:C0:FF:EE:0A"}, debug=True)
    ours = written(attachment(**copy.deepcopy(FULL)), network)
    expected = GO_FULL | {"mac": "ca:fe:c0:ff:ee:0a", "spoofchk": "off", "trust": "on"}
    expected["orig_vf_state"] = GO_FULL["orig_vf_state"] | {"effective_mac": "52:54:00:aa:bb:cc", "mtu": 1500}
    del expected["dns"], ours[OURS]
    assert ours == expected


def test_our_record_when_nothing_is_asked() -> None:
    """Empty and 0, as accelerated-bridge-cni writes what it was not asked for."""
    ours = written(attachment(), conf(ipam={"type": "host-local"}))
    expected = GO_PLAIN | {"trunk": [], "setUplinkVlan": False, "debug": False}
    expected["orig_vf_state"] = GO_PLAIN["orig_vf_state"] | {"effective_mac": "52:54:00:aa:bb:cc"}
    del expected["dns"], expected["runtimeConfig"], ours[OURS]
    assert ours == expected


def test_our_record_for_a_userspace_driver() -> None:
    """The link's name is empty, and it is said."""
    ours = written(attachment(original=None))
    assert ours["IsUserspaceDriver"] is True
    assert ours["orig_vf_state"] == {
        **{"host_if_name": "", "admin_mac": "00:00:00:00:00:00", "effective_mac": "", "mtu": 0},
    }


def test_members_of_the_configuration() -> None:
    """Those that both plugins know are kept, of `ipam` and `runtimeConfig` what both know; others are not."""
    network = conf(
        logLevel="debug",
        logFile="/var/log/x",
        ipam={"type": "host-local", "subnet": "192.168.30.0/24"},
        runtimeConfig={"mac": "02:00:00:00:00:01", "CNIDeviceInfoFile": "/x", "deviceID": "0000:03:02.6"},
        prevResult={},
        somethingElse=1,
    )
    ours = written(attachment(), network)
    assert (ours["logLevel"], ours["logFile"], ours["ipam"]) == ("debug", "/var/log/x", {"type": "host-local"})
    assert ours["runtimeConfig"] == {"mac": "02:00:00:00:00:01", "deviceID": "0000:03:02.6"}
    assert {"prevResult", "somethingElse"}.isdisjoint(ours)


def test_a_record_with_every_vlan_can_be_read_again(tmp_path: Path) -> None:
    """4094 VLANs, asked for, brought and there before, are the longest record that a configuration makes."""
    every = list(range(1, 4095))
    made = attachment(
        wanted={"trunk": every, "on_uplink": True},
        port={"original_vlans": dict.fromkeys(every, 4), "uplink_vlans": every},
    )
    store = _store(tmp_path / "state")
    store.save("c0ffee", "net1", record.to_record(made, conf()), "blue")
    assert seen(loaded(store)) == seen(made)


ODD = "eth\udcff\udc80"
"""A name that is not UTF-8."""


def _link(**other: Any) -> Link:
    """Return the VF's link with attributes that differ."""
    link = attachment().original
    assert link is not None
    for name, value in other.items():
        setattr(link, name, value)
    return link


ROUND_TRIPS: dict[str, dict[str, Any]] = {
    "nothing asked": {},
    "everything asked": FULL,
    "a userspace driver": {"original": None, "master": "", "port": {"mtu": 0}},
    "VF 0": {"index": 0},
    "VF 255": {"index": 255},
    "the link of a vDPA device": {"original": _link(name="eth5", parent="virtio1", port="")},
    "vlan in the trunk": {"wanted": {"native": 7, "trunk": [7, 8]}},
    "vlan 4094": {"wanted": {"native": 4094}},
    "switches on": {"wanted": {"trust": True, "spoofchk": True}, "table": table(mac="", trust=True, spoofchk=True)},
    "switches off": {
        "wanted": {"trust": False, "spoofchk": False},
        "table": table(mac="", trust=False, spoofchk=False),
    },
    "one switch known": {"table": table(mac="", spoofchk=False)},
    "VLANs of the administrator": {"wanted": {"native": 7, "on_uplink": True}, "port": {"uplink": "bond0"}},
    "a representor in its bridge already": {"port": {"master": "br1", "original_vlans": {1: NATIVE, 9: 4, 10: 2}}},
    "a representor that was up": {"rep": {"up": True}},
    "a port without a name": {"rep": {"port": ""}},
    "hyphens": {"container_id": "a-b-c", "network": "blue-net-30"},
    "no namespace cookie": {"netns_cookie": 0},
    "the largest cookie": {"netns_cookie": (1 << 64) - 1},
    "an InfiniBand address": {"original": _link(mac=bytes(range(20)).hex(":"))},
    "names that are UTF-8": {
        **{"pf": "größe0", "master": "網橋", "original": _link(name="größe0v6", alias="Größe €", altnames=["é"])},
        **{"rep": {"name": "größe0r"}, "wanted": {"bridges": ["網橋", "é"]}},
        "port": {"pf": "größe0", "bridge": "網橋", "master": "é", "uplink": "größe0"},
    },
    "a VF's names that are not UTF-8": {"original": _link(name=ODD, alias=f"a {ODD} €", altnames=["plain", ODD])},
    "a PF that is not UTF-8": {"pf": ODD, "port": {"pf": ODD}},
    "a master that is not UTF-8": {"master": ODD},
    "a namespace that is not UTF-8": {"netns": f"/run/netns/{ODD}"},
    "a representor that is not UTF-8": {"rep": {"name": ODD}},
    "bridges that are not UTF-8": {
        **{"wanted": {"bridges": ["br1", ODD]}, "port": {"bridge": ODD, "master": ODD, "uplink": ODD}},
    },
    "names that are latin-1": {"rep": {"name": "gr\udcf6\udcdfe"}, "port": {"bridge": "\udce9"}},
    "a mark of no character": {"rep": {"name": "\ufffd"}, "port": {"master": "\ufffd\udcff"}},
}


@pytest.mark.parametrize("other", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_round_trip(tmp_path: Path, other: dict[str, Any]) -> None:
    """What is written and read is what it was, through a file, asked for by its owner and in a list."""
    made = attachment(**copy.deepcopy(other))
    if made.table is not None:
        made.table.index = made.index
    store = _store(tmp_path / "state")
    network = conf(name=made.owner.network)
    store.save(made.owner.container_id, made.owner.ifname, record.to_record(made, network), made.owner.network)
    assert seen(loaded(store, made.owner.container_id, made.owner.ifname, made.owner.network)) == seen(made)
    assert [seen(record.from_record(entry)) for entry in store.all()] == [seen(made)]


def test_where_things_are(tmp_path: Path) -> None:
    """A recorded port looks where the plugin looks that it was loaded by."""

    class Elsewhere(AcceleratedBridge):
        state_folder = str(tmp_path / "state")

    go_file(tmp_path / "state", "blue", "c0ffee", "net1", GO_PLAIN)
    (found,) = Records(Elsewhere(str(tmp_path / "sys")), Lines()).all()
    assert isinstance(found, VfAttachment)
    port = port_of(found)
    assert (port.state_folder, port.sysfs_root) == (str(tmp_path / "state"), str(tmp_path / "sys"))


def test_the_go_plugin_sees_names_as_they_are() -> None:
    """It looks links up by the names in the record: one that is UTF-8 is written as it is."""
    ours = written(attachment(pf="größe0", rep={"name": "größe0r"}, port={"bridge": "brücke"}))
    assert (ours["pf_name"], ours["representor"], ours["actual_bridge"]) == ("größe0", "größe0r", "brücke")


def test_our_record_without_our_part() -> None:
    """A record of ours that accelerated-bridge-cni has read and written is one of its own: all that it knows is there.

    What was the administrator's on the uplink is not known any more then.
    """
    ours = written(attachment(**copy.deepcopy(FULL)))
    del ours[OURS], ours["trust"], ours["spoofchk"]
    found, made = _read(ours), attachment(**copy.deepcopy(FULL))
    assert found.is_ours is False
    assert seen(found.wanted) == seen(made.wanted) | {"trust": None, "spoofchk": None}
    port = port_of(found)
    assert (port.bridge, port.vlans, port.mtu, port.pf) == ("br2", {7: 0, 100: NATIVE, 101: 0, 102: 0}, 1400, "ens2f0")
    assert (port.original.name, port.original.mtu, port.uplink) == ("ens2f0_6", 2000, "")
    assert port.uplink_vlans == [7, 100, 101, 102]


def _owned(given: dict[str, Any]) -> dict[str, Any]:
    """Return a record as the store gives it out, a copy of its own."""
    return copy.deepcopy({"containerID": "c0ffee", "ifName": "net1", **given})


def _with(given: dict[str, Any], where: str, value: Any) -> dict[str, Any]:
    """Return a record with one member that is another."""
    changed = _owned(given)
    section = changed
    *path, key = where.split(".")
    for part in path:
        section = section.setdefault(part, {})
    section[key] = value
    return changed


NO_TEXT: list[Any] = [5, True, 1.5, ["x"], {"a": "b"}, "a\0b"]
NO_NUMBER: list[Any] = ["5", True, 5.5, [5], {}]
NO_VLANS: list[Any] = [
    7,
    "7",
    {"7": 0},
    True,
    ["7"],
    [True],
    [7.0],
    [None],
    [[7]],
    [{"id": "7"}],
    [{"id": 4096}],
    [{"minID": 7, "maxID": -1}],
    [7, {"id": 8}],
    [-1],
    [4096],
    [1 << 70],
]
REP = "plumbline.representor"

INDEXES = (f"{REP}.index", f"{REP}.bridgeIndex", f"{REP}.uplinkIndex")
MISTYPED: dict[str, list[Any]] = {
    "deviceID": [None, "", 5, ["0000:03:02.6"], {}, "..", "eth0", "0000:03:02.6/..", "03:02.6", "0000:03:02.6\n"],
    "orig_vf_state": [None, "", 5, [], True],
    **{key: NO_TEXT for key in ("mac", "name", "trust", "spoofchk")},
    **{key: [*NO_TEXT, "../x", ".."] for key in ("bridge", "pf_name", "actual_bridge", "representor")},
    **{f"orig_vf_state.{key}": NO_TEXT for key in ("host_if_name", "admin_mac", "effective_mac")},
    **{key: [*NO_NUMBER, -1] for key in ("vlan", "mtu", "vfid")},
    "trunk": NO_VLANS,
    "trunk_vlan_list": NO_VLANS,
    "setUplinkVlan": [1, 0, "true", [], {}],
    "orig_vf_state.mtu": [*NO_NUMBER, -1, 1 << 32],
    "orig_rep_state": ["", 5, [], True],
    "orig_rep_state.mtu": [*NO_NUMBER, -1, 1 << 32],
    "plumbline": [5, [], "x", True],
    **{f"plumbline.{key}": NO_TEXT for key in ("netns", "bootID", "master", "alias", "parent", "port")},
    "plumbline.netnsCookie": ["5", True],
    "plumbline.table": [5, [], "x"],
    "plumbline.table.trust": [1, "on", []],
    "plumbline.table.spoofchk": [0, "off", {}],
    REP: [5, [], "x", True],
    **{f"{REP}.{key}": [*NO_TEXT, "../x"] for key in ("port", "master", "uplink")},
    **{key: [*NO_NUMBER, -1, 1 << 40] for key in (*INDEXES, "plumbline.index")},
    f"{REP}.up": [1, "true", []],
    f"{REP}.vlans": [
        *(5, "x", [7], True, {"7": "6"}, {"7": True}, {"7": None, "8": []}, {"7": -1}, {"7": 1 << 16}),
        *({"x": 0}, {"-1": 0}, {"4095": 0}, {"99999": 0}, {"9" * 5000: 0}),
    ],
    f"{REP}.uplinkVlans": NO_VLANS,
}

WORTHLESS: dict[str, list[Any]] = {
    "vlan": [4096, 1 << 40],
    "vfid": [1 << 32],
    "mtu": [1 << 32],
    "orig_vf_state.admin_mac": ["garbage", "52:54:00:00:00:0g", "52:54"],
    "orig_vf_state.effective_mac": ["garbage", "52-54-00-00-00-01"],
}
"""Of the right type, but nothing that could be given to the kernel."""


def _cases(table: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(key, value, id=f"{key} {json.dumps(value)[:40]}")
        for key, values in table.items()
        for value in values
    ]


@pytest.mark.parametrize(("where", "value"), [*_cases(MISTYPED), *_cases(WORTHLESS)])
def test_garbage_is_refused(where: str, value: Any) -> None:
    """A record that says nonsense is no record: what it says never gets as far as a message to the kernel."""
    ours = written(attachment(**copy.deepcopy(FULL)))
    with pytest.raises(CniError):
        record.from_record(_with(ours, where, value))


@pytest.mark.parametrize(("where", "value"), [case for case in _cases(MISTYPED) if not case.values[0].startswith("pl")])
def test_garbage_of_the_go_plugin_is_refused(where: str, value: Any) -> None:
    """So is a record of accelerated-bridge-cni's."""
    with pytest.raises(CniError):
        record.from_record(_with(GO_FULL, where, value))


def test_nothing_but_an_owner_is_refused() -> None:
    """An object without a VF in it."""
    with pytest.raises(CniError, match="which VF"):
        record.from_record({"containerID": "c0ffee", "ifName": "net1"})
