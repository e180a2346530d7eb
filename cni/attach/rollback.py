"""The undo stack of ADD.

    with Rollback(log) as rollback:
        rollback.push("take the address back", ipam.delete, request, conf, log)
        ...
        rollback.commit()

Each undo is registered beside its step, before anything after it can fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cni.linux.log import Logger
from cni.linux.signals import Deferred
from cni.protocol.errors import CniError


@dataclass(slots=True, eq=False)
class Rollback:
    """Undoes steps in reverse order. As a context manager it does so when the block ends by an exception."""

    log: Logger
    _steps: list[tuple[str, Callable[..., object], tuple[object, ...]]] = field(default_factory=list, init=False)

    def push(self, description: str, undo: Callable[..., object], *args: object) -> None:
        """Register what undoes a step. description: what the undo does, in the infinitive, for the log."""
        self._steps.append((description, undo, args))

    def undo(self) -> list[str]:
        """Call what was registered, the last first, each once; return what became of each, in words.

        An undo that fails is logged, and the rest goes on. SIGTERM and SIGINT wait until all is done: an undo that
        stops half-way helps nobody.
        """
        outcomes = []
        with Deferred():
            while self._steps:
                description, undo, args = self._steps.pop()
                try:
                    undo(*args)
                    outcomes.append(f"{description}: done")
                except Exception as e:
                    self.log.error(f"cannot {description}: {type(e).__name__}: {e}")
                    outcomes.append(f"{description}: failed ({e})")
        return outcomes

    def commit(self) -> None:
        """Forget every undo: the steps are to stay."""
        self._steps.clear()

    def __enter__(self) -> Rollback:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None:
            undone = ", ".join(self.undo())
            if not undone:
                return
            if isinstance(error, CniError):
                error.details = f"{error.details}; undone: {undone}" if error.details else f"undone: {undone}"
            else:
                error.add_note(f"undone: {undone}")
