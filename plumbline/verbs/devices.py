"""Arguments that name PFs and VFs, which a shell completes by looking at sysfs (click's `shell_complete`)."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from plumbline.node import functions
from plumbline.node.roots import Roots


def complete_pf(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the PFs whose names begin so."""
    return _beginning(incomplete, {pf.name: pf.driver for pf in functions.pfs(Roots().sysfs)})


def complete_device(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the PFs, and the VFs as PF:INDEX and by PCI address, whose names begin so."""
    found: dict[str, str] = {}
    for pf in functions.pfs(Roots().sysfs):
        found[pf.name] = pf.driver
        for vf in pf.vfs:
            found |= {f"{pf.name}:{vf.index}": vf.driver} | ({vf.address: vf.driver} if vf.address else {})
    return _beginning(incomplete, found)


def _beginning(incomplete: str, found: dict[str, str]) -> list[CompletionItem]:
    return [CompletionItem(name, help=driver) for name, driver in found.items() if name.startswith(incomplete)]
