"""`python -m lab.pictures` makes docs/pictures and the output in docs/operator/see.md anew, by running the command.

The command runs in the machine, on a terminal of each width, where everything occurs (tests/support/scene.py). What it
prints comes out as text with its escape sequences, of which rich makes SVG; beside these is what `tree` itself draws.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import click
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME
from rich.text import Text

from tests.support import scene, vfs
from tests.support.vfs import PF

PICTURES = Path("docs/pictures")
PAGE = Path("docs/operator/see.md")
COMMAND = "/opt/cni/bin/plumbline"
MARK = "picture: "
"""How a line of the machine begins that holds one."""

THEMES = {"dark": SVG_EXPORT_THEME, "light": DEFAULT_TERMINAL_THEME}
FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""rich's own, but for fonts, which would come from elsewhere."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture to be made. name: of its file, without theme and end. width: of the terminal, in columns."""

    name: str
    arguments: tuple[str, ...]
    width: int
    colour: bool = True


SHOTS = (
    Shot("status-80", ("status",), 80),
    Shot("vfs-80", ("vfs",), 80),
    Shot("vfs-80-no-colour", ("vfs",), 80, colour=False),
    Shot("vfs-200", ("vfs",), 200),
    Shot("tree-80", ("tree",), 80),
    Shot("show-80", ("show", "enp1s0:0"), 80),
    Shot("show-200", ("show", "enp1s0:0"), 200),
)
TEXTS = {"node.svg": ("tree", "--svg"), "node.dot": ("tree", "--dot")}


@click.command()
@click.option("--inside", is_flag=True, help="Be the half that runs in the machine.")
@click.option("--from", "source", type=click.File(), help="What that half has printed, instead of starting a machine.")
def main(inside: bool, source: io.TextIOBase | None) -> None:
    """Make docs/pictures anew."""
    if inside:
        take()
    elif source is not None:
        make(source.read())
    else:
        run = [sys.executable, "-m", "lab", "--run", ".venv/bin/python -m lab.pictures --inside"]
        make(subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout)


def take() -> None:
    """Run the command for each picture, in the machine, and print what it prints, a line each."""
    pfs = [PF(address) for address in vfs.PFS]
    for pf in pfs:
        pf.make_vfs()
    os.makedirs("/var/lib/cni", exist_ok=True)
    with scene.made(pfs):
        for shot in SHOTS:
            print(MARK + json.dumps([shot.name, printed(shot)]), flush=True)
        for name, arguments in TEXTS.items():
            text = subprocess.run([COMMAND, *arguments], check=True, capture_output=True, text=True).stdout
            print(MARK + json.dumps([name, text]), flush=True)


def printed(shot: Shot) -> str:
    """Return what the command prints on a terminal, whole."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, shot.width, 0, 0))
    plain = {} if shot.colour else {"NO_COLOR": "1"}
    variables = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", **plain}
    with subprocess.Popen([COMMAND, *shot.arguments], stdout=theirs, stdin=theirs, env=variables) as process:
        os.close(theirs)
        parts = []
        try:
            while part := os.read(ours, 1 << 16):
                parts.append(part)
        except OSError:  # EIO: the last one who had the other end open has closed it (pty(7))
            pass
    os.close(ours)
    if process.returncode != 0:
        raise click.ClickException(f"{shot.name}: exit status {process.returncode}")
    return b"".join(parts).decode().replace("\r\n", "\n")


def make(output: str) -> None:
    """Write the pictures. output: what `take` printed, among other things."""
    PICTURES.mkdir(exist_ok=True)
    found = dict(json.loads(line.removeprefix(MARK)) for line in output.splitlines() if line.startswith(MARK))
    for name in TEXTS:
        (PICTURES / name).write_text(found[name])
    page = PAGE.read_text()
    for shot in SHOTS:
        text = Text.from_ansi(found[shot.name]).plain
        page = with_output(page, shot.name, "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines()))
        for theme in themes(shot):
            (PICTURES / f"{shot.name}-{theme}.svg").write_text(drawn(shot, found[shot.name], theme))
    PAGE.write_text(page)


def with_output(page: str, name: str, text: str) -> str:
    """Return a page with the output of a command, if it shows that: in the block after the comment with its name, below
    the line with the command.
    """
    block = re.compile(rf"(<!-- {re.escape(name)} -->\n```\n\$ [^\n]*\n).*?(?=```)", re.DOTALL)
    return block.sub(lambda found: found[1] + text, page)


def themes(shot: Shot) -> list[str]:
    """Return in which themes a picture is made: without colour there is nothing to choose."""
    return list(THEMES) if shot.colour else ["light"]


def drawn(shot: Shot, text: str, theme: str) -> str:
    """Return what was printed as a picture."""
    console = Console(record=True, width=shot.width, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text.rstrip("\n")))
    title = " ".join(("plumbline", *shot.arguments))
    svg = console.export_svg(title=title, theme=THEMES[theme], code_format=FORMAT, unique_id=f"{shot.name}-{theme}")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


if __name__ == "__main__":
    main()
