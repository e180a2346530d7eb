"""What the modules import: no more than a binary has, and only downwards; and what else can be seen of their code."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from program.contents import EXTENSIONS, STANDARD_LIBRARY, WHILE_LOADED
from program.modules import ONLY_FROM_THE_SOURCE

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLUGINS = ("ipam.host_local", "ipam.static", "plugins.accelerated_bridge", "plugins.host_device", "plugins.sriov")
PACKAGES = ("cni", "ipam", "plugins", "plumbline")

FLOORS = ("cni.protocol", "cni.linux", "cni.attach", "ipam", "plugins.vf", "plugins", "plumbline")
"""From the lowest to the highest; the longest name that fits counts. The door, cni.skel, is above the first two."""

DOOR, BENEATH_THE_DOOR = "cni.skel", ("cni.protocol", "cni.linux")

BESIDE = ("bench", "lab", "program", "tests")
"""What is beside the house."""

MAX_PARAMETERS = 6
MORE_PARAMETERS = {
    "cni.linux.netlink.link.change": "one keyword for each attribute of a link, of which a caller gives a few",
    "cni.attach.move.onto_host": "what the link is, what it becomes, and between which two namespaces",
}
"""Functions with more than MAX_PARAMETERS, and why."""


def _loaded(program: str) -> set[str]:
    """Return what an interpreter has loaded at the end. -I and -S keep the site's packages from importing things."""
    command = [sys.executable, "-I", "-S", "-c", f"import sys\n{program}\nprint(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("plugin", PLUGINS)
def test_only_what_a_binary_has(plugin: str) -> None:
    """With the stand-ins that a binary has for some modules."""
    paths = [os.path.join(REPOSITORY, "program", "standins"), REPOSITORY]
    loaded = _loaded(f"sys.path[:0] = {paths!r}\nimport {plugin}.__main__") - _loaded("")
    ours = {name for name in loaded if name.partition(".")[0] in PACKAGES}
    assert f"{plugin}.__main__" in ours
    assert loaded - ours - {*STANDARD_LIBRARY, *WHILE_LOADED, *EXTENSIONS, "os.path"} == set()  # os.path is posixpath


@cache
def _trees() -> dict[str, ast.Module]:
    """Return the code of all modules: {name: tree}, packages without `.__init__`."""
    trees = {}
    for package in PACKAGES:
        for folder, _, files in os.walk(os.path.join(REPOSITORY, package)):
            for file in files:
                if file.endswith(".py"):
                    path = os.path.join(folder, file)
                    name = os.path.relpath(path, REPOSITORY).removesuffix(".py").replace("/", ".")
                    with open(path) as source:
                        trees[name.removesuffix(".__init__")] = ast.parse(source.read())
    return trees


@cache
def _named() -> dict[str, set[str]]:
    """Return what each module imports, be it for its types only."""
    found: dict[str, set[str]] = {}
    for name, tree in _trees().items():
        imported = found.setdefault(name, set())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.module is not None, f"{name} imports by a relative name"
                assert node.level == 0, f"{name} imports by a relative name"
                # `from package import name` is about a module, if there is one of that name.
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    imported.add(whole if whole in _trees() else node.module)
    return found


@cache
def _imports() -> dict[str, set[str]]:
    """Return which of our modules each imports."""
    return {name: {other for other in named if other in _trees() and other != name} for name, named in _named().items()}


def test_nothing_beside_is_imported() -> None:
    """The product needs neither its tests nor what builds it."""
    found = {(name, other) for name, named in _named().items() for other in named if other.split(".")[0] in BESIDE}
    assert found <= ONLY_FROM_THE_SOURCE


def test_no_circle() -> None:
    """No two modules import each other, on whatever way."""
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " imports ".join((*way[way.index(name) :], name))
        if name not in done:
            for other in sorted(_imports()[name]):
                visit(other, (*way, name))
            done.add(name)

    for name in sorted(_imports()):
        visit(name, ())
    assert len(done) > 80


def _floor(name: str) -> str:
    """Return the floor that a module is on, empty for the door and the packages that floors are in."""
    fitting = [floor for floor in FLOORS if name == floor or name.startswith(f"{floor}.")]
    return max(fitting, key=len, default="")


def test_no_import_goes_up() -> None:
    """From floor to floor; the contracts in pyproject.toml have the order of the modules on each."""
    for name, imported in _imports().items():
        for other in imported:
            if name == DOOR:
                assert _floor(other) in BENEATH_THE_DOOR, f"{name} imports {other}"
            elif other == DOOR:
                assert _floor(name) in ("ipam", "plugins"), f"{name} imports {other}"
            elif _floor(name):
                assert FLOORS.index(_floor(other)) <= FLOORS.index(_floor(name)), f"{name} imports {other}"


def test_a_module_is_on_one_floor() -> None:
    """No floor has a module of the name that one of another has."""
    names: dict[str, str] = {}
    for module in _trees():
        parts = module.split(".")
        if parts[0] == "cni" and len(parts) >= 3:
            other = names.setdefault(".".join(parts[2:]), module)
            assert other == module, f"{other} and {module}"


def _functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Give all functions with their names. Neither `self` nor `cls` is a parameter of a method."""
    for module, tree in _trees().items():
        for node in ast.walk(tree):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.FunctionDef):
                    inside = f".{node.name}" if isinstance(node, ast.ClassDef) else ""
                    yield f"{module}{inside}.{child.name}", child


def test_few_parameters() -> None:
    """What goes together is one object."""
    many = {}
    for name, function in _functions():
        arguments = function.args
        parameters = [x.arg for x in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        count = len([x for x in parameters if x not in ("self", "cls")])
        if count > MAX_PARAMETERS:
            many[name] = count
    assert many.keys() == MORE_PARAMETERS.keys()
