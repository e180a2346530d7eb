"""The command line: how verbs end, and what is said then."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import click
import pytest

from cni.protocol.errors import GENERIC, CniError
from plumbline import cli
from plumbline.errors import Status, VerbError
from tests.support import schemas

PLUMBLINE = (sys.executable, "-m", "plumbline")


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (VerbError(Status.NO_DEVICE, "no such VF", "try\nthat"), 10, "plumbline: no such VF\n  try\n  that\n"),
        (VerbError(Status.IN_USE, "a pod has it"), 4, "plumbline: a pod has it\n"),
        (VerbError(Status.FAILURE, "link a\x1b[2J"), 1, "plumbline: link a\\x1b[2J\n"),
        (CniError(GENERIC, "cannot list"), 1, "plumbline: cannot list\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "plumbline: [Errno 28] No space left on device\n"),
        (click.Abort(), 130, ""),
        (click.exceptions.Exit(3), 3, ""),
    ],
)
def test_errors(raised: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind has its status, and is said without a traceback."""

    @click.command()
    def failing() -> None:
        raise raised

    cli.command.add_command(failing, "failing")
    try:
        with pytest.raises(SystemExit) as caught:
            cli.main(["failing"])
    finally:
        del cli.command.commands["failing"]
    assert caught.value.code == status
    assert capsys.readouterr().err == said


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run([*PLUMBLINE, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("--nothing",),
        ("--json", "vfs"),
        ("show",),
        ("tree", "--dot", "--svg"),
        ("tree", "--svg", "--json"),
        ("tree", "--dot", "--watch"),
    ],
)
def test_usage(arguments: tuple[str, ...]) -> None:
    """A wrong command line is status 2, and says how it is right."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (Status.USAGE, "")
    assert "Usage: " in done.stderr


def test_without_a_verb() -> None:
    """It is status then, with its options."""
    done = run("--json")
    assert (done.returncode, done.stderr) == (0, "")
    schemas.check(json.loads(done.stdout))
    assert "has no PF" in run().stdout


def test_a_reader_who_has_seen_enough() -> None:
    """`plumbline vfs | head` is no failure, and nobody complains."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*PLUMBLINE, "status"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk() -> None:
    """What could not be written is a failure, in a sentence."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PLUMBLINE, "status", "--json"], stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"plumbline: [Errno 28] No space left on device\n")
