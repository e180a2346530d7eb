"""The undo stack of ADD.

    with Rollback(log) as rollback:
        rollback.push("take the address back", ipam.delete, request, conf, log)
        ...
        rollback.commit()

Each undo is registered beside its step, before anything after it can fail.
"""

from __future__ import annotations

from cni.signals import Deferred

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni.log import Logger


class Rollback:
    """Undoes steps in reverse order. As a context manager it does so when the block ends by an exception."""

    __slots__ = ("_log", "_steps")

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._steps: list[tuple[str, Callable[..., object], tuple[object, ...]]] = []

    def push(self, description: str, undo: Callable[..., object], *args: object) -> None:
        """Register what undoes a step. description: what the undo does, in the infinitive, for the log."""
        self._steps.append((description, undo, args))

    def undo(self, log: Logger | None = None) -> None:
        """Call what was registered, the last first, each once. An undo that fails is logged, and the rest goes on.

        SIGTERM and SIGINT wait until all is done: an undo that stops half-way helps nobody.
        """
        log = log or self._log
        with Deferred():
            while self._steps:
                description, undo, args = self._steps.pop()
                log.debug(f"undo: {description}")
                try:
                    undo(*args)
                except Exception as e:
                    log.error(f"cannot {description}: {type(e).__name__}: {e}")

    def commit(self) -> None:
        """Forget every undo: the steps are to stay."""
        self._steps.clear()

    def __enter__(self) -> Rollback:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None:
            if self._steps:
                self._log.info(f"undo {len(self._steps)} steps after {type(error).__name__}: {error}")
            self.undo()
