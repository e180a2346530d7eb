"""How far it is, for a person: a bar on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Bar:
    """Use as a context manager. It goes when all is done: what is left to read is on standard output. Where the
    terminal has gone nothing is shown, and nothing fails.
    """

    def __init__(self) -> None:
        console = Console(file=sys.stderr, highlight=False)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("look at the node", total=None)

    def begin(self, title: str, units: int) -> None:
        """See `carry_out.Progress`."""
        with suppress(OSError):
            self._bars.reset(self._task, description=title, total=units)

    def tick(self) -> None:
        """See `carry_out.Progress`."""
        with suppress(OSError):
            self._bars.advance(self._task)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Have the terminal for other lines meanwhile."""
        if self._bars.disable:
            yield
            return
        with suppress(OSError):
            self._bars.stop()
        yield
        with suppress(OSError):
            self._bars.start()

    def __enter__(self) -> Bar:
        with suppress(OSError):
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        with suppress(OSError):
            self._bars.stop()
