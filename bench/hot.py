"""Lists the functions that the usual requests run: program/hot.py anew, by which the binaries are laid out.

The plugins run from their sources here, with a profiler in them. Those for VFs need a NIC; hot.py has them as a whole.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import click

from bench.rig import OURS, Rig, private_machine
from program.contents import STANDARD_LIBRARY
from program.modules import ONLY_FROM_THE_SOURCE
from program.toolchain import SOURCES
from tests.support.plugin import REPOSITORY

TARGET = os.path.join(SOURCES, "hot.py")
WIDTH = 120

REQUESTS = [
    (plugin, command) for plugin in ("host-device", "host-local", "static") for command in ("VERSION", "ADD", "DEL")
]
MAIN = {
    "host-device": "plugins.host_device.__main__",
    "host-local": "ipam.host_local.__main__",
    "static": "ipam.static.__main__",
}

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
    functions: dict[str, set[str]] = {}
    with private_machine(), tempfile.NamedTemporaryFile("r") as file:
        rig = Rig(1)
        for plugin, command in REQUESTS:
            request = rig.command(OURS, plugin, command)
            subprocess.run([sys.executable, "-c", PROFILED, MAIN[plugin], file.name], cwd=REPOSITORY, check=True,
                           env=request.variables, input=request.stdin, stdout=subprocess.DEVNULL)  # fmt: skip
        for line in file:
            module, name = line.rstrip("\n").split(" ", 1)
            ours = module.partition(".")[0] in ("cni", "ipam", "plugins") and module not in elsewhere
            if (ours or module in STANDARD_LIBRARY) and not name.startswith(("<", "__create_fn__")):
                functions.setdefault(module, set()).add(name.partition(".<locals>")[0])
    return functions


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
    """List anew which functions the usual requests run (program/hot.py)."""
    with open(TARGET) as file:
        before, mark, _ = file.read().partition('FUNCTIONS = """\\\n')
    with open(TARGET, "w") as file:
        file.write("\n".join([before + mark.rstrip("\n"), *written(found()), '"""\n']))
