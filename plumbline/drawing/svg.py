"""A picture as SVG: pods, VFs, PFs, representors and bridges, a column each, from left to right.

A PF is as high as all its VFs, so that a VF, its place at the PF, and its representor are in one row. What is read in
the dark is drawn on dark (prefers-color-scheme). There is no script, no font and no picture from elsewhere in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from rich.cells import cell_len

from cni.protocol.errors import escaped
from plumbline.drawing.graph import Box, Graph, Kind

CHARACTER, LINE = 7.3, 16
"""The width of a character and the height of a line, in pixels."""

PADDING, GAP_X, GAP_Y, MARGIN = 9, 56, 10, 24
COLUMNS: tuple[tuple[Kind, ...], ...] = (
    (Kind.POD,),
    (Kind.VF, Kind.DEVICE),
    (Kind.PF,),
    (Kind.REPRESENTOR,),
    (Kind.BRIDGE,),
)
ROUND = 14
BOX_HEIGHT = 2 * LINE + 2 * PADDING
ROW = BOX_HEIGHT + GAP_Y
TOP = 2 * MARGIN
STYLE = """
  svg { --back: #ffffff; --text: #1f2328; --line: #6e7781; --box: #f6f8fa; --pod: #dafbe1; --dead: #ffdcd7;
        --busy: #d3ecff; --foreign: #f3dcff; --stray: #fff3b8; --pf: #e7ecf3 }
  @media (prefers-color-scheme: dark) {
    svg { --back: #0d1117; --text: #e6edf3; --line: #8b949e; --box: #161b22; --pod: #12361f; --dead: #4c1c19;
          --busy: #0f3050; --foreign: #38204a; --stray: #413608; --pf: #21262d } }
  .back { fill: var(--back) } text { fill: var(--text); font: 12px monospace; white-space: pre }
  rect.box { fill: var(--box); stroke: var(--line) } path { fill: none; stroke: var(--line) }
  .title { font-weight: bold } .pf rect { fill: var(--pf) }
  .bridge rect { stroke-width: 2 } .is-free rect, .is-unbound rect { stroke-dasharray: 3 3 }
""" + "".join(
    f"  .is-{state} rect {{ fill: var(--{state}) }}\n" for state in ("pod", "dead", "busy", "foreign", "stray")
)


@dataclass(slots=True)
class _Place:
    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    def meeting(self, other: _Place) -> float:
        """Return how high a line to another place leaves this one: a tall one, where the other is."""
        half = BOX_HEIGHT / 2
        return min(max(other.middle, self.y + half), self.bottom - half)


def svg(graph: Graph) -> str:
    """Return the picture, a whole document."""
    places = _places(graph)
    width = max((place.right for place in places.values()), default=200) + MARGIN
    height = max((place.bottom for place in places.values()), default=TOP) + MARGIN
    title = escape(escaped(graph.title))
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    boxes = graph.boxes
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>',
            f"<title>{title}</title>",
            f"<style>{STYLE}</style>",
            '<rect class="back" width="100%" height="100%"/>',
            f'<text class="title" x="{MARGIN}" y="{MARGIN}">{title}</text>',
            *(_edge(boxes[one], boxes[other], places) for one, other in graph.edges),
            *(_drawn(box, places[box.key]) for box in boxes.values()),
            "</svg>",
        ]
    )


def _places(graph: Graph) -> dict[str, _Place]:
    rows = _rows(graph)
    places: dict[str, _Place] = {}
    x: float = MARGIN
    for kinds in COLUMNS:
        boxes = graph.of(*kinds)
        if boxes:
            width = max(map(_width, boxes))
            spans = _spans(boxes, rows, graph)
            places |= {key: _Place(x, y, width, height) for key, (y, height) in spans.items()}
            x += width + GAP_X
    return places


def _rows(graph: Graph) -> dict[str, tuple[int, int]]:
    """Return the first and the last row of each box that has a place of its own: a PF, in whose first row it stands
    alone, its VFs, each with its representor, and other devices.
    """
    rows: dict[str, tuple[int, int]] = {}
    row = 0
    for pf in graph.of(Kind.PF):
        first = row
        for box in _joined(graph, pf):
            if box.kind is Kind.VF:
                row += 1
                rows[box.key] = (row, row)
        rows[pf.key] = (first, row)
        row += 1
    for box in graph.of(Kind.DEVICE):
        rows[box.key] = (row, row)
        row += 1
    return rows | {box.key: rows[box.of] for box in graph.of(Kind.REPRESENTOR)}


def _spans(boxes: Sequence[Box], rows: dict[str, tuple[int, int]], graph: Graph) -> dict[str, tuple[float, float]]:
    """Return where each box of a column begins, and how high it is. What has no rows comes as near as it can to the
    middle of what it is joined to.
    """
    spans: dict[str, tuple[float, float]] = {}
    wanted: list[tuple[float, str]] = []
    for box in boxes:
        if box.key in rows:
            first, last = rows[box.key]
            spans[box.key] = (TOP + first * ROW, (last - first) * ROW + BOX_HEIGHT)
        else:
            near = [rows[x.key][0] for x in _joined(graph, box) if x.key in rows]
            wanted.append((TOP + ROW * sum(near) / len(near) if near else TOP, box.key))
    free = float(TOP)
    for y, key in sorted(wanted):
        spans[key] = (max(y, free), BOX_HEIGHT)
        free = spans[key][0] + ROW
    return spans


def _joined(graph: Graph, box: Box) -> Iterator[Box]:
    for one, other in graph.edges:
        if box.key in (one, other):
            yield graph.boxes[other if one == box.key else one]


def _edge(one: Box, other: Box, places: dict[str, _Place]) -> str:
    left, right = places[one.key], places[other.key]
    y, end_y = left.meeting(right), right.meeting(left)
    if one.kind is Kind.PF and other.kind is Kind.BRIDGE:  # past the representors, in the row where there is none
        y = left.y + BOX_HEIGHT / 2
    if left.x == right.x:  # a bond and its bridge
        turn, end = left.right + GAP_X / 2, right.right
        start = f"M{left.right:.1f} {y:.1f}"
    else:
        turn, end = right.x - GAP_X / 2, right.x
        start = f"M{left.right:.1f} {y:.1f} H{right.x - GAP_X:.1f}"
    return f'<path d="{start} C{turn:.1f} {y:.1f} {turn:.1f} {end_y:.1f} {end:.1f} {end_y:.1f}"/>'


def _drawn(box: Box, place: _Place) -> str:
    kind = f"{box.kind} is-{box.state}" if box.state is not None else str(box.kind)
    size = f'width="{place.width:.1f}" height="{place.height:.1f}" rx="{ROUND if box.kind is Kind.POD else 2}"'
    rect = f'<rect class="box" x="{place.x:.1f}" y="{place.y:.1f}" {size}/>'
    lines = [line for line in box.lines if line]
    y = place.y + BOX_HEIGHT / 2 - LINE * len(lines) / 2 + LINE * 0.75
    texts = (
        f'<text{TITLE if number == 0 else ""} x="{place.x + PADDING:.1f}" y="{y + LINE * number:.1f}">'
        f"{escape(escaped(line))}</text>"
        for number, line in enumerate(lines)
    )
    return f'<g class="{kind}">{rect}{"".join(texts)}</g>'


TITLE = ' class="title"'


def _width(box: Box) -> float:
    return max(cell_len(escaped(line)) for line in box.lines) * CHARACTER + 2 * PADDING
