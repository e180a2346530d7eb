"""What is printed with --json is as the schemas say, with everything known and with nothing."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from plumbline import documents
from plumbline.node.details import Details
from plumbline.node.devinfo import DeviceInfo
from plumbline.node.model import Node
from plumbline.node.record import Asked, Record
from tests.support import schemas
from tests.unit.operator import nodes


def record(asked: Asked, **more: Any) -> Record:
    """Return a record."""
    path = "/var/lib/cni/sriov/c0ffee-net1"
    return Record("sriov", path, more.pop("written_s", 1.5e9), True, False, asked=asked, **more)


EVERYTHING = Asked(nodes.MAC, 1400, 7, 3, "802.1Q", False, True, "disable", 1, 2, "br0,br1", (1, 2), False)
DETAILS = {
    "PF": Details("node1", "eth0", nodes.full().pfs[0], nodes.link("eth0"), [], unknown=["devlink: no"]),
    "VF": Details(
        "node1",
        "0000:03:02.0",
        nodes.full().vfs[0],
        nodes.link("net1", netns="/run/netns/pod1"),
        ["10.0.0.2/24", "fe80::1/64"],
        [nodes.owner(), nodes.owner(alive=False)],
        [
            record(EVERYTHING, link=nodes.link("eth0v0"), settings=nodes.settings(), representor=nodes.link("eth0_0")),
            record(Asked(), written_s=None),
        ],
        [DeviceInfo("/var/run/k8s.cni.cncf.io/devinfo/dp/x.json", {"type": "pci", "pci": {}})],
    ),
    "other": Details("node1", "ens5", None),
}


@pytest.mark.parametrize("node", [nodes.full(), nodes.bare(), Node("node3", "6.12")], ids=["full", "bare", "empty"])
def test_nodes(node: Node) -> None:
    """Nodes of which everything, little and nothing is known."""
    schemas.check(documents.node(node))


@pytest.mark.parametrize("details", DETAILS.values(), ids=DETAILS)
def test_devices(details: Details) -> None:
    """Devices of each kind."""
    schemas.check(documents.device(details))


def test_unknown_is_null() -> None:
    """What is not known has its member all the same; a 0 that means nothing is none."""
    (pf,) = documents.node(nodes.bare())["pfs"]
    known = {key for key, value in pf.items() if value not in (None, [], 0, False)}
    assert known == {"name", "address", "bus", "vfs", "vfsMade"}
    assert {key for key, value in pf["vfs"][0].items() if value is not None} == {"pf", "index", "state"}
    asked = documents.asked(Asked())
    assert set(asked.values()) == {None}


def test_used_are_those_that_somebody_has() -> None:
    """Neither free ones nor those without a driver."""
    full = documents.node(nodes.full())["pfs"][0]
    assert (full["vfsUsed"], full["vfsMade"], full["vfsPossible"]) == (5, 7, 8)


OURS = ("node", "device")


@pytest.mark.parametrize("name", schemas.names())
def test_schemas_are_schemas(name: str) -> None:
    """Whatever is in docs/schema is one, of the latest draft."""
    whole = schemas.schema(name)
    Draft202012Validator.check_schema(whole)
    assert whole["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", OURS)
def test_schemas_are_strict(name: str) -> None:
    """Each object has all its members, and no others; all have a description."""
    whole = schemas.schema(name)
    assert whole["properties"]["schema"]["const"] == f"plumbline/{name}/{whole['$id'].rpartition(':')[2]}"
    found = schemas.objects(whole)
    assert found
    for path, part in found:
        assert part["additionalProperties"] is False, path
        assert part["required"] == list(part["properties"]), path
        assert part["description"], path


def test_schemas_have_the_same_parts() -> None:
    """A VF is the same whichever verb shows it: each schema is whole by itself, so parts stand in several."""
    parts: dict[str, Any] = {}
    for name in OURS:
        for key, part in schemas.schema(name)["$defs"].items():
            assert parts.setdefault(key, part) == part, f"{key} of {name}"
    assert {"pf", "vf", "link", "owner", "settings"} <= parts.keys()


@pytest.mark.parametrize("fault", ["more", "less", "type", "deep"])
def test_the_check_finds_faults(fault: str) -> None:
    """What is not as the schema says fails the test that checks it."""
    document = documents.node(nodes.full())
    if fault == "more":
        document["new"] = 1
    elif fault == "less":
        del document["kernel"]
    elif fault == "type":
        document["node"] = None
    else:
        document["pfs"][0]["vfs"][0]["owner"]["new"] = 1
    with pytest.raises(AssertionError):
        schemas.check(document)
    with pytest.raises(ValidationError):
        Draft202012Validator(schemas.schema("node")).validate(document)
