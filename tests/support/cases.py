"""Many small cases in one test, where to make what stands around each takes longer than the case."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def try_each(names: Iterable[str], trial: Callable[[str], None]) -> None:
    """Try every case, whatever becomes of the others; assert that none failed, naming those that did."""
    failures = []
    for name in names:
        try:
            trial(name)
        except AssertionError as e:
            failures.append(f"{name}: {e}")
    assert not failures, "\n\n".join(failures)
