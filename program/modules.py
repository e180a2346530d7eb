"""The modules of a binary: compiled, and looked through for imports of what will not be there."""

from __future__ import annotations

import ast
import marshal
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType

from program.contents import WHILE_LOADED

PACKAGE = "/__init__.py"

ONLY_FROM_THE_SOURCE = frozenset(
    {("cni.linux.libc", "cni.linux.libc_source"), ("cni.protocol.version", "program.version")}
)
"""(module, what it imports) only when it does not find what a binary has."""


def compiled(modules: Mapping[str, str]) -> bytes:
    """Return the code of all modules in the form that image.c reads.

    modules: {name: path of the source}, in the order in which they are loaded, and with the program as `__main__`.
    Raises OSError and SyntaxError.
    """
    parts = []
    for name, source in modules.items():
        code = marshal.dumps(_compiled(name, source))
        parts += [f"{name} {int(source.endswith(PACKAGE))} {len(code)}\n".encode(), code]
    return b"".join(parts)


def traced(name: str, source: str) -> str:
    """Return what a module is called in a stack trace. The interpreter opens no file to show lines of such a one."""
    return f"<{name.replace('.', '/') + (PACKAGE if source.endswith(PACKAGE) else '.py')}>"


def _compiled(name: str, source: str) -> CodeType:
    with open(source, "rb") as file:
        tree = _WithoutAnnotations().visit(ast.parse(file.read()))
    code: CodeType = compile(tree, traced(name, source), "exec", dont_inherit=True, optimize=2)
    return code


class _WithoutAnnotations(ast.NodeTransformer):
    """Takes out what is for type checkers only: a tenth of the memory that the modules take.

    In a function, `x: int` alone makes `x` a local name, so it stays. In a class it may be a field of a dataclass.
    """

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [child if isinstance(child, ast.AnnAssign) else self.visit(child) for child in node.body]
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return node
        return ast.copy_location(ast.Assign([node.target], node.value), node)


def check_imports(modules: Mapping[str, str], builtins: Iterable[str]) -> None:
    """Raise ImportError if a module imports one that will not be there, then: PyInstaller only warns of those.

    builtins: names of the extension modules.
    """
    there = {*modules, *builtins}
    for name, source in modules.items():
        if name.partition(".")[0] in sys.stdlib_module_names and name != "__main__":
            continue  # often for other systems than Linux
        with open(source, "rb") as file:
            tree = ast.parse(file.read())
        for imported in _imports(tree, modules):
            if imported not in there and (name, imported) not in ONLY_FROM_THE_SOURCE:
                raise ImportError(f"{name} imports {imported}, which is not among the modules of the binary")
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and (late := {*_imports(function, modules)} & {*WHILE_LOADED}):
                raise ImportError(
                    f"{name}.{function.name} imports {min(late)}, which is there only while modules are loaded"
                )


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
