"""Which attachment is meant, and with which configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cni.protocol.limits import CONFIG_BYTES
from plumbline.errors import Status, VerbError
from plumbline.network import gojson, known
from plumbline.network.attachment import Attachment, derived_id
from plumbline.network.cache import Cache, Cached
from plumbline.verbs import changes

POD = "/run/netns/nobody"
CONF = b'{"name": "blue", "cniVersion": "1.0.0", "plugins": [{"type": "sriov"}]}'


def written(folder: Path, container_id: str, **members: Any) -> Cached:
    """Write a file of libcni's, and return what it says."""
    whole = {"kind": "cniCacheV1", "containerId": container_id, "ifName": "net1", "networkName": "blue", **members}
    path = folder / "results" / f"blue-{container_id}-net1"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(whole))
    found = Cache(str(folder)).load("blue", Attachment(container_id, "", "net1"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("container_id", "members", "asked"),
    [
        ("c0ffee", {"netns": POD}, Attachment("", POD, "net1")),
        ("c0ffee", {"netns": "/var/run/netns/nobody"}, Attachment("", POD, "net1")),
        ("c0ffee", {}, Attachment("c0ffee", POD, "net1")),
        (derived_id(POD), {}, Attachment("", POD, "net1")),
        (derived_id("/var/run/netns/nobody"), {}, Attachment("", POD, "net1")),
        (derived_id(POD), {"kind": None, "cniVersion": "1.0.0"}, Attachment("", POD, "net1")),  # before libcni 0.8
    ],
)
def test_found(container_id: str, members: dict[str, Any], asked: Attachment, tmp_path: Path) -> None:
    """By its ID, by its namespace, or by the ID that cnitool makes of the namespace's path."""
    written(tmp_path, container_id, **members)
    found = known.find("blue", asked, Cache(str(tmp_path)))
    assert found is not None
    assert found.attachment.container_id == container_id


@pytest.mark.parametrize(
    "members", [{"ifName": "net2"}, {"networkName": "red"}, {"netns": "/run/netns/somebody"}, {"kind": "cniCacheV9"}]
)
def test_not_found(members: dict[str, Any], tmp_path: Path) -> None:
    """Another interface, network or namespace is another attachment."""
    path = tmp_path / "results" / "file"
    path.parent.mkdir()
    whole = {"kind": "cniCacheV1", "containerId": "c0ffee", "ifName": "net1", "networkName": "blue", "netns": POD}
    path.write_text(json.dumps({**whole, **members}))
    assert known.find("blue", Attachment("", POD, "net1"), Cache(str(tmp_path))) is None


def test_several(tmp_path: Path) -> None:
    """It has to be said which one is meant."""
    written(tmp_path, "first", netns=POD)
    written(tmp_path, "second", netns=POD)
    with pytest.raises(VerbError) as e:
        known.find("blue", Attachment("", POD, "net1"), Cache(str(tmp_path)))
    assert e.value.status is Status.USAGE
    assert "first, second" in e.value.message


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kind": "cniCacheV1", "config": "?", "cniArgs": [1, ["a"]]}'])
def test_what_is_no_cache(text: str, tmp_path: Path) -> None:
    """Other programs write there, too: what makes no sense is as absent, or is without what makes none."""
    path = tmp_path / "results" / "blue-c0ffee-net1"
    path.parent.mkdir()
    path.write_text(text)
    found = Cache(str(tmp_path)).load("blue", Attachment("c0ffee", "", "net1"))
    assert found is None or (found.config, found.attachment.args, found.result) == (b"", (), None)


def test_the_configuration_of_add_counts(tmp_path: Path) -> None:
    """It is said that the folder has another one; where none is cached, or it makes no sense, the folder's is used."""
    attachment = Attachment("c0ffee", POD, "net1")
    (tmp_path / "10.conflist").write_bytes(CONF)
    for config, kind, has_changed in (
        (CONF, "sriov", False),
        (CONF.replace(b"sriov", b"macvlan"), "macvlan", True),
        (b"", "sriov", False),
        (b"{", "sriov", False),
    ):
        conf, changed = known.configuration_of("blue", str(tmp_path), Cached("blue", attachment, config))
        assert (conf.plugins[0]["type"], changed) == (kind, has_changed)
    with_device = gojson.written(json.loads(CONF) | {"plugins": [{"type": "sriov", "deviceID": "x", "pciBusID": "x"}]})
    assert known.configuration_of("blue", str(tmp_path), Cached("blue", attachment, with_device))[1] is False


def test_changes() -> None:
    """What has come, what has gone, and what is otherwise."""
    before = {"vf": {"state": "free", "vlan": "", "mtu": "1500"}, "old": {"mac": "a"}}
    after = {"vf": {"state": "pod", "vlan": "100", "mtu": "1500"}, "new": {"mac": "b", "master": ""}}
    assert list(changes.lines(before, after)) == [
        "vf state: free -> pod",
        "vf vlan: none -> 100",
        "old: gone",
        "new: new, mac b",
    ]


def test_a_large_network_is_found_again(tmp_path: Path) -> None:
    """The cache holds it whole, in base64."""
    cached = Cached("blue", Attachment("c", "/run/netns/a", "net1"), b" " * CONFIG_BYTES)
    Cache(str(tmp_path)).save(cached)
    found = Cache(str(tmp_path)).load("blue", cached.attachment)
    assert found is not None
    assert found.config == cached.config
