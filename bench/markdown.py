"""Tables and charts, as docs/performance.md has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; all columns but the first are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def chart(title: str, x_axis: Sequence[int], series: Mapping[str, Sequence[float]]) -> str:
    """Return a chart that GitHub draws (Mermaid), with one line for each series; the y-axis is in ms."""
    lines = [f"  line [{', '.join(f'{value:.1f}' for value in values)}]" for values in series.values()]
    return "\n".join(
        [
            "```mermaid",
            "xychart-beta",
            f'  title "{title}: {", ".join(series)}"',
            f"  x-axis [{', '.join(map(str, x_axis))}]",
            '  y-axis "ms"',
            *lines,
            "```",
        ]
    )
