"""The first Python code that a binary runs, in place of PyInstaller's bootstrap: modules come from one bundle.

PyInstaller's importer decompresses each module and looks for it in several places; setting it up takes 2 ms more than
this. Here every module is known by name (the format is drawn in bundle.py). Only what the interpreter has loaded by
itself is used, so that this costs next to nothing; `__future__` comes out of the bundle already.
"""

import gc
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


class Bundle:
    """Finds and loads the modules of a bundle, as a meta path finder and loader (PEP 451).

    file: the open descriptor; a version that is swept away while it runs can still be imported from. start: where in
    it the code is. folder: where extension modules are.
    """

    def __init__(self, file: int, index: dict[str, tuple[bool, int, int] | str], start: int, folder: str) -> None:
        self.file = file
        self.index = index
        self.start = start
        self.folder = folder

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return how to load a module, None if the bundle does not hold it."""
        found = self.index.get(name)
        if found is None:
            return None
        if isinstance(found, str):
            origin = f"{self.folder}/{found}"
            return ModuleSpec(name, ExtensionFileLoader(name, origin), origin=origin)
        return ModuleSpec(name, self, is_package=found[0])  # type: ignore[arg-type]  # a Loader in all but name

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the interpreter."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's code."""
        found = self.index[module.__name__]
        assert not isinstance(found, str)
        _, offset, length = found
        exec(loads(os.pread(self.file, length, self.start + offset)), module.__dict__)


def _import_from_bundle() -> None:
    """Put the bundle before all other finders. PyInstaller's loader says where it is: <path>?<offset>."""
    path, _, offset = sys._pyinstaller_pyz.rpartition("?")  # type: ignore[attr-defined]
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    index_at = int(offset) + 8
    length = int.from_bytes(os.pread(file, 8, index_at - 8), "little")
    index = loads(os.pread(file, length, index_at))
    sys.meta_path.insert(0, Bundle(file, index, index_at + length, sys._MEIPASS))  # type: ignore[attr-defined]


def _tidy_environment() -> None:
    """Undo what the launcher set up: it would confuse programs that the plugin executes, an IPAM plugin of ours too.

    The inherited descriptor, whose lock says that this version is in use, is for this process, not for those.
    """
    environ = os.environ
    folder = environ.pop("_PLUMBLINE_FOLDER", "")
    if folder:
        os.set_inheritable(int(folder), False)
    for name in ("_PYI_ARCHIVE_FILE", "_PYI_LINUX_PROCESS_NAME", "_PYI_PARENT_PROCESS_LEVEL", "LD_LIBRARY_PATH"):
        environ.pop(name, None)
    callers = environ.pop("_PLUMBLINE_LD_LIBRARY_PATH", None)
    if callers is not None:
        environ["LD_LIBRARY_PATH"] = callers


# A process of some milliseconds is over before there is garbage worth looking for.
gc.disable()
_import_from_bundle()
_tidy_environment()
