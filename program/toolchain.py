"""Compiler and linker as both flavours of a binary use them, with CPython's static library and our C files."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Iterable

from program.tables import tables

SOURCES = os.path.dirname(os.path.abspath(__file__))

# Addresses are fixed: an image is full of them, and there is nothing to relocate at every start.
COMPILE = ("-O2", "-Wall", "-Wextra", "-Werror", "-fno-pie")
# The linker would warn of functions that look up users and hosts by libraries of the system: no plugin has them called.
LINK = ("-static", "-no-pie", "-s", "-Wl,--no-warnings")
LIBRARIES = ("-lm",)


def compiled(source: str, folder: str) -> str:
    """Compile a C file, or assemble a file that ends in `.s`, and return the path of the object in the folder."""
    target = os.path.join(folder, os.path.splitext(os.path.basename(source))[0] + ".o")
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run(["gcc", *COMPILE, include, "-c", source, "-o", target], check=True)
    return target


def objects(folder: str, sources: Iterable[str], builtins: Iterable[str], remark: str) -> list[str]:
    """Compile our C files, and the tables with these extension modules; return the paths of the objects."""
    path = os.path.join(folder, "tables.c")
    with open(path, "w") as file:
        file.write(tables(library_folder(), builtins, remark))
    return [compiled(source, folder) for source in (path, *sources)]


def joined(target: str, *parts: str, options: Iterable[str] = ()) -> None:
    """Make one object of several, and of what these need of libraries among them."""
    subprocess.run(["ld", "-r", *options, *parts, "-o", target], check=True)


def replace_functions(path: str, names: Iterable[str]) -> None:
    """Have an object call `program_NAME` in place of each NAME. What would unwind the stack of C is left out."""
    functions = [f"--redefine-sym={name}=program_{name}" for name in names]
    subprocess.run(["objcopy", *functions, "--remove-section=.eh_frame", path], check=True)


def make_static(target: str, *parts: str) -> None:
    """Link objects and the C library to a static executable. The linker's options may be among the parts."""
    subprocess.run(["gcc", *LINK, *parts, *LIBRARIES, "-o", target], check=True)


def library() -> str:
    """Return the path of CPython's static library."""
    return os.path.join(library_folder(), str(sysconfig.get_config_var("LIBRARY")))


def library_folder() -> str:
    """Return where CPython's static library is, and the table of extension modules that it was built with."""
    return str(sysconfig.get_config_var("LIBPL"))
