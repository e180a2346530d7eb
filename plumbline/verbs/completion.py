"""`plumbline completion`: what a shell has to be told to complete verbs, options and the names of devices."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM, VARIABLE = "plumbline", "_PLUMBLINE_COMPLETE"
"""The variable by which the shell asks this command: click makes its name of the program's."""


@click.command(epilog="Such as: plumbline completion bash >/etc/bash_completion.d/plumbline")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete verbs, options and names of devices, for the shell to read when it starts."""
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(context.find_root().command, {}, PROGRAM, VARIABLE).source())
