"""What takes the place of parts of CPython, so that nothing else of it gets linked: the source of tables.c.

These are its tables of extension modules and of the modules that it has frozen in itself (Modules/config.c,
Python/frozen.c, Python/deepfreeze/deepfreeze.c).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from program.version import described

OWN = "_plumbline"
"""The extension module in module.c."""

TABLES = """\
#include <Python.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
const char program_build[] =
    "{described}, CPython " PY_VERSION ", GNU C library " TEXT(__GLIBC__) "." TEXT(__GLIBC_MINOR__) "{remark}";

{declarations}
struct _inittab _PyImport_Inittab[] = {{
{rows}
    {{NULL, NULL}},
}};

static const struct _frozen none[1];
const struct _frozen *PyImport_FrozenModules, *_PyImport_FrozenBootstrap = none;
const struct _frozen *_PyImport_FrozenStdlib = none, *_PyImport_FrozenTest = none;

struct _module_alias;
const struct _module_alias *_PyImport_FrozenAliases = (const struct _module_alias *)none;

uint32_t _Py_next_func_version = 1; /* CPython 3.12 has it in deepfreeze.c */

int _Py_Deepfreeze_Init(void);
int _Py_Deepfreeze_Init(void)
{{
    return 0;
}}

void _Py_Deepfreeze_Fini(void);
void _Py_Deepfreeze_Fini(void)
{{
}}
"""


def tables(folder: str, builtins: Iterable[str], remark: str) -> str:
    """Return the source of the tables, with these extension modules.

    folder: of CPython's static library. builtins: names of the modules, of those that the library has. remark: what a
    binary says of itself behind its versions. Raises OSError, and KeyError for a module that the library has not.
    """
    names, functions = sorted(builtins), {**_functions(folder), OWN: f"PyInit_{OWN}"}
    return TABLES.format(
        described=described(),
        remark=remark,
        declarations="\n".join(f"PyObject *{functions[name]}(void);" for name in names if functions[name] != "NULL"),
        rows="\n".join(f'    {{"{name}", {functions[name]}}},' for name in names),
    )


def _functions(folder: str) -> dict[str, str]:
    """Return the initialising function of each extension module in the static library: {module: function}.

    They are taken from the table that CPython's build leaves beside the library (Modules/config.c.in).
    """
    with open(os.path.join(folder, "config.c")) as file:
        return dict(re.findall(r'^\s*{"(\w+)", (\w+)},', file.read(), re.MULTILINE))
