"""Sweeps: many cases of one trial, side by side on several rigs. A case that fails is named, and stops no other."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar


class Rig(Protocol):
    """What a trial is made on: a device, a pod, and what connects them."""

    def repair(self) -> None:
        """Make the rig good for the next trial, whatever one that failed has left."""


AnyRig = TypeVar("AnyRig", bound=Rig)
Case = TypeVar("Case")
Result = TypeVar("Result")


def go_through(rigs: Sequence[AnyRig], cases: Iterable[Case], trial: Callable[[AnyRig, Case], Result]) -> list[Result]:
    """Try every case, each on a rig that is free; assert that none failed, listing those that did. Return what came of
    them, in order.
    """
    free: queue.SimpleQueue[AnyRig] = queue.SimpleQueue()
    for rig in rigs:
        free.put(rig)
    results: dict[int, Result] = {}
    failures: list[str] = []

    def run(numbered: tuple[int, Case]) -> None:
        number, case = numbered
        rig = free.get()
        try:
            results[number] = trial(rig, case)
        except AssertionError as e:
            failures.append(f"{rig}, {case}: {e}")
            rig.repair()
        finally:
            free.put(rig)

    with ThreadPoolExecutor(len(rigs)) as pool:
        list(pool.map(run, enumerate(cases)))
    assert not failures, "\n\n".join(failures)
    return [results[number] for number in sorted(results)]
