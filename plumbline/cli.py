"""The command line: verbs, exit statuses, and how an error is said."""

from __future__ import annotations

import sys

import click

from cni.protocol.errors import CniError
from plumbline.errors import Status, VerbError
from plumbline.prepare.carry_out import InterruptedSetupError
from plumbline.verbs.apply import apply, forget, wait
from plumbline.verbs.bind import bind, vdpa
from plumbline.verbs.setup import setup
from plumbline.verbs.status import status
from plumbline.verbs.vfs import vfs


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def command(context: click.Context) -> None:
    """Show, check, prepare and repair a node whose pods have VFs. Without a verb: status.

    VFs are named by PCI address, link name, or PF:INDEX. Exit status: 0 good, 1 a finding or a failure, 2 usage,
    3 timed out, 4 refused because in use, 10 no such device.
    """
    if context.invoked_subcommand is None:
        context.invoke(status)


for verb in (status, vfs, setup, apply, forget, bind, vdpa, wait):
    command.add_command(verb)


def main() -> None:
    """Run the command, and end with its exit status."""
    try:
        result = command(standalone_mode=False)
    except click.exceptions.Exit as e:
        sys.exit(e.exit_code)
    except click.ClickException as e:
        e.show()
        sys.exit(Status.USAGE)
    except click.Abort:
        sys.exit(130)
    except InterruptedSetupError as e:
        _say(e.told, "")
        sys.exit(130)
    except VerbError as e:
        _say(e.message, e.hint)
        sys.exit(e.status)
    except CniError as e:
        _say(str(e), "")
        sys.exit(Status.FAILURE)
    except BrokenPipeError:  # `plumbline vfs | head`
        sys.stderr.close()
        sys.exit(Status.GOOD)
    sys.exit(result if isinstance(result, int) else Status.GOOD)


def _say(message: str, hint: str) -> None:
    print(f"plumbline: {message}", file=sys.stderr)
    for line in hint.splitlines():
        print(f"  {line}", file=sys.stderr)
