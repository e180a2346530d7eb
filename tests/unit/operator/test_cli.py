"""The command line: how verbs end, and what is said then."""

from __future__ import annotations

import errno
import os
import subprocess

import click
import pytest

from cni.linux.signals import Terminated
from cni.protocol.errors import GENERIC, CniError
from plumbline import cli
from plumbline.errors import Status, VerbError
from plumbline.interruption import InterruptedVerbError
from tests.support.command import MODULE, plumbline


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (VerbError(Status.NO_DEVICE, "no such VF", "try\nthat"), 10, "plumbline: no such VF\n  try\n  that\n"),
        (VerbError(Status.IN_USE, "a pod has it"), 4, "plumbline: a pod has it\n"),
        (VerbError(Status.FAILURE, "link a\x1b[2J"), 1, "plumbline: link a\\x1b[2J\n"),
        (
            VerbError(Status.IN_USE, "7 qemu\nplumbline: done", "open in 7\u2028done\rdone"),
            4,
            "plumbline: 7 qemu\\nplumbline: done\n  open in 7\\u2028done\\rdone\n",
        ),
        (
            OSError(errno.ENOENT, "No such file or directory", "a\nb"),
            1,
            "plumbline: [Errno 2] No such file or directory: 'a\\nb'\n",
        ),
        (
            InterruptedVerbError(Terminated("SIGINT"), "failed\nfailed\x85too"),
            130,
            "plumbline: told to end (SIGINT); failed\n  failed\\x85too\n",
        ),
        (Terminated("SIGTERM"), 130, "plumbline: told to end (SIGTERM)\n"),
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
    said = plumbline(*arguments).ended(Status.USAGE)
    assert said.stdout == ""
    assert "Usage: " in said.stderr


def test_without_a_verb() -> None:
    """It is status then, with its options."""
    said = plumbline("--json").ended(0)
    assert said.stderr == ""
    assert said.document["schema"] == "plumbline/node/1"
    assert "has no PF" in plumbline().stdout


def test_a_reader_who_has_seen_enough() -> None:
    """`plumbline vfs | head` is no failure, and nobody complains."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*MODULE, "status"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk() -> None:
    """What could not be written is a failure, in a sentence."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([*MODULE, "status", "--json"], stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"plumbline: [Errno 28] No space left on device\n")
