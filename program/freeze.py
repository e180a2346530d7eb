"""From the modules of a plugin to one static executable: the build's last step.

What is linked, besides main.c and CPython's own library: a table of frozen modules, and one of those extension modules
that are to be built in, which takes the place of CPython's own, so that nothing else gets linked.
"""

from __future__ import annotations

import ast
import marshal
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType

COMPILE = ("-O2", "-Wall", "-Wextra", "-Werror")
# Not position-independent: there is nothing to relocate at every start. The linker would warn of functions that look up
# users and hosts by libraries of the system: no plugin has them called.
LINK = ("-static", "-no-pie", "-s", "-Wl,--no-warnings")
LIBRARIES = ("-lm",)
PACKAGE = "/__init__.py"

OWN = "_plumbline"
"""The extension module in main.c."""

ONLY_FROM_THE_SOURCE = frozenset({("cni.libc", "ctypes")})
"""(module, what it imports) only when it does not find what a binary has."""

OF_THE_INTERPRETER = frozenset({"abc", "codecs", "io", "os", "posixpath", "stat"})
"""Modules that the interpreter has frozen in itself, and that need no others."""

TABLES = """\
#include <Python.h>

extern const unsigned char plumbline_code[];
__asm__(".section .rodata\\n.balign 16\\nplumbline_code: .incbin \\"{code}\\"\\n.previous\\n");

extern const struct _frozen plumbline_modules[];
const struct _frozen plumbline_modules[] = {{
{modules}
    {{.name = NULL}},
}};

{declarations}
struct _inittab _PyImport_Inittab[] = {{
{builtins}
    {{NULL, NULL}},
}};
"""


def freeze(target: str, folder: str, modules: Mapping[str, str], builtins: Iterable[str]) -> None:
    """Write the executable `target`.

    folder: for what is made on the way. modules: {name: path of the source}, with the program as `__main__`. builtins:
    names of the extension modules to build in, of those that CPython's static library has. Raises OSError,
    SyntaxError, ImportError for a module that is imported and not there, KeyError for an extension module that the
    library does not have, and subprocess.CalledProcessError when the compiler fails.
    """
    builtins = sorted({*builtins, OWN})
    _check_imports(modules, builtins)
    os.makedirs(folder, exist_ok=True)
    code, tables = os.path.join(folder, "code"), os.path.join(folder, "tables.c")
    blob, rows = _frozen(modules)
    with open(code, "wb") as file:
        file.write(blob)
    functions = {**_functions(), OWN: f"PyInit_{OWN}"}
    with open(tables, "w") as text:
        text.write(
            TABLES.format(
                code=code,
                modules="\n".join(rows),
                declarations="\n".join(f"PyObject *{functions[x]}(void);" for x in builtins if functions[x] != "NULL"),
                builtins="\n".join(f'    {{"{name}", {functions[name]}}},' for name in builtins),
            )
        )
    linked = os.path.join(folder, "linked")
    main = os.path.join(os.path.dirname(__file__), "main.c")
    include = f"-I{sysconfig.get_path('include')}"
    library = os.path.join(_library_folder(), str(sysconfig.get_config_var("LIBRARY")))
    subprocess.run(["gcc", *COMPILE, *LINK, include, main, tables, library, *LIBRARIES, "-o", linked], check=True)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.replace(linked, target)  # a running binary cannot be written to


def _frozen(modules: Mapping[str, str]) -> tuple[bytes, list[str]]:
    """Return the code of all modules, one after the other, and their rows of the table."""
    blob, rows = b"", []
    for name, source in sorted(modules.items()):
        data = marshal.dumps(_compiled(name, source))
        place = f".code = plumbline_code + {len(blob)}, .size = {len(data)}"
        rows.append(f'    {{.name = "{name}", {place}, .is_package = {int(source.endswith(PACKAGE))}}},')
        blob += data
    return blob, rows


def _check_imports(modules: Mapping[str, str], builtins: Iterable[str]) -> None:
    """Raise ImportError if a module imports one that will not be there: PyInstaller only warns of those."""
    there = {*modules, *builtins, *OF_THE_INTERPRETER}
    for name, source in modules.items():
        if name.partition(".")[0] in sys.stdlib_module_names and name != "__main__":
            continue  # often for other systems than Linux
        with open(source, "rb") as file:
            tree = ast.parse(file.read())
        for imported in _imports(tree, modules):
            if imported not in there and (name, imported) not in ONLY_FROM_THE_SOURCE:
                raise ImportError(f"{name} imports {imported}, which is not among the modules of the binary")


def _imports(node: ast.AST, modules: Mapping[str, str]) -> Iterator[str]:
    """Give the names of the modules that the code imports, but for those that only a type checker does."""
    children = ast.iter_child_nodes(node)
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = "." * node.level + (node.module or "")
        yield package
        if modules.get(package, "").endswith(PACKAGE):  # whose own code defines nothing
            yield from (f"{package}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        children = iter(node.orelse)
    for child in children:
        yield from _imports(child, modules)


def _compiled(name: str, source: str) -> CodeType:
    path = name.replace(".", "/") + (PACKAGE if source.endswith(PACKAGE) else ".py")
    with open(source, "rb") as file:
        code: CodeType = compile(file.read(), path, "exec", dont_inherit=True, optimize=2)
    return code


def _library_folder() -> str:
    """Return where CPython's static library is, and the table of extension modules that it was built with."""
    return str(sysconfig.get_config_var("LIBPL"))


def _functions() -> dict[str, str]:
    """Return the initialising function of each extension module in the static library: {module: function}.

    They are taken from the table that CPython's build leaves beside the library (Modules/config.c.in).
    """
    with open(os.path.join(_library_folder(), "config.c")) as file:
        return dict(re.findall(r'^\s*{"(\w+)", (\w+)},', file.read(), re.MULTILINE))
