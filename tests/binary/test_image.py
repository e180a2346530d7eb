"""A binary goes on where the interpreter was at its build: what is of a process must be of this one, not of that."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from program.contents import EXTENSIONS, standard_library
from program.image import make_executable
from program.link import check_variables, link
from program.toolchain import SOURCES

ADDR_NO_RANDOMIZE = 0x0040000  # linux/personality.h


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter of our own, to make programs of."""
    return link(str(tmp_path_factory.mktemp("interpreter")), EXTENSIONS)


class Program:
    """Builds a program. Modules are given as their code."""

    def __init__(self, interpreter: str, folder: Path) -> None:
        self.interpreter = interpreter
        self.folder = folder
        self.path = str(folder / "program")

    def build(self, **modules: str) -> None:
        """Build the program, with the module `main` as its main program."""
        sources = {}
        for name, code in modules.items():
            source = self.folder / f"{name}.py"
            source.write_text(code)
            sources["__main__" if name == "main" else name] = str(source)
        make_executable(self.path, self.interpreter, {**standard_library(), **sources}, EXTENSIONS)

    def run(self, code: str, **environ: str) -> str:
        """Build and run a main program, which must succeed; return what it wrote. What it uses is in the image."""
        used = "import _signal, _socket, _thread, fcntl, select, time\n"
        self.build(main=f"import os\n{code}\nos._exit(0)\n", used=used)
        return subprocess.run([self.path], env=environ, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def program(interpreter: str, tmp_path: Path) -> Program:
    return Program(interpreter, tmp_path)


@pytest.mark.parametrize(
    "code",
    ["import posix\nPID = posix.getpid()\n", "import time\nNOW = time.monotonic_ns()\n",
     "import posix\nFOLDER = posix.getcwd()\n", "import posix\nSEED = posix.urandom(8)\n",
     ],
    ids=["process", "clock", "folder", "random"],
)  # fmt: skip
def test_module_that_keeps_what_is_of_the_process(code: str, program: Program) -> None:
    with pytest.raises(ValueError, match="depends on the process it was taken in, at"):
        program.build(main="", keeps=code)
    assert not os.path.exists(program.path)


@pytest.mark.parametrize("code", ["open('/etc/passwd')", "__import__('_socket').socket(2, 2)"], ids=["file", "socket"])
def test_module_that_leaves_a_file_open(code: str, program: Program) -> None:
    """It would be another in the process that goes on, or none."""
    with pytest.raises(ImportError, match="a module has left a file open"):
        program.build(main="", keeps=f"KEPT = {code}\n")
    assert not os.path.exists(program.path)


def test_too_many_modules(program: Program) -> None:
    with pytest.raises(ImportError, match="more modules than MODULES"):
        program.build(main="", **{f"module{number}": "" for number in range(600)})


@pytest.fixture
def fixed_addresses() -> Iterator[None]:
    """What is started meanwhile has the same addresses each time (personality(2))."""
    library = ctypes.CDLL(None)
    before = library.personality(0xFFFFFFFF)
    library.personality(before | ADDR_NO_RANDOMIZE)
    yield
    library.personality(before)


@pytest.mark.parametrize("kept", ["strdup(\"x\")", "alloca(8)", "mmap(NULL, 4096, PROT_NONE, 0x22, -1, 0)"],
                         ids=["of the C library", "of the stack", "mapped"])  # fmt: skip
def test_address_outside_of_the_image(kept: str, fixed_addresses: None, tmp_path: Path) -> None:
    """It is found, even where the kernel does not choose addresses at random."""
    shutil.copytree(SOURCES, tmp_path / "source")
    image = tmp_path / "source/image.c"
    text, place, before = image.read_text(), "    read_input(modules);\n", "extern char __start_"
    assert text.count(place) == text.count(before) == 1
    text = text.replace(place, f"{place}    foreign = {kept};\n")
    image.write_text(text.replace(before, f"static void *volatile foreign;\n{before}"))
    changed = Program(link(str(tmp_path / "interpreter"), EXTENSIONS, str(tmp_path / "source")), tmp_path)
    with pytest.raises(ValueError, match="depends on the process"):
        changed.build(main="")


def test_module_that_cannot_be_loaded(program: Program) -> None:
    with pytest.raises(ImportError, match="ValueError: whatever"):
        program.build(main="", fails="raise ValueError('whatever')\n")
    assert not os.path.exists(program.path)


def test_same_modules_same_binary(program: Program) -> None:
    program.build(main="pass\n", other="A = {str(i): i for i in range(1000)}\n")
    first = Path(program.path).read_bytes()
    program.build(main="pass\n", other="A = {str(i): i for i in range(1000)}\n")
    assert Path(program.path).read_bytes() == first


def test_variables_that_an_image_would_miss(tmp_path: Path) -> None:
    (tmp_path / "own.c").write_text('int own __attribute__((section("own_data"))) = 1;\n')
    subprocess.run(["gcc", "-c", "own.c"], cwd=tmp_path, check=True)
    with pytest.raises(ValueError, match="own_data"):
        check_variables(str(tmp_path / "own.o"))


def test_modules_are_loaded_at_the_build(program: Program) -> None:
    """What a module found when it was loaded, it found then; what the main program finds, it finds now."""
    program.build(
        main="import os, other\nos.write(1, (other.FOUND + os.environ['FOUND']).encode())\nos._exit(0)\n",
        other="import os\nFOUND = os.environ.get('FOUND', 'nothing, ')\n",
    )
    done = subprocess.run([program.path], env={"FOUND": "this"}, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"nothing, this", b"")


def test_environment(program: Program) -> None:
    """It has the variables of the process, the first of each name, even if they are not text."""
    program.build(main="import os\nos.write(1, repr(os.environb).encode())\nos._exit(0)\n")
    caller = subprocess.run(
        ["env", "-i", "A=1", "B=", b"C=\xff", f"TZ={'x' * 70000}", program.path], capture_output=True, check=True
    )
    zone = "x" * 70000
    assert caller.stdout.decode() == f"environ({{b'A': b'1', b'B': b'', b'C': b'\\xff', b'TZ': b'{zone}'}})"


def test_main_thread(program: Program) -> None:
    """Signal handlers run in the thread that Python takes for the main one, and may be set there only."""
    said = program.run(
        "import _signal\n"
        "_signal.signal(_signal.SIGUSR1, lambda number, frame: os.write(1, b'caught '))\n"
        "os.kill(os.getpid(), _signal.SIGUSR1)\n"
        "os.write(1, b'went on')\n"
    )
    assert said == "caught went on"


def test_threads(program: Program) -> None:
    """Others can be started, have another identity, and the interpreter's lock goes round."""
    said = program.run(
        "import _thread\n"
        "main, done, seen = _thread.get_ident(), _thread.allocate_lock(), []\n"
        "def other():\n"
        "    seen.append(_thread.get_ident())\n"
        "    done.release()\n"
        "for _ in range(20):\n"
        "    done.acquire()\n"
        "    _thread.start_new_thread(other, ())\n"
        "    done.acquire()\n"
        "    done.release()\n"
        "os.write(1, repr([len(seen), main in seen, main != 1, main == _thread.get_ident()]).encode())\n"
    )
    assert said == "[20, False, True, True]"


def test_fork(program: Program) -> None:
    said = program.run(
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os.write(1, b'child ')\n"
        "    os._exit(7)\n"
        "os.write(1, str(os.waitpid(child, 0)[1] >> 8).encode())\n"
    )
    assert said == "child 7"


def test_memory_of_the_image_is_left_alone(program: Program) -> None:
    """Objects of the image may grow, shrink and go; what takes their place is new memory."""
    program.build(
        main="import os, kept\n"
        "for _ in range(200):\n"
        "    kept.TABLE.update({str(i): bytes(300) for i in range(1000)})\n"
        "    kept.LIST.extend(range(2000)); del kept.LIST[10:]\n"
        "    kept.TABLE.clear()\n"
        "del kept.TEXT\n"
        "kept.TABLE['a'] = kept.LIST\n"
        "os.write(1, repr(kept.TABLE).encode())\n"
        "os._exit(0)\n",
        kept="TABLE = {str(i): i for i in range(5000)}\nLIST = list(range(10))\nTEXT = 'x' * 100000\n",
    )
    done = subprocess.run([program.path], capture_output=True, check=True)
    assert done.stdout == b"{'a': [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}"


def test_main_program_fails(program: Program) -> None:
    """The runtime gets an error object, the operator a stack trace."""
    program.build(main="raise ValueError('whatever')\n")
    done = subprocess.run([program.path], capture_output=True)
    assert done.returncode == 1
    assert b'"code": 5, "msg": "cannot start the plugin: its code failed to start"' in done.stdout
    assert b"ValueError: whatever" in done.stderr


def test_nothing_else_can_be_imported(program: Program) -> None:
    """Not from the working directory, nor from where the interpreter was made."""
    said = program.run(
        "try:\n"
        "    exec_module = __import__('json')\n"
        "except ModuleNotFoundError as e:\n"
        "    os.write(1, str(e).encode())\n"
    )
    assert said == "No module named 'json'"
