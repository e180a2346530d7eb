"""`plumbline doctor`: is this node ready for pods with VFs, and healthy? Nothing is changed."""

from __future__ import annotations

import click

from plumbline import output
from plumbline.doctor.checks import examine
from plumbline.doctor.document import document
from plumbline.doctor.facts import gather
from plumbline.doctor.finding import Level
from plumbline.errors import Status
from plumbline.node.look import look
from plumbline.verbs import findings
from plumbline.verbs.devices import complete_pf
from plumbline.verbs.options import json_option


@click.command()
@click.argument("pf", required=False, shell_complete=complete_pf)
@json_option
def doctor(pf: str | None, as_json: bool) -> Status:
    """Check the readiness and the health of this node, or of one PF and what it depends on.

    Each finding has an id, what was measured, and what to do about it. Exit status: 1 if one is a failure.
    """
    facts = gather(look())
    if pf is not None:
        facts = facts.only(pf)
    found = examine(facts)
    if as_json:
        output.print_json(document(facts.node, found))
    else:
        console = output.console()
        console.print(findings.table(found))
        console.print(findings.summary(found), style="bold")
    return Status.FAILURE if any(x.level is Level.FAIL for x in found) else Status.GOOD
