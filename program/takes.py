"""Runs the interpreter with a plugin's modules, at the build: to watch them being loaded, and to take the image."""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
from collections.abc import Mapping

from program.circumstances import DIFFERENCES, USUAL, Circumstances, Difference, different
from program.contents import STANDARD_LIBRARY, WHILE_LOADED
from program.modules import compiled
from program.toolchain import SOURCES

RANGE = struct.Struct("<QQ")  # image.c, write_part()
OURS = {
    name: os.path.join(SOURCES, f"{name}.py") for name in ("audit", "contents", "hot", "layout", "unload", "values")
}
AUDIT = {"program_audit": OURS["audit"]}
UNLOAD = {
    "program": os.path.join(SOURCES, "__init__.py"),
    "program.contents": OURS["contents"],
    "__unload__": OURS["unload"],
    "program.hot": OURS["hot"],
    "__layout__": OURS["layout"],
}
VALUES = {"program_values": OURS["values"]}
"""Modules of this folder that run in the interpreter, under names that no module of a plugin has: before the plugin's
modules; behind them, always, with what these import (image.c knows the names of two); and behind that."""
BLOCKS = 0
"""The address at which a take has no memory, but the fates of blocks, a byte each: cold, hot or freed (program.h). Of
two fates, `&` is one that does no harm if it is wrong: what is freed may stay, and what is hot may lie anywhere."""
SHOWN = 16  # places, and values, in a message


class Takes:
    """The takes of one image.

    interpreter: path of what link.py made. modules: {name: path of the source}, in the order in which they are loaded,
    and with the program as `__main__`. differences: in the circumstances of the two.
    """

    def __init__(
        self, interpreter: str, modules: Mapping[str, str], differences: tuple[Difference, ...] = DIFFERENCES
    ) -> None:
        """Compile the modules. Raises OSError and SyntaxError."""
        self.interpreter, self.differences = os.path.abspath(interpreter), differences
        known = {*STANDARD_LIBRARY, *WHILE_LOADED}
        library = {name: source for name, source in modules.items() if name in known}
        plugin = {name: source for name, source in modules.items() if name not in known}
        self.library, self.plugin, self.names = compiled(library), compiled({**plugin, **UNLOAD}), frozenset(plugin)
        self.fates = b""  # of the blocks of memory, as far as they are known

    def audit(self) -> None:
        """Raise ImportError if a module does something, when it is loaded, that is none of its business (audit.py)."""
        self._run(self.library + compiled(AUDIT) + self.plugin, USUAL)

    def image(self) -> dict[int, bytes]:
        """Return the image: what is at which address. Raises ValueError if it depends on the circumstances."""
        one = self._settled()
        other, _ = different(self.differences, self.interpreter)
        if one != self._taken(other):
            raise ValueError(self._why(one, other))
        return {address: content for address, content in one.items() if address != BLOCKS}

    def _settled(self) -> dict[int, bytes]:
        """Find out which blocks of memory are freed, so that none of these is in the image, and which are hot, so that
        they lie together; return one take.

        Where blocks are has a say in the order of some sets, and so, a little, in what is allocated when: once it is
        known for the most part, a block that is not freed, or hot, each time counts as one that is not.
        """
        self.fates = self._taken(USUAL)[BLOCKS]
        self.fates = self._taken(USUAL)[BLOCKS]
        while True:
            one = self._taken(USUAL)
            foretold, found = (int.from_bytes(fates, "little") for fates in (self.fates, one[BLOCKS]))
            if foretold & found == foretold:
                return one
            self.fates = (foretold & found).to_bytes(len(self.fates), "little")

    def _taken(self, circumstances: Circumstances) -> dict[int, bytes]:
        known = b"__blocks__ 0 %d\n" % len(self.fates) + self.fates
        taken, memory, offset = self._run(self.library + self.plugin + known, circumstances), {}, 0
        while offset < len(taken):
            address, size = RANGE.unpack_from(taken, offset)
            offset += RANGE.size
            memory[address] = taken[offset : offset + size]
            offset += size
        return memory

    def _run(self, modules: bytes, circumstances: Circumstances) -> bytes:
        """Load modules, and return what is written to standard output: the image, if no module does anything."""
        with tempfile.TemporaryFile() as file:
            file.write(modules)
            file.flush()
            command = circumstances.command(self.interpreter)
            done = subprocess.run(command, stdin=file, capture_output=True, cwd="/")
        if done.returncode != 0 or done.stderr:
            said = done.stderr.decode(errors="replace")
            raise ImportError(f"the modules cannot be loaded (exit status {done.returncode}): {said}")
        return done.stdout

    def _why(self, one: dict[int, bytes], other: Circumstances) -> str:
        """Return on what an image depends, as far as can be told, that is another under other circumstances."""
        addresses = _differing(one, self._taken(other))
        places = ", ".join(hex(address) for address in addresses[:SHOWN]) or "its end"
        values = "".join(f"\n  {line}" for line in self._differing_values(other)[:SHOWN])
        return f"an image depends on the process it was taken in, at {places}: on {self._reasons(one)}{values}"

    def _reasons(self, one: dict[int, bytes]) -> str:
        """Return what differences make another image of it, each on its own."""
        if one != self._taken(USUAL):
            return "the moment, the process or chance"
        alone = [(x.what, different((x,), self.interpreter)[0]) for x in self.differences]
        found = [what for what, circumstances in alone if self._taken(circumstances) != one]
        return ", ".join(found) or "several circumstances together"

    def _differing_values(self, other: Circumstances) -> list[str]:
        """Return what modules have kept that is another under other circumstances, a line each."""
        before, after = (self._values(circumstances) for circumstances in (USUAL, other))
        return [
            f"{name} is {before.get(name, 'missing')} in one process, and {after.get(name, 'missing')} in the other"
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        ]

    def _values(self, circumstances: Circumstances) -> dict[str, str]:
        said = self._run(self.library + self.plugin + compiled(VALUES), circumstances).decode()
        values = (line.partition(" ") for line in said.splitlines())
        return {name: value for name, _, value in values if name.rpartition(".")[0] in self.names}


def _differing(one: dict[int, bytes], other: dict[int, bytes]) -> list[int]:
    """Return the addresses at which two images are not the same."""
    return [
        address + offset
        for address, content in one.items()
        if address != BLOCKS
        for offset, (a, b) in enumerate(zip(content, other.get(address, b""), strict=False))
        if a != b
    ]
