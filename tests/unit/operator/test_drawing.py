"""The picture of a node: on the terminal, as Graphviz text, as SVG."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from cni.protocol.errors import escaped
from plumbline import output
from plumbline.drawing import svg
from plumbline.drawing.dot import dot
from plumbline.drawing.graph import Kind, called, graph, groups
from plumbline.node.model import Node, State
from plumbline.verbs import tree
from tests.unit.operator import nodes

SVG = "{http://www.w3.org/2000/svg}"


def drawn(node: Node, every: bool = False) -> list[str]:
    """Return the lines of the tree, without what guides the eye."""
    stream = io.StringIO()
    tree.draw(output.console(stream), node, every)
    return [line.strip("│├└─ ").rstrip() for line in stream.getvalue().splitlines()]


def test_tree() -> None:
    """Whatever belongs to a VF is below it; idle ones that follow each other are one line."""
    assert drawn(nodes.full()) == [
        "node1  6.12.1",
        "eth0  ice  up 25G  switchdev  5/7/8 VFs  in bond0 in br0",
        "eth0:0  pod  iavf  vlan 100/3 802.1ad",
        "representor  eth0_0  in br0",
        "pod  default/web  net1  network blue",
        "eth0:1  dead  iavf",
        "pod  default/web  gone  net1  network blue",
        "eth0:2  busy  iavf",
        "program  7 qemu",
        "eth0:3  foreign  iavf",
        "in  /run/netns/strange  as eth1",
        "eth0:4  stray  iavf",
        "pod  0a1b  net1  network blue",
        "eth0:5  unbound",
        "eth0:6  free  iavf",
        "eth9  0/4/? VFs",
        "eth9:0-3  4 free",
        "other devices",
        "ens5  sriov",
        "pod  default/router  net1  network blue",
        "not known: devlink: no",
    ]


def test_tree_with_every_vf() -> None:
    """With --all each has its line."""
    lines = drawn(nodes.full(), every=True)
    assert [line for line in lines if line.startswith("eth9:")] == [f"eth9:{index}  free  iavf" for index in range(4)]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("ffff", ["eth9:0-3"]),
        ("ffpf", ["eth9:0-1", "eth9:2", "eth9:3"]),
        ("pppp", ["eth9:0", "eth9:1", "eth9:2", "eth9:3"]),
        ("uffu", ["eth9:0", "eth9:1-2", "eth9:3"]),
    ],
)
def test_groups(states: str, expected: list[str]) -> None:
    """Only what is idle, in the same state, and side by side is one group."""
    pf = nodes.full().pfs[1]
    by_letter = {"f": State.FREE, "p": State.POD, "u": State.UNBOUND}
    for vf, letter in zip(pf.vfs, states, strict=True):
        vf.state = by_letter[letter]
    assert [called(group) for group in groups(pf)] == expected
    assert [called(group) for group in groups(pf, every=True)] == [f"eth9:{index}" for index in range(4)]


def test_an_idle_vf_whose_representor_is_in_a_bridge_stands_alone() -> None:
    """What is connected is to be seen."""
    pf = nodes.full().pfs[1]
    pf.vfs[1].representor = nodes.link("eth9_1", master="br0")
    pf.vfs[3].representor = nodes.link("eth9_3")
    assert [called(group) for group in groups(pf)] == ["eth9:0", "eth9:1", "eth9:2-3"]


def test_graph() -> None:
    """A pod is one box however many VFs it has; what is a port is joined with its bridge, and a bond with its."""
    found = graph(nodes.full())
    assert [box.lines[0] for box in found.of(Kind.POD)] == [
        *("default/web", "7 qemu", "/run/netns/strange", "0a1b", "default/router")
    ]
    assert {("pod default/web", "vf eth0:0"), ("pod default/web", "vf eth0:1")} <= set(found.edges)
    assert {("pf 0000:03:00.0", "bridge bond0"), ("bridge bond0", "bridge br0")} <= set(found.edges)
    assert ("representor eth0_0", "bridge br0") in found.edges
    assert len(found.edges) == len(set(found.edges))
    assert {key for edge in found.edges for key in edge} <= found.boxes.keys()


STATEMENT = re.compile(
    r'  ("(?:[^"\\]|\\.)*") (?:-- "(?:[^"\\]|\\.)*"|\[label="(?:[^"\\]|\\.)*", shape=\w+(, fillcolor=\w+)?\])'
)
"""A node or an edge of Graphviz's language, as we write them."""


def evil() -> Node:
    """Return a node whose pods have names that would end a string, an element, or a line."""
    node = nodes.full()
    vf = node.vfs[3]
    vf.link = nodes.link('"]<&\x1b\udcff\\', netns='/run/netns/<x>"&\n\\')
    return node


@pytest.mark.parametrize("node", [nodes.full(), nodes.bare(), Node("empty", "6.12"), evil()])
def test_dot(node: Node) -> None:
    """Each line is a statement, whatever things are called."""
    lines = dot(graph(node)).splitlines()
    assert (lines[0], lines[-1]) == (f'graph "{node.name}" {{', "}")
    assert [line for line in lines[3:-1] if not STATEMENT.fullmatch(line)] == []
    assert len(lines[3:-1]) == len(graph(node).boxes) + len(graph(node).edges)


@pytest.mark.parametrize("node", [nodes.full(), nodes.bare(), Node("empty", "6.12"), evil()])
def test_svg(node: Node) -> None:
    """It is XML, has each box with its text and a line for each pair, and nothing is outside of it."""
    found = graph(node)
    root = ElementTree.fromstring(svg.svg(found))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts[1:] == [escaped(line) for box in found.boxes.values() for line in box.lines if line]
    assert len(list(root.iter(f"{SVG}path"))) == len(found.edges)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for rect in root.iter(f"{SVG}rect"):
        if rect.attrib["class"] == "box":
            assert float(rect.attrib["x"]) + float(rect.attrib["width"]) <= width
            assert float(rect.attrib["y"]) + float(rect.attrib["height"]) <= height


def test_boxes_do_not_overlap() -> None:
    """No box of a column begins before the one above it ends."""
    columns: dict[str, list[tuple[float, float]]] = {}
    for rect in ElementTree.fromstring(svg.svg(graph(nodes.full(), every=True))).iter(f"{SVG}rect"):
        if rect.attrib["class"] == "box":
            y = float(rect.attrib["y"])
            columns.setdefault(rect.attrib["x"], []).append((y, y + float(rect.attrib["height"])))
    assert len(columns) == 5
    for spans in columns.values():
        spans.sort()
        assert all(one[1] < other[0] for one, other in pairwise(spans))


def test_svg_in_light_and_dark() -> None:
    """Every colour has a value for both, and nothing is fetched."""
    text = svg.svg(graph(nodes.full()))
    light, dark = text.split("prefers-color-scheme: dark")
    names = set(re.findall(r"var\(--(\w+)\)", text))
    assert names
    assert names == set(re.findall(r"--(\w+): #", light)) == set(re.findall(r"--(\w+): #", dark))
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "url(" not in text
