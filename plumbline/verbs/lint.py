"""`plumbline lint`: network configurations through the plugins' own parsers, before a pod needs them."""

from __future__ import annotations

import click

from cni.protocol.errors import escaped
from cni.protocol.limits import CONFIG_BYTES
from plumbline import output
from plumbline.errors import Status, VerbError
from plumbline.lint.document import document
from plumbline.lint.fault import Fault
from plumbline.lint.file import check
from plumbline.verbs.options import json_option


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@json_option
def lint(files: tuple[str, ...], as_json: bool) -> Status:
    """Check a network's configuration, a list of them (conflist), or a NetworkAttachmentDefinition (JSON or YAML).

    It says line and member, and what is allowed; `-` is standard input. Exit status: 1 if a plugin would refuse it. A
    warning is about what has no effect.
    """
    faults = [fault for path in files for fault in _faults(path)]
    if as_json:
        output.print_json(document(faults))
    else:
        console = output.console()
        for fault in faults:
            console.print(escaped(str(fault)), style="red" if fault.is_error else "yellow", markup=False)
        if not faults:
            console.print(f"{len(files)} files, no fault" if len(files) > 1 else f"{files[0]}: no fault", markup=False)
    return Status.FAILURE if any(fault.is_error for fault in faults) else Status.GOOD


def _faults(path: str) -> list[Fault]:
    try:
        with click.open_file(path, "rb") as file:
            return check(path, file.read(CONFIG_BYTES + 1)).faults
    except OSError as e:
        raise VerbError(Status.FAILURE, f"cannot read {path}: {e.strerror}") from e
