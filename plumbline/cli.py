"""The command line: verbs, exit statuses, and how an error is said."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click

from cni.linux.signals import Terminated
from cni.protocol.errors import CniError, escaped
from plumbline import version
from plumbline.errors import Status, VerbError
from plumbline.interruption import InterruptedVerbError
from plumbline.verbs.apply import apply, forget, wait
from plumbline.verbs.bind import bind, vdpa
from plumbline.verbs.completion import completion
from plumbline.verbs.doctor import doctor
from plumbline.verbs.gc import gc
from plumbline.verbs.install import install
from plumbline.verbs.lint import lint
from plumbline.verbs.network import network
from plumbline.verbs.options import json_option, watch_option, write_verbs
from plumbline.verbs.release import release
from plumbline.verbs.report import report
from plumbline.verbs.setup import setup
from plumbline.verbs.show import show
from plumbline.verbs.status import status
from plumbline.verbs.tree import tree
from plumbline.verbs.vfs import vfs

INTERRUPTED = 130
"""The exit status of what was told to end, as a shell has it for SIGINT."""

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Command(click.Group):
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs by what they are for."""
        width = max(len(verb.name or "") for verbs in SECTIONS.values() for verb in verbs)
        for title, verbs in SECTIONS.items():
            write_verbs(formatter, title, verbs, width)


@click.group(cls=_Command, invoke_without_command=True, context_settings=SETTINGS)
@json_option
@watch_option
@click.version_option(version.described(), message="Plumbline %(version)s")
@click.pass_context
def command(context: click.Context, as_json: bool, watch: bool) -> None:
    """Show, check, prepare and repair a node whose pods have VFs. Without a verb: status.

    VFs are named by PCI address, link name, or PF:INDEX. Exit status: 0 good, 1 a finding or a failure, 2 usage,
    3 timed out, 4 refused because in use, 10 no such device.
    """
    if context.invoked_subcommand is None:
        context.invoke(status, as_json=as_json, watch=watch)
    elif as_json or watch:
        raise click.UsageError("--json and --watch come after the verb")


SECTIONS = {
    "See": (status, vfs, show, tree),
    "Understand": (doctor, lint, report),
    "Prepare": (setup, apply, forget, bind, vdpa, wait),
    "Repair": (gc, release, network),
    "Install": (install, completion),
}
"""The verbs, as the help lists them."""

for verb in (verb for verbs in SECTIONS.values() for verb in verbs):
    command.add_command(verb)


def main(arguments: list[str] | None = None) -> None:
    """Run the command, and end with its exit status. arguments: without its name, None for those of the process."""
    status = _run(arguments)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads it; at its end the interpreter would try once more, and take that for a failure
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)


def _run(arguments: list[str] | None) -> int:
    """Run the command, say what went wrong, and return its exit status."""
    try:
        # A name that is no text, or none that the terminal can show, is no reason to show nothing.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        result = command(arguments, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as e:
        return e.exit_code
    except click.ClickException as e:
        e.show()
        return Status.USAGE
    except click.Abort:
        return INTERRUPTED
    except Terminated as e:
        return _say(INTERRUPTED, f"told to end ({e})")
    except InterruptedVerbError as e:
        message, _, more = str(e).partition("\n")
        return _say(INTERRUPTED, message, more)
    except VerbError as e:
        return _say(e.status, e.message, e.hint)
    except CniError as e:
        return _say(Status.FAILURE, str(e))
    except BrokenPipeError:  # `plumbline vfs | head`
        return Status.GOOD
    except OSError as e:
        return _say(Status.FAILURE, str(e))
    return result if isinstance(result, int) else Status.GOOD


def _say(status: int, message: str, hint: str = "") -> int:
    """Say what went wrong, and return the exit status. message: one line, whatever is in it. hint: may be several. In
    neither anything of others can move the cursor, or pass for a line that begins as ours do.
    """
    hints = hint.split("\n") if hint else []
    with suppress(OSError):  # a terminal that is gone; the status tells it all the same
        for line in (f"plumbline: {escaped(message)}", *(f"  {escaped(line)}" for line in hints)):
            print(line, file=sys.stderr)
    return status
