"""Lists the functions that the usual requests run: program/hot.py anew, by which the binaries are laid out.

The plugins run from their sources here, with a profiler in them. Those for VFs need a NIC: they run in the lab.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import click

from bench.process import Command
from bench.rig import OURS, Rig, private_machine
from bench.vfs import usual
from program.contents import STANDARD_LIBRARY
from program.modules import ONLY_FROM_THE_SOURCE
from program.toolchain import SOURCES
from tests.support import vfs
from tests.support.plugin import REPOSITORY

TARGET = os.path.join(SOURCES, "hot.py")
WIDTH = 120

IPAM = ("host-local", "static")

PROFILED = """\
import _thread, importlib, os, sys
from cni import skel
program, seen, process = importlib.import_module(sys.argv[1]).PROGRAM, set(), os.getpid()
leave, start = os._exit, _thread.start_new_thread
def note(frame, event, argument):
    if event == 'call':
        seen.add((frame.f_globals['__name__'], frame.f_code.co_qualname))
def tell(status):
    if os.getpid() == process:
        sys.setprofile(None)
        with open(sys.argv[2], 'a') as file:
            file.writelines(f'{module} {name}\\n' for module, name in seen)
    leave(status)
def profiled(function, *arguments):
    sys.setprofile(note)
    function(*arguments)
os._exit, _thread.start_new_thread = tell, lambda function, arguments: start(profiled, (function, *arguments))
sys.setprofile(note)
skel.main(program)
"""
"""Runs a plugin, the main module of which is the first argument, and appends to the second what it has called."""


def found() -> dict[str, set[str]]:
    """Return the functions that ran, of the modules that go into a binary: {module: qualified names}."""
    elsewhere = {module for _, module in ONLY_FROM_THE_SOURCE}
    with private_machine():
        seen = [_seen(plugin, request) for plugin, request in _without_vfs()]
    in_lab = [sys.executable, "-m", "lab", "--run", ".venv/bin/python -m bench hot"]
    seen.append(subprocess.run(in_lab, cwd=REPOSITORY, check=True, text=True, stdout=subprocess.PIPE).stdout)
    functions: dict[str, set[str]] = {}
    for line in "".join(seen).splitlines():
        module, whole = line.split(" ", 1)
        name = whole.partition(".<locals>")[0]
        ours = module.partition(".")[0] in ("cni", "ipam", "plugins") and module not in elsewhere
        if (ours or module in STANDARD_LIBRARY) and "<" not in name and not name.startswith("__create_fn__"):
            functions.setdefault(module, set()).add(name)
    return functions


def _without_vfs() -> Iterator[tuple[str, Command]]:
    """Give the usual requests to the other plugins, with the plugin's name."""
    rig = Rig(1)
    for plugin in ("host-device", *IPAM):
        for command in ("VERSION", "ADD", "DEL"):
            yield plugin, rig.command(OURS, plugin, command)


def _seen(plugin: str, request: Command) -> str:
    """Make a request, and return the functions that ran for it: lines of a module and a name."""
    main = f"{'ipam' if plugin in IPAM else 'plugins'}.{plugin.replace('-', '_')}.__main__"
    with tempfile.NamedTemporaryFile("r") as file:
        subprocess.run([sys.executable, "-c", PROFILED, main, file.name], cwd=REPOSITORY, check=True,
                       env=request.variables, input=request.stdin, stdout=subprocess.DEVNULL)  # fmt: skip
        return file.read()


def written(functions: dict[str, set[str]]) -> list[str]:
    """Return lines of a module and its functions each, as many as it takes."""
    lines: list[str] = []
    for module in sorted(functions):
        lines.append(module)
        for name in sorted(functions[module]):
            if len(lines[-1]) + 1 + len(name) > WIDTH:
                lines.append(module)
            lines[-1] += f" {name}"
    return lines


@click.command("hot")
def hot() -> None:
    """List anew which functions the usual requests run (program/hot.py). In the lab: print those of VFs' requests."""
    if vfs.in_lab():
        for plugin, request in usual():
            click.echo(_seen(plugin, request), nl=False)
        return
    with open(TARGET) as file:
        before, mark, _ = file.read().partition('FUNCTIONS = """\\\n')
    with open(TARGET, "w") as file:
        file.write("\n".join([before + mark.rstrip("\n"), *written(found()), '"""\n']))
