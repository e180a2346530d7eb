"""What a check finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is, the worst first."""

    FAIL = "fail"
    """Pods will not get VFs, or get ones that do not work."""
    WARN = "warn"
    """It works now, and somebody will be surprised."""
    PASS = "pass"
    SKIP = "skip"
    """It could not be found out, or there is nothing that it is about."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found of one subject.

    subject: a PF, a link, a file, empty for the node. measured: what was seen, in a few words. remedy: what to do about
    it, with the command, empty where nothing is to be done. id: that of the check; docs/operator/doctor.md has all.
    """

    level: Level
    subject: str
    measured: str
    remedy: str = ""
    id: str = ""


def good(subject: str, measured: str) -> Finding:
    """Return a finding with which all is well."""
    return Finding(Level.PASS, subject, measured)


def warning(subject: str, measured: str, remedy: str) -> Finding:
    """Return a finding that somebody should look at."""
    return Finding(Level.WARN, subject, measured, remedy)


def failure(subject: str, measured: str, remedy: str) -> Finding:
    """Return a finding that keeps pods from what they need."""
    return Finding(Level.FAIL, subject, measured, remedy)


def skipped(subject: str, why: str, remedy: str = "") -> Finding:
    """Return that there was nothing to find out, and why."""
    return Finding(Level.SKIP, subject, why, remedy)


def listed(names: Iterable[object], most: int = 6) -> str:
    """Return names with commas between them; of many, the first ones and how many more there are."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
