"""The command line as a whole: every verb is where a user looks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from plumbline.cli import SECTIONS, command
from plumbline.errors import Status
from tests.support.command import plumbline
from tests.support.plugin import REPOSITORY

MANUAL = Path(REPOSITORY, "docs/plumbline.1").read_text()
PAGE = Path(REPOSITORY, "docs/operator.md").read_text()
PAGES = "".join(path.read_text() for path in [*Path(REPOSITORY, "docs/operator").glob("*.md")])


def verbs(group: click.Group = command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Give each verb, by the words that a user types."""
    for name, verb in group.commands.items():
        if isinstance(verb, click.Group):
            yield from verbs(verb, f"{path}{name} ")
        else:
            yield f"{path}{name}", verb


VERBS = dict(verbs())
VERBS_OF = {name: [*verb.commands] for name, verb in command.commands.items() if isinstance(verb, click.Group)}


def test_the_help_lists_every_verb() -> None:
    """In a section each, with a sentence that says something."""
    listed = [verb for section in SECTIONS.values() for verb in section]
    assert {verb.name for verb in listed} == set(command.commands)
    told = plumbline("-h").ended(Status.GOOD).stdout
    assert [line[:-1] for line in told.splitlines() if line.endswith(":") and line[0] != " "][1:] == [*SECTIONS]
    assert "..." not in told.partition("See:")[2]
    assert VERBS_OF
    for name in VERBS_OF:
        below = plumbline(name, "-h").ended(Status.GOOD).stdout.partition("Verbs:")[2]
        assert "..." not in below
        assert {line.split()[0] for line in below.splitlines() if line[:4].strip()} == set(VERBS_OF[name])


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_documented(verb: str) -> None:
    """In its help, on its page, and with all its options in the manual page."""
    made = VERBS[verb]
    assert made.help
    first, _, rest = verb.partition(" ")
    assert f"`{first}" in PAGE
    assert not rest or f"`{rest}`" in PAGE or f"`{verb}`" in PAGE
    assert f"Cm {verb}" in MANUAL
    options = [name for x in made.params if isinstance(x, click.Option) for name in (*x.opts, *x.secondary_opts)]
    missing = [name for name in options if not f"{MANUAL} ".replace("\n", " ").count(_in_roff(name))]
    assert missing == []
    # Of a switch, the page has the word for what is not so by itself.
    told = [name for x in made.params if isinstance(x, click.Option) for name in (x.secondary_opts or x.opts)]
    assert [name for name in told if name.startswith("--") and name not in PAGES] == []


def _in_roff(option: str) -> str:
    return f"{option.removeprefix('-')} "


def test_the_manual_page_is_one() -> None:
    """man(1) has nothing to say against it, where there is one."""
    assert MANUAL.startswith(".Dd ")
    opened = [line.split()[0] for line in MANUAL.splitlines() if line.split()[:1] in ([".Bl"], [".El"])]
    assert opened.count(".Bl") == opened.count(".El") > 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    """What a shell reads asks the command itself, by the variable that click looks for."""
    assert "_PLUMBLINE_COMPLETE" in plumbline("completion", shell).ended(Status.GOOD).stdout


def completed(*words: str) -> list[str]:
    """Return what bash is offered for the last word."""
    program = "import sys; sys.argv[0] = 'plumbline'; from plumbline.cli import main; main()"
    environ = {"COMP_WORDS": " ".join(("plumbline", *words)), "COMP_CWORD": str(len(words))}
    environ |= {"_PLUMBLINE_COMPLETE": "bash_complete", "PATH": os.environ["PATH"]}
    said = subprocess.run(
        [sys.executable, "-c", program], env=environ, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return [line.partition(",")[2] for line in said.stdout.splitlines()]


def test_what_is_completed() -> None:
    """Verbs and options; devices where there are some, in the lab."""
    assert completed("sh") == ["show"]
    assert completed("network", "st") == ["status"]
    assert completed("vfs", "--j") == ["--json"]


@pytest.mark.parametrize(
    ("words", "status"),
    [(("vfs", "nothing"), Status.NO_DEVICE), (("nothing",), Status.USAGE), (("--version",), Status.GOOD)],
)
def test_exit_status(words: tuple[str, ...], status: Status) -> None:
    """Of what fails, nothing comes to standard output."""
    said = plumbline(*words).ended(status)
    assert bool(said.stdout) == (status is Status.GOOD)
