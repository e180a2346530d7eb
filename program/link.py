"""The interpreter of all binaries: CPython's static library, linked so that its memory can be taken as an image.

What belongs to the interpreter is told from what belongs to the C library, which is new in each process: the variables
of CPython and of our own C files get a section of their own, and the functions in libc.c take the place of some of the
C library's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable

from program.version import described

# Addresses are fixed: the image is full of them, and there is nothing to relocate at every start.
COMPILE = ("-O2", "-Wall", "-Wextra", "-Werror", "-fno-pie")
# The linker would warn of functions that look up users and hosts by libraries of the system: no plugin has them called.
LINK = ("-static", "-no-pie", "-s", "-Wl,--no-warnings")
LIBRARIES = ("-lm",)

OF_THE_IMAGE = ("main.c", "module.c", "image.c")
"""Their variables are of the image, as CPython's are; those of libc.c and crash.c are not."""

OWN = "_plumbline"
"""The extension module in module.c."""

RENAMED_FUNCTIONS = ("malloc", "calloc", "realloc", "free", "pthread_self", "pthread_create", "write")
NOT_USED = "EXCLUDE_FILE(*obmalloc.o)"
"""CPython's own allocators: the C library's is used. That is a quarter of a megabyte of zeros, and in CPython 3.13 what
mimalloc begins with in each process. (In 3.11, the variables that say which allocator is used are here, too.)"""
SECTIONS = f"""\
SECTIONS {{
    plumbline_data : {{
        *({NOT_USED if sys.version_info >= (3, 12) else ""} .data .data.*)
        *(.PyRuntime .probes)
        *({NOT_USED} .bss COMMON)
    }}
}}
"""
ARRAY_SECTION = "plumbline_array"
"""The linker puts it behind all others, as the last of those that it does not know."""
OTHER_SECTIONS = frozenset({".bss", ".data", ".init_array", ".tbss", ".tdata"})
"""Those of what is not used, and what each thread has: PyEval_RestoreThread() puts there what CPython has there since
3.12."""
SECTION = re.compile(r"^ *\[ *\d+\] (\S+) +[A-Z_]+ +[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) \d+ +([A-Zop]+) ", re.MULTILINE)
"""Name, size and flags of a section, as readelf(1) shows them."""

TABLES = """\
#include <Python.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
const char program_build[] =
    "{described}, CPython " PY_VERSION ", GNU C library " TEXT(__GLIBC__) "." TEXT(__GLIBC_MINOR__);

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
"""What the interpreter is built of, and what takes the place of parts of CPython, so that nothing else gets linked: of
its tables of extension modules and of the modules that it has frozen in itself (Modules/config.c, Python/frozen.c,
Python/deepfreeze/deepfreeze.c)."""


def link(folder: str, builtins: Iterable[str]) -> str:
    """Make the interpreter in a folder, and return its path.

    builtins: names of the extension modules to build in, of those that CPython's static library has. Raises OSError,
    KeyError for an extension module that the library does not have, ValueError for a library with variables that an
    image would miss, and subprocess.CalledProcessError when the compiler or the linker fails.
    """
    os.makedirs(folder, exist_ok=True)
    tables, sections, partial, interpreter = (
        os.path.join(folder, name) for name in ("tables.c", "sections", "partial.o", "interpreter")
    )
    for path, content in ((tables, _tables(sorted(builtins))), (sections, SECTIONS)):
        with open(path, "w") as file:
            file.write(content)
    ours = os.path.dirname(__file__)
    objects = [_compiled(source, folder) for source in (tables, *(os.path.join(ours, name) for name in OF_THE_IMAGE))]
    subprocess.run(["ld", "-r", "-T", sections, *objects, _library(), "-o", partial], check=True)
    functions = [f"--redefine-sym={name}=program_{name}" for name in RENAMED_FUNCTIONS]
    # Nothing unwinds the stack of C.
    subprocess.run(["objcopy", *functions, "--remove-section=.eh_frame", partial], check=True)
    check_variables(partial)
    library, crash = (_compiled(os.path.join(ours, name), folder) for name in ("libc.c", "crash.c"))
    subprocess.run(["objcopy", f"--rename-section=.bss={ARRAY_SECTION}", library], check=True)
    subprocess.run(["gcc", *LINK, partial, library, crash, *LIBRARIES, "-o", interpreter], check=True)
    return interpreter


def _compiled(source: str, folder: str) -> str:
    target = os.path.join(folder, os.path.basename(source).removesuffix(".c") + ".o")
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run(["gcc", *COMPILE, include, "-c", source, "-o", target], check=True)
    return target


def check_variables(path: str) -> None:
    """Raise ValueError if an object file has variables that would not be in an image."""
    described = subprocess.run(["readelf", "-SW", path], check=True, capture_output=True, text=True).stdout
    for name, size, flags in SECTION.findall(described):
        if "W" in flags and int(size, 16) and name != "plumbline_data" and name not in OTHER_SECTIONS:
            raise ValueError(f"the {int(size, 16)} bytes of variables in {name} of {path} would not be in an image")


def _tables(builtins: list[str]) -> str:
    """Return the source of the tables of modules."""
    functions = {**_functions(), OWN: f"PyInit_{OWN}"}
    return TABLES.format(
        described=described(),
        declarations="\n".join(f"PyObject *{functions[x]}(void);" for x in builtins if functions[x] != "NULL"),
        rows="\n".join(f'    {{"{name}", {functions[name]}}},' for name in builtins),
    )


def _library() -> str:
    return os.path.join(_library_folder(), str(sysconfig.get_config_var("LIBRARY")))


def _library_folder() -> str:
    """Return where CPython's static library is, and the table of extension modules that it was built with."""
    return str(sysconfig.get_config_var("LIBPL"))


def _functions() -> dict[str, str]:
    """Return the initialising function of each extension module in the static library: {module: function}.

    They are taken from the table that CPython's build leaves beside the library (Modules/config.c.in).
    """
    with open(os.path.join(_library_folder(), "config.c")) as file:
        return dict(re.findall(r'^\s*{"(\w+)", (\w+)},', file.read(), re.MULTILINE))
