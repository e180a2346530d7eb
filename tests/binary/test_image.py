"""A binary goes on where the interpreter was at its build: what is of a process must be of this one, not of that."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from program.circumstances import DIFFERENCES, Difference, different
from program.contents import EXTENSIONS, WHILE_LOADED, standard_library
from program.hot import FUNCTIONS
from program.image import make_executable
from program.link import check_variables, link
from program.modules import traced
from program.takes import Takes
from program.toolchain import SOURCES
from tests.support.plugin import REPOSITORY

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

    def sources(self, **modules: str) -> dict[str, str]:
        """Return the paths of the program's modules, with the module `main` as its main program."""
        sources = {}
        for name, code in modules.items():
            source = self.folder / f"{name}.py"
            source.write_text(code)
            sources["__main__" if name == "main" else name] = str(source)
        return {**standard_library(), **sources}

    def build(self, **modules: str) -> None:
        """Build the program."""
        make_executable(self.path, self.interpreter, self.sources(**modules), EXTENSIONS)

    def run(self, code: str, **environ: str) -> str:
        """Build and run a main program, which must succeed; return what it wrote. What it uses is in the image."""
        used = "import _signal, _socket, _thread, fcntl, select, time\n"
        self.build(main=f"import os\n{code}\nos._exit(0)\n", used=used)
        return subprocess.run([self.path], env=environ, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def program(interpreter: str, tmp_path: Path) -> Program:
    return Program(interpreter, tmp_path)


KEPT = {
    "process": ("import posix\nKEPT = posix.getpid()\n", "the moment, the process or chance"),
    "clock": ("import time\nKEPT = time.monotonic_ns()\n", "the moment, the process or chance"),
    "random": ("import posix\nKEPT = posix.urandom(8)\n", "the moment, the process or chance"),
    "folder": ("import posix\nKEPT = posix.getcwd()\n", "the working directory"),
    "host": ("import posix\nKEPT = posix.uname().nodename\n", "the host name"),
    "CPUs": ("import posix\nKEPT = posix.cpu_count()\n", "the number of CPUs"),
    "affinity": ("import posix\nKEPT = posix.sched_getaffinity(0)\n", "the CPUs that may be used"),
    # The host name is looked up, too; its length has a say in where other things are.
    "kernel": ("import posix\nKEPT = posix.uname().release\n", "(the host name, )?the kernel's version"),
    "user": ("import posix\nKEPT = posix.getuid()\n", "the user"),
    "user, of a dataclass": (
        "import posix\nfrom dataclasses import dataclass\n@dataclass(slots=True)\nclass K:\n    who: int\n"
        "KEPT = K(posix.geteuid())\n", "the user"),
    "group, of an object": ("import posix\nclass K: pass\nKEPT = K()\nKEPT.who = [posix.getgid()]\n", "the user"),
}  # fmt: skip


@pytest.mark.parametrize(("code", "depends"), KEPT.values(), ids=KEPT)
def test_module_that_keeps_what_is_of_the_process(code: str, depends: str, program: Program) -> None:
    """The build fails, and tells which variable of which module, and on what it depends."""
    if depends == "the CPUs that may be used" and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("the tests have one CPU, so nothing can have fewer")
    expected = (
        f"depends on the process it was taken in, at 0x[0-9a-f]+.*: on {depends}\n  keeps.KEPT is .* in one process"
    )
    with pytest.raises(ValueError, match=expected):
        program.build(main="", keeps=code)
    assert not os.path.exists(program.path)


def test_module_that_keeps_the_boot_id(program: Program) -> None:
    """Where nobody watches what files are opened, the second take sees it."""
    code = "with open('/proc/sys/kernel/random/boot_id') as file:\n    KEPT = file.read()\n"
    takes = Takes(program.interpreter, program.sources(main="", keeps=code))
    with pytest.raises(ValueError, match=r"on the boot ID\n  keeps.KEPT is '[0-9a-f-]{36}\\n' in one process"):
        takes.image()


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda x: x.what)
def test_each_difference_can_be_made(difference: Difference, interpreter: str) -> None:
    """As root, whom the tests need. (One CPU cannot be made fewer.)"""
    _, excuses = different((difference,), interpreter)
    assert excuses == () or "CPUs that may be used" in excuses[0]


WITHOUT_NAMESPACES = """\
for kind in user uts mnt; do echo 0 >/proc/sys/user/max_${kind}_namespaces; done
exec "$@"
"""


def test_where_there_are_no_namespaces(program: Program) -> None:
    """As in many a container: the rest is different, and what is not is told, with the reason."""
    code = (
        "import sys\nfrom program.circumstances import DIFFERENCES, different\nfrom program.takes import Takes\n"
        "circumstances, excuses = different(DIFFERENCES, sys.argv[1])\nprint(*excuses, sep='\\n')\n"
        "from program.contents import standard_library\n"
        "Takes(sys.argv[1], {**standard_library(), '__main__': sys.argv[2]}).image()\n"
    )
    command = ["unshare", "--user", "--map-root-user", "sh", "-ec", WITHOUT_NAMESPACES, "sh"]
    main = program.sources(main="")["__main__"]
    done = subprocess.run([*command, sys.executable, "-c", code, program.interpreter, main], cwd=REPOSITORY,
                          capture_output=True, text=True)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    told = [line.split(": ", 1) for line in done.stdout.splitlines()]
    assert [what for what, _ in told if what != "the CPUs that may be used"] == [
        "the host name", "the boot ID", "the number of CPUs", "the user",
    ]  # fmt: skip
    assert all("unshare failed: No space left on device" in why for _, why in told[:3])


REFUSED = {
    "file": ("open('/etc/passwd')", r"open\('/etc/passwd'.*line 2, in <module>$"),
    "file, in the import system": ("import os\nos.scandir('/')", r"os.scandir\('/'\)"),
    "look at a file": ("import os\nos.path.exists('/etc/passwd')", r"os.stat\('/etc/passwd'\)"),
    "socket": ("import _socket\n_socket.socket(2, 2)", r"socket.__new__\(2, 2, "),
    "name of the machine": ("import _socket\n_socket.gethostname()", r"socket.gethostname\(\)"),
    "variable": ("import os\nos.environ.get('HOME')", r"the environment: b'HOME'"),
    "variable, by bytes": ("import os\nos.environb[b'HOME']", r"the environment: b'HOME'"),
    "variable, as posix has it": ("import posix\nlist(posix.environ)", r"the environment:"),
    "all variables": ("import os\ndict(os.environ)", r"the environment:"),
    "variable that is set": ("import os\nos.environ['A'] = 'b'", r"os.putenv\(b'A', b'b'\)"),
    "process": ("import os\nos.posix_spawn('/bin/true', ['true'], {})", r"os.posix_spawn\("),
}


@pytest.mark.parametrize(("code", "said"), REFUSED.values(), ids=REFUSED)
def test_module_that_does_what_it_may_not(code: str, said: str, program: Program) -> None:
    """It is named, even where another module does it for it, and where it does not want to know of errors."""
    lines = "".join(f"    {line}\n" for line in code.splitlines())
    with pytest.raises(ImportError, match=f"(?ms)keeps may not do this when it is loaded, .*: {said}"):
        program.build(main="", keeps=f"try:\n{lines}except BaseException:\n    pass\n")
    assert not os.path.exists(program.path)


def test_module_that_may_do_it_later(program: Program) -> None:
    """What a function does when a plugin calls it is the process's."""
    program.build(
        main="import later\nlater.tell()\n",
        later="import os\nfrom os import environ, stat\nfrom posix import uname\n"
        "def tell():\n"
        "    stat('/proc')\n"
        "    os.write(1, f\"{environ['WHO']} {uname().nodename}\".encode())\n"
        "    os._exit(0)\n",
    )
    done = subprocess.run([program.path], env={"WHO": "me"}, check=True, capture_output=True, text=True)
    assert done.stdout == f"me {os.uname().nodename}"


def test_module_that_leaves_a_file_open(program: Program) -> None:
    """It would be another in the process that goes on, or none. Of this one no hook is told."""
    with pytest.raises(ImportError, match="a module has left a file open"):
        program.build(main="", keeps="import select\nKEPT = select.epoll()\n")
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


@pytest.mark.parametrize("kept", ["realpath(\"/\", NULL)", "alloca(8)", "mmap(NULL, 4096, PROT_NONE, 0x22, -1, 0)"],
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
    elsewhere = tuple(x for x in DIFFERENCES if x.displacement)  # others would let the kernel choose again
    with pytest.raises(ValueError, match="on where memory is"):
        Takes(changed.interpreter, changed.sources(main=""), elsewhere).image()


def test_module_that_cannot_be_loaded(program: Program) -> None:
    with pytest.raises(ImportError, match="ValueError: whatever"):
        program.build(main="", fails="raise ValueError('whatever')\n")
    assert not os.path.exists(program.path)


def test_same_modules_same_binary(program: Program) -> None:
    program.build(main="pass\n", other="A = {str(i): i for i in range(1000)}\n")
    first = Path(program.path).read_bytes()
    program.build(main="pass\n", other="A = {str(i): i for i in range(1000)}\n")
    assert Path(program.path).read_bytes() == first


def test_new_function_of_the_c_library(tmp_path: Path) -> None:
    """What one keeps would be missing in a process. tests/unit/program/test_functions.py has more."""
    shutil.copytree(SOURCES, tmp_path / "source")
    with open(tmp_path / "source/run.c", "a") as file:
        file.write("long draw(void);\nlong draw(void)\n{\n    return random();\n}\n")
    with pytest.raises(ValueError, match=r"not called before: random\(\) in run\.o\. .*/functions\.toml"):
        link(str(tmp_path / "interpreter"), EXTENSIONS, str(tmp_path / "source"))


def test_variables_that_an_image_would_miss(tmp_path: Path) -> None:
    (tmp_path / "own.c").write_text('int own __attribute__((section("own_data"))) = 1;\n')
    subprocess.run(["gcc", "-c", "own.c"], cwd=tmp_path, check=True)
    with pytest.raises(ValueError, match="own_data"):
        check_variables(str(tmp_path / "own.o"))


def test_modules_are_loaded_at_the_build(program: Program) -> None:
    """What a module did when it was loaded, it did then; what the main program does, it does now."""
    program.build(
        main="import os, other\nother.LOADED.append(os.environ['FOUND'])\nos.write(1, repr(other.LOADED).encode())\n"
        "os._exit(0)\n",
        other="LOADED = []\nLOADED.append('once')\n",
    )
    for found in ("this", "that"):
        done = subprocess.run([program.path], env={"FOUND": found}, capture_output=True, check=True)
        assert (done.stdout, done.stderr) == (f"['once', '{found}']".encode(), b"")


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


def test_what_was_freed_is_not_in_the_image(program: Program) -> None:
    """Not even as a hole, in the midst of what stays."""
    program.build(main="pass\n", other="A = [[i] for i in range(100)]\n")
    before = os.path.getsize(program.path)
    program.build(main="pass\n", other="A = [[bytes(9999), [i]] for i in range(100)]\nA = [x[1] for x in A]\n")
    assert os.path.getsize(program.path) - before < 20_000


def test_what_runs_use_lies_together(interpreter: str, tmp_path: Path) -> None:
    """Before everything else, whenever it was loaded: functions that program/hot.py lists, here."""
    assert "\nipam.nodeconfig load\n" in FUNCTIONS
    codes = {
        "cold": "def one(): return 'cold'\ndef other(): return 'as cold'\n",
        "ipam/__init__": "",
        "ipam/nodeconfig": "TABLE = {}\ndef load(): return TABLE.get('hot')\n",
        "main": "import os, cold\nfrom ipam import nodeconfig as warm\n"
        "hot = [id(x) for x in (warm.load, warm.load.__code__, warm.TABLE, 'get', 'hot')]\n"
        "os.write(1, str(max(hot) < min(id(x) for x in (cold.one, cold.other, cold.one.__code__))).encode())\n"
        "os._exit(0)\n",
    }
    sources = {}
    for name, code in codes.items():
        source = tmp_path / f"{name}.py"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(code)
        sources["__main__" if name == "main" else name.removesuffix("/__init__").replace("/", ".")] = str(source)
    target = str(tmp_path / "program")
    make_executable(target, interpreter, {**standard_library(), **sources}, EXTENSIONS)
    assert subprocess.run([target], capture_output=True, check=True).stdout == b"True"


def test_order_that_depends_on_addresses(program: Program) -> None:
    """That of a set of classes. Which blocks of memory stay is not the same then, when some are elsewhere."""
    program.build(
        main="import os, other\nos.write(1, repr(sorted(map(len, other.KEPT))).encode())\nos._exit(0)\n",
        other="KEPT, CLASSES = [], {type(f'C{i}', (), {}) for i in range(100)}\n"
        "for one in CLASSES:\n"
        "    number = int(one.__name__[1:])\n"
        "    if number % 3 == 0:\n"
        "        KEPT.append(bytes(number * 50))\n"
        "    else:\n"
        "        KEPT = [bytes(len(x)) for x in KEPT]\n",
    )
    done = subprocess.run([program.path], capture_output=True, check=True)
    assert done.stdout.decode() == repr([number * 50 for number in range(0, 100, 3)])


def test_main_program_fails(program: Program) -> None:
    """The runtime gets an error object, the operator a stack trace."""
    program.build(main="raise ValueError('whatever')\n")
    done = subprocess.run([program.path], capture_output=True)
    assert done.returncode == 1
    assert b'"code": 5, "msg": "cannot start the plugin: its code failed to start"' in done.stdout
    assert b"ValueError: whatever" in done.stderr


CLASSES = """\
from __future__ import annotations
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

class Reads(Protocol):
    def read(self) -> str: ...

class Kind(Enum):
    VETH = "veth"

@dataclass(slots=True)
class Link:
    index: int
    names: list[str] = field(default_factory=list)
    kind: Kind = Kind.VETH

    @dataclass(frozen=True, slots=True)
    class Key:
        index: int
        call: Callable[[T], T] | None = field(default=None, kw_only=True)

@dataclass(slots=True)
class VF(Link):
    number: int = field(default=0, kw_only=True)
    names: list[str] = field(default_factory=lambda: ["vf"], kw_only=True)
"""


def test_classes_are_made_at_the_build(program: Program) -> None:
    """They work as ever, though the modules that made them, and all that these import, are in no binary."""
    program.build(
        classes=CLASSES,
        main="import os, sys\n"
        "from classes import VF, Kind, Link\n"
        "seen = [Link(1), Link(1) == Link(1, []), Link(1).names is Link(1).names, Link(1, ['a']), VF(2, number=3)]\n"
        "seen += [Link(1) == VF(1), Link.Key(7), {Link.Key(7)} == {Link.Key(7)}, Kind('veth')]\n"
        "try:\n"
        "    Link.Key(7).index = 8\n"
        "except AttributeError as e:\n"
        "    seen.append(str(e))\n"
        "seen.append(hasattr(Link(1), '__dict__'))\n"
        "seen.append([name for name in dir(sys.modules['classes']) if name[0] != '_'])\n"
        "seen.append([name for name in sys.modules if name in ('dataclasses', 'typing', 're', 'inspect', 'program')])\n"
        "os.write(1, repr(seen).encode())\n"
        "os._exit(0)\n",
    )
    said = subprocess.run([program.path], check=True, capture_output=True, text=True).stdout
    veth = "kind=<Kind.VETH: 'veth'>"
    assert said == (
        f"[Link(index=1, names=[], {veth}), True, False, Link(index=1, names=['a'], {veth}), "
        f"VF(index=2, names=['vf'], {veth}, number=3), False, Link.Key(index=7, call=None), True, <Kind.VETH: 'veth'>, "
        "\"cannot assign to field 'index'\", False, ['Enum', 'Kind', 'Link', 'TYPE_CHECKING', 'VF', 'annotations'], []]"
    )
    content = Path(program.path).read_bytes()
    assert b"<classes.py>" in content
    sources = standard_library()
    passing = {name: sources[name] for name in WHILE_LOADED if name in sources}
    assert [name for name, source in passing.items() if traced(name, source).encode() in content] == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("from dataclasses import replace\ndef f(link):\n    return replace(link, index=1)\n", "keeps.f uses replace,"),
        ("import typing\nclass C:\n    def f(self):\n        return lambda x: typing.cast(int, x)\n",
         "C.f uses typing,"),
        ("from typing import Generic, TypeVar\nT = TypeVar('T')\nclass C(Generic[T]): ...\n",
         "keeps.C still refers to"),
        ("import re\nKEPT = [re.compile]\n", "keeps.KEPT still refers to"),
    ],
    ids=["function", "method", "base", "value"],
)  # fmt: skip
def test_what_is_there_only_while_modules_are_loaded(code: str, reason: str, program: Program) -> None:
    with pytest.raises(ImportError, match=reason):
        program.build(main="", keeps=code)


def test_nothing_else_can_be_imported(program: Program) -> None:
    """Not from the working directory, nor from where the interpreter was made."""
    said = program.run(
        "try:\n"
        "    exec_module = __import__('json')\n"
        "except ModuleNotFoundError as e:\n"
        "    os.write(1, str(e).encode())\n"
    )
    assert said == "No module named 'json'"
