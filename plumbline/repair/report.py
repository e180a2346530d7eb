"""What became of each device, for a person and for a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from plumbline import documents
from plumbline.errors import Status
from plumbline.output import Column
from plumbline.repair.dead import Left
from plumbline.repair.give_back import Given

SCHEMA = "plumbline/repair/1"


class What(StrEnum):
    """What became of a device."""

    PLANNED = "would be given back"
    DONE = "given back"
    BUSY = "not back yet"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Treated:
    """A device, and what came of giving it back. addresses: those that were released; with PLANNED, that would be."""

    left: Left
    what: What
    addresses: Sequence[str] = ()
    error: str = ""
    notes: Sequence[str] = ()


@dataclass(slots=True)
class Report:
    """What was done on a node. allocations: the VFs whose allocations to gone namespaces were removed, by address.
    unknown: what could not be read or removed.
    """

    is_dry_run: bool
    treated: list[Treated] = field(default_factory=list)
    allocations: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """How the verb ends: good when nothing is left to do, but what a dry run has left."""
        if self.unknown or any(x.what is What.FAILED for x in self.treated):
            return Status.FAILURE
        return Status.TIMED_OUT if any(x.what is What.BUSY for x in self.treated) else Status.GOOD


def treated(left: Left, given: Given) -> Treated:
    """Return what became of a device that was given back, or was not."""
    what = What.DONE if given.is_good else What.BUSY if given.is_busy else What.FAILED
    error = str(given.error) if given.error is not None else ""
    if what is What.BUSY and not error:
        error = "its link has not come back; its record stays, and `plumbline gc` tries again"
    return Treated(left, what, given.addresses, error, given.notes)


def document(report: Report) -> dict[str, Any]:
    """Return a report as docs/schema/repair.json has it."""
    return {
        "schema": SCHEMA,
        "dryRun": report.is_dry_run,
        "devices": [_device(x) for x in report.treated],
        "allocations": [{"device": address, "netns": path} for address, path in report.allocations.items()],
        "unknown": list(report.unknown),
    }


def _device(found: Treated) -> dict[str, Any]:
    return {
        "device": found.left.device,
        "name": found.left.attachment.name or None,
        "plugin": found.left.plugin.name,
        "owner": documents.owner(found.left.owner),
        "outcome": found.what.value,
        "error": found.error or None,
        "addresses": list(found.addresses),
        "notes": list(found.notes),
    }


STYLES = {What.PLANNED: "yellow", What.DONE: "green", What.BUSY: "yellow", What.FAILED: "red"}

COLUMNS: list[Column[Treated]] = [
    Column("DEVICE", lambda x: x.left.device, 9, lambda _: "bold"),
    Column("NAME", lambda x: x.left.attachment.name.removeprefix(x.left.device), 6),
    Column("PLUGIN", lambda x: x.left.plugin.name, 3),
    Column("OWNER", lambda x: str(x.left.owner), 7),
    Column("IF", lambda x: x.left.owner.interface, 4),
    Column("NETWORK", lambda x: x.left.owner.network, 4),
    Column("ADDRESSES", lambda x: " ".join(x.addresses), 5),
    Column("OUTCOME", lambda x: x.what.value, 8, lambda x: STYLES[x.what]),
]
"""ADDRESSES: released with it."""
