"""Records of attachments."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from cni.attach.state import Store
from cni.protocol.errors import GENERIC, INVALID_CONFIG, IO_FAILURE, CniError
from cni.protocol.limits import FILE_BYTES
from tests.support.log import Lines


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store whose folder does not exist yet."""
    return Store(str(tmp_path / "state"), Lines())


def test_save_and_load(store: Store) -> None:
    """A record comes back with its owner in it; the file is the owner's alone."""
    store.save("c0ffee", "net1", {"key": "x", "original": {"mtu": 1500}})
    assert store.load("c0ffee", "net1") == {
        **{"containerID": "c0ffee", "ifName": "net1", "key": "x"},
        "original": {"mtu": 1500},
    }
    path = os.path.join(store.folder, "c0ffee-net1")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(store.folder).st_mode) == 0o700
    assert json.loads(Path(path).read_text())["key"] == "x"


def test_overwrite(store: Store) -> None:
    """A second save replaces the first."""
    store.save("c0ffee", "net1", {"key": "a long value that leaves nothing behind"})
    store.save("c0ffee", "net1", {"key": "x"})
    assert store.load("c0ffee", "net1") == {"containerID": "c0ffee", "ifName": "net1", "key": "x"}
    assert os.listdir(store.folder) == ["c0ffee-net1"]


def test_remove(store: Store) -> None:
    """A record goes once; that it is gone is no error."""
    store.save("c0ffee", "net1", {})
    store.remove("c0ffee", "net1")
    store.remove("c0ffee", "net1")
    assert store.load("c0ffee", "net1") is None
    assert os.listdir(store.folder) == []


def test_remove_takes_an_unfinished_record(store: Store) -> None:
    """What an ADD that was killed while it wrote has left goes too."""
    os.makedirs(store.folder)
    path = os.path.join(store.folder, ".tmp-c0ffee-net1")
    Path(path).touch()
    assert store.all() == []
    store.remove("c0ffee", "net1")
    assert os.listdir(store.folder) == []


def test_nothing_there(store: Store) -> None:
    """Neither load, all nor remove makes the folder."""
    assert store.load("c0ffee", "net1") is None
    assert store.all() == []
    store.remove("c0ffee", "net1")
    assert not os.path.exists(store.folder)


def test_two_attachments_with_one_name(store: Store) -> None:
    """Container a-b with c and container a with b-c have one file name: the second is refused, not mistaken."""
    store.save("a-b", "c", {})
    with pytest.raises(CniError, match="it belongs to interface c of a-b") as caught:
        store.load("a", "b-c")
    assert caught.value.code == GENERIC


DAMAGE = {
    "empty": b"",
    "truncated": b'{"containerID":"c0ffee","ifNa',
    "zeros": bytes(100),
    "not UTF-8": b'{"containerID":"\xff","ifName":"net1"}',
    "no object": b'["c0ffee"]',
    "no owner": b'{"key":"x"}',
    "owner of another type": b'{"containerID":1,"ifName":"net1"}',
    "deeply nested": b"[" * 100_000,
}


@pytest.mark.parametrize("data", DAMAGE.values(), ids=DAMAGE)
def test_damaged_records(tmp_path: Path, data: bytes) -> None:
    """Garbage counts as absent, and is said with the file's path; the others are read all the same."""
    log = Lines()
    store = Store(str(tmp_path), log)
    store.save("other", "net1", {})
    (tmp_path / "c0ffee-net1").write_bytes(data)
    assert store.load("c0ffee", "net1") is None
    assert [record["containerID"] for record in store.all()] == ["other"]
    assert f"record {tmp_path}/c0ffee-net1" in log.text("warning")


def test_a_folder_in_place_of_a_record(store: Store) -> None:
    """What cannot be read is an error, not an absence."""
    os.makedirs(os.path.join(store.folder, "c0ffee-net1"))
    with pytest.raises(CniError) as caught:
        store.load("c0ffee", "net1")
    assert caught.value.code == IO_FAILURE
    assert store.all() == []


def test_all(store: Store) -> None:
    """Every record, in a fixed order; folders beside them are passed over."""
    for name in ("b", "a", "c"):
        store.save(name, "net1", {})
    os.mkdir(os.path.join(store.folder, "lock"))
    assert [record["containerID"] for record in store.all()] == ["a", "b", "c"]


def test_all_that_mention_something(tmp_path: Path) -> None:
    """In capital letters or small ones, wherever in the record; one that is damaged is told when it is asked for."""
    log = Lines()
    store = Store(str(tmp_path), log)
    store.save("a", "net1", {"deviceID": "0000:0A:10.0"})
    store.save("b", "net1", {"deviceID": "0000:0a:10.1"})
    store.save("c", "net1", {"runtimeConfig": {"deviceID": "0000:0a:10.0"}})
    with open(f"{store.folder}/d-net1", "w") as file:
        file.write('{"deviceID": "0000:0a:10.1')
    found = store.all(mentioning="0000:0A:10.0")
    assert [record["containerID"] for record in found] == ["a", "c"]
    assert store.all(mentioning="0000:0b:10.0") == []
    assert log.text("warning") == ""
    assert [record["containerID"] for record in store.all(mentioning="0000:0a:10.1")] == ["b"]
    assert "d-net1 is damaged" in log.text("warning")


def test_a_record_that_nobody_could_read_again(store: Store) -> None:
    """A configuration that grows beyond what is read is refused before anything is changed (code 7)."""
    with pytest.raises(CniError) as caught:
        store.save("c0ffee", "net1", {"key": "é" * 200_000})
    assert caught.value.code == INVALID_CONFIG
    assert os.listdir(store.folder) == []


def test_one_file_that_cannot_be_read(store: Store) -> None:
    """The others' records are found nevertheless."""
    store.save("a", "net1", {"key": "x"})
    Path(store.folder, "b-net1").write_bytes(b"x" * (FILE_BYTES + 1))
    assert [record["containerID"] for record in store.all()] == ["a"]


def test_records_of_others(tmp_path: Path) -> None:
    """A record without an owner is believed where that is asked for; its file's name says whose it is."""
    Path(tmp_path, "c0-ffee-net1").write_text('{"deviceID": "x"}')
    assert Store(str(tmp_path), Lines()).all() == []
    foreign = Store(str(tmp_path), Lines(), foreign=True)
    assert [(x["containerID"], x["ifName"]) for x in foreign.all()] == [("c0-ffee", "net1")]
    found = foreign.load("c0", "ffee-net1")
    assert found is not None
    assert found["ifName"] == "ffee-net1"


@pytest.fixture
def networks(tmp_path: Path) -> Store:
    """A store whose files are named after the network, too, with a lock beside them."""
    return Store(str(tmp_path), Lines(), foreign=True, by_network=True, others=("vlan-uplink.lock",))


def _owners(store: Store) -> list[tuple[object, object, object]]:
    return [(record.get("name"), record["containerID"], record["ifName"]) for record in store.all()]


def test_records_by_network(networks: Store) -> None:
    """The network's name comes first in the file's; the same attachment of another network is another one."""
    for network in ("blue", "red"):
        networks.save("c0ffee", "net1", {"name": network, "key": network}, network)
    assert sorted(os.listdir(networks.folder)) == ["blue-c0ffee-net1", "red-c0ffee-net1"]
    for network in ("blue", "red"):
        assert networks.load("c0ffee", "net1", network) == {
            **{"containerID": "c0ffee", "ifName": "net1", "name": network, "key": network},
        }
    assert networks.load("c0ffee", "net1", "green") is None
    assert networks.load("c0ffee", "net1") is None
    assert _owners(networks) == [("blue", "c0ffee", "net1"), ("red", "c0ffee", "net1")]
    networks.remove("c0ffee", "net1", "green")
    networks.remove("c0ffee", "net1", "blue")
    assert os.listdir(networks.folder) == ["red-c0ffee-net1"]


def test_unfinished_records_by_network(networks: Store) -> None:
    """What a killed ADD left of one network's attachment goes with that, not with another's."""
    for network in ("blue", "red"):
        Path(networks.folder, f".tmp-{network}-c0ffee-net1").touch()
    assert networks.all() == []
    networks.remove("c0ffee", "net1", "blue")
    assert os.listdir(networks.folder) == [".tmp-red-c0ffee-net1"]


def test_when_a_record_was_written(networks: Store) -> None:
    """It is the time of that network's file; a record that is not there was never written."""
    networks.save("c0ffee", "net1", {}, "blue")
    os.utime(Path(networks.folder, "blue-c0ffee-net1"), ns=(1, 4711))
    assert networks.written_ns("c0ffee", "net1", "blue") == 4711
    assert networks.written_ns("c0ffee", "net1", "red") == 0
    assert networks.written_ns("c0ffee", "net1") == 0


def test_the_network_counts_only_where_files_have_it(store: Store) -> None:
    """Where files are not named after the network, it does not matter."""
    store.save("c0ffee", "net1", {}, "blue")
    assert os.listdir(store.folder) == ["c0ffee-net1"]
    assert store.load("c0ffee", "net1", "red") is not None
    assert store.written_ns("c0ffee", "net1", "red") > 0
    store.remove("c0ffee", "net1", "red")
    assert os.listdir(store.folder) == []


WHOSE: dict[str, tuple[str, str, str, tuple[str, str]]] = {
    "plain": ("blue", "c0ffee", "net1", ("c0ffee", "net1")),
    "network with hyphens": ("sriov-vdpa-30", "c0ffee", "net1", ("c0ffee", "net1")),
    "ID with hyphens": ("blue", "c0-ff-ee", "net1", ("c0-ff-ee", "net1")),
    "both": ("sriov-vdpa30", "c0-ff-ee", "net1", ("c0-ff-ee", "net1")),
    "interface with a hyphen": ("blue", "c0ffee", "net-1", ("c0ffee-net", "1")),
    "ID that begins as the network": ("blue", "blue-c0ffee", "net1", ("blue-c0ffee", "net1")),
    "network beyond ASCII": ("größe", "c0ffee", "net1", ("c0ffee", "net1")),
}


@pytest.mark.parametrize(("network", "container_id", "ifname", "told"), WHOSE.values(), ids=WHOSE)
def test_whose_a_record_of_others_is(
    networks: Store, network: str, container_id: str, ifname: str, told: tuple[str, str]
) -> None:
    """In a list the network in the record tells where in the file's name the ID begins; asked for by its owner, it is
    the owner's. What a list tells finds the file again.
    """
    Path(networks.folder, f"{network}-{container_id}-{ifname}").write_text(json.dumps({"name": network}))
    found = networks.load(container_id, ifname, network)
    assert found is not None
    assert (found["containerID"], found["ifName"]) == (container_id, ifname)
    assert _owners(networks) == [(network, *told)]
    networks.remove(*told, network)
    assert os.listdir(networks.folder) == []


def test_our_records_by_network_say_whose_they_are(networks: Store) -> None:
    """A record with an owner in it is that one's, whatever the file is called."""
    networks.save("a-b", "c", {"name": "x"}, "x")
    with pytest.raises(CniError, match="it belongs to interface c of a-b") as caught:
        networks.load("b", "c", "x-a")
    assert caught.value.code == GENERIC


def test_other_files(networks: Store) -> None:
    """Files that are no records are passed over without a word; their names are known by heart, not by likeness."""
    log = Lines()
    store = Store(networks.folder, log, foreign=True, by_network=True, others=("vlan-uplink.lock", "x"))
    store.save("c0ffee", "net1", {"name": "blue"}, "blue")
    Path(store.folder, "vlan-uplink.lock").touch()
    Path(store.folder, "x").write_text('{"name": "x"}')
    assert _owners(store) == [("blue", "c0ffee", "net1")]
    assert log.lines == []
    Path(store.folder, "vlan-uplink.lock2").touch()
    assert _owners(store) == [("blue", "c0ffee", "net1")]
    assert f"record {store.folder}/vlan-uplink.lock2 is damaged" in log.text("warning")


def test_damaged_records_by_network(networks: Store) -> None:
    """A file without a network in it, or with one of another type, is nobody's trouble but its own."""
    networks.save("c0ffee", "net1", {"name": "blue"}, "blue")
    for number, text in enumerate(("{}", '{"name": 5}', '{"name": null}', "[]", '{"name": "bl')):
        Path(networks.folder, f"x{number}-c-net1").write_text(text)
    assert ("blue", "c0ffee", "net1") in _owners(networks)


@pytest.mark.parametrize(("container", "network", "fits"), [(234, 0, True), (235, 0, False), (128, 105, True),
                                                            (128, 106, False), (64, 253, False)])  # fmt: skip
def test_names_that_are_too_long(tmp_path: Path, container: int, network: int, fits: bool) -> None:
    """A file's name has 255 bytes at most, the temporary file's included; an attachment that has none has no record."""
    store = Store(str(tmp_path / "state"), Lines(), by_network=bool(network))
    names = ("c" * container, "i" * 15, "n" * network)
    if fits:
        store.save(names[0], names[1], {}, names[2])
        assert store.load(*names) is not None
    else:
        with pytest.raises(CniError, match=r"the names are too long.*255") as caught:
            store.save(names[0], names[1], {}, names[2])
        assert caught.value.code == INVALID_CONFIG
        assert not os.path.exists(store.folder)
        assert store.load(*names) is None
        assert store.has(*names) is False
        store.remove(*names)
