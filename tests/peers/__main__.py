"""`python -m tests.peers`: builds the peers that are Go modules and are not there yet."""

from __future__ import annotations

import click

from tests.peers import Module, listed
from tests.peers.build import build
from tests.peers.go import PeerError


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Build all, or those with the names."""
    modules = [each for each in listed() if isinstance(each, Module) and (not names or each.name in names)]
    if unknown := set(names) - {each.name for each in modules}:
        raise click.UsageError(f"tests/peers/peers.toml has no module {', '.join(sorted(unknown))}")
    try:
        build(modules)
    except PeerError as error:
        raise click.ClickException(str(error)) from error


main()
