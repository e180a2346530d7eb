"""A picture in Graphviz's language (graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from cni.protocol.errors import escaped
from plumbline.drawing.graph import Graph, Kind
from plumbline.node.model import State

SHAPES = {Kind.POD: "ellipse", Kind.BRIDGE: "hexagon"}
COLOURS = {
    State.POD: "palegreen",
    State.DEAD: "lightcoral",
    State.BUSY: "lightblue",
    State.FOREIGN: "plum",
    State.STRAY: "khaki",
    State.UNBOUND: "lightgrey",
    State.FREE: "white",
}


def dot(graph: Graph) -> str:
    """Return the text, for `dot -Tsvg` and the like."""
    lines = [
        f"graph {_quoted(graph.title)} {{",
        "  rankdir=LR",
        "  node [shape=box, style=filled, fillcolor=white, fontname=monospace]",
    ]
    for box in graph.boxes.values():
        colour = "" if box.state is None else f", fillcolor={COLOURS[box.state]}"
        label = _quoted(*box.lines)
        lines.append(f"  {_quoted(box.key)} [label={label}, shape={SHAPES.get(box.kind, 'box')}{colour}]")
    lines += [f"  {_quoted(one)} -- {_quoted(other)}" for one, other in graph.edges]
    return "\n".join([*lines, "}"])


def _quoted(*lines: str) -> str:
    """Return a string of several lines; a backslash in it is one, and no escape of Graphviz's."""
    quoted = (escaped(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines if line)
    return '"' + "\\n".join(quoted) + '"'
