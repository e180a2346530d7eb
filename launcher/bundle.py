"""One file with the code of all modules, made for being imported from quickly by start.py. It holds:

    8 bytes     length of the index, little-endian
    index       marshalled {name: (is a package, offset of the code, length), or an extension module's file name}
    code        marshalled code objects, one after the other

The same modules give the same file.
"""

from __future__ import annotations

import _imp
import marshal
import os
import zipfile
from collections.abc import Iterable, Mapping

PYC_HEADER = 16
"""Bytes before the code in a .pyc file (PEP 552)."""


def write_bundle(
    target: str, modules: Iterable[tuple[str, str, str]], base_library: str, extensions: Mapping[str, str]
) -> None:
    """Write the bundle `target`.

    modules: PyInstaller's table of pure modules: (name, path of the source, kind). base_library: the zip in which
    PyInstaller puts the modules that it needs itself. extensions: {module: file name} of extension modules. Raises
    OSError, SyntaxError.
    """
    codes: dict[str, tuple[bool, bytes]] = {}
    with zipfile.ZipFile(base_library) as library:
        for path in library.namelist():
            if not path.startswith("encodings/"):  # the interpreter needs those before it can run start.py
                _add(codes, path, library.read(path)[PYC_HEADER:])
    for name, source, _ in modules:
        path = name.replace(".", "/") + ("/__init__" if os.path.basename(source) == "__init__.py" else "")
        with open(source, "rb") as file:
            code = compile(file.read(), f"{path}.py", "exec", dont_inherit=True, optimize=2)
        _add(codes, f"{path}.pyc", marshal.dumps(code))
    index: dict[str, tuple[bool, int, int] | str] = dict(extensions)
    blob = b""
    for name in sorted(codes):
        is_package, data = codes[name]
        index[name] = (is_package, len(blob), len(data))
        blob += data
    head = marshal.dumps(index)
    with open(target, "wb") as file:
        file.write(len(head).to_bytes(8, "little") + head + blob)


def trim_base_library(source: str, target: str, encodings: Iterable[str]) -> None:
    """Copy PyInstaller's zip with nothing but these modules of the package `encodings`: the rest is in the bundle."""
    with zipfile.ZipFile(source) as library, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as trimmed:
        for name in sorted(encodings):
            path = f"encodings/{name}.pyc"
            trimmed.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), library.read(path))


def _add(codes: dict[str, tuple[bool, bytes]], path: str, code: bytes) -> None:
    """Add a module, unless the interpreter has it frozen in itself."""
    package = path.removesuffix("/__init__.pyc")
    name = package.removesuffix(".pyc").replace("/", ".")
    if not _imp.is_frozen(name):
        codes[name] = (package != path, code)
