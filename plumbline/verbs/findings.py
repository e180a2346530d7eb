"""Findings as a person reads them: what is wrong first, each with what was measured and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cni.protocol.errors import escaped
from plumbline.doctor import checks
from plumbline.doctor.finding import Finding, Level, listed
from plumbline.node.model import Node
from plumbline.output import GAP, Ragged

STYLES = {Level.FAIL: "bold red", Level.WARN: "yellow", Level.PASS: "green", Level.SKIP: "dim"}


def print_troubles(console: Console, node: Node) -> None:
    """Print what somebody should know of a node that was looked at, nothing where all is well."""
    found = checks.troubles(node)
    if found:
        console.print()
        console.print(table(found))


def table(findings: Iterable[Finding]) -> Ragged:
    """Return findings as lines, the worst first; good ones and skipped ones share a line with others of their check."""
    made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=False)
    made.add_column(no_wrap=True)
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for finding in _in_order(findings):
        made.add_row(Text(finding.level.value, STYLES[finding.level]), Text(finding.id), _told(finding))
    return Ragged(made)


def summary(findings: Iterable[Finding]) -> str:
    """Return how many findings there are of each level."""
    counts = Counter(finding.level for finding in findings)
    return ", ".join(f"{counts[level]} {level.value}" for level in Level if counts[level])


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    found = list(findings)
    bad = [x for level in (Level.FAIL, Level.WARN) for x in found if x.level is level]
    groups: dict[tuple[Level, str], list[Finding]] = {}
    for finding in found:
        if finding.level in (Level.PASS, Level.SKIP) and finding.measured != checks.NOTHING.measured:
            groups.setdefault((finding.level, finding.id), []).append(finding)
    merged = [_merged(group) for group in groups.values()]
    return bad + [x for level in (Level.PASS, Level.SKIP) for x in merged if x.level is level] + _about_nothing(found)


def _about_nothing(found: list[Finding]) -> list[Finding]:
    """Return one finding for all checks that had nothing to look at."""
    ids = ", ".join(x.id for x in found if x.measured == checks.NOTHING.measured)
    return [Finding(Level.SKIP, "", f"{checks.NOTHING.measured}: {ids}", id="(others)")] if ids else []


def _merged(group: list[Finding]) -> Finding:
    subjects = listed(dict.fromkeys(x.subject for x in group if x.subject), 3)
    measured = listed(dict.fromkeys(x.measured for x in group), 3)
    return Finding(group[0].level, subjects, measured, group[0].remedy, group[0].id)


def _told(finding: Finding) -> Text:
    """Pods choose names of links, which may hold what moves a terminal's cursor: that is written as escapes."""
    text = Text()
    if finding.subject:
        text.append(escaped(finding.subject), "bold")
        text.append(": ")
    text.append(escaped(finding.measured))
    if finding.remedy:
        text.append(f"\n{escaped(finding.remedy)}", "cyan" if finding.level in (Level.FAIL, Level.WARN) else "dim")
    return text
