"""A hostile pod gets nothing onto the host, keeps no device for good, and takes none from another pod.

FAULTS 1 (whose link it is), 2 (what a pod does to a device stays with it) and 3 (DEL comes to an end) as one property:
whatever a pod does to its links, before, between and during ADD, CHECK, DEL and GC. `tests.support.hostile` says what
it does and what is compared after each round.
"""

from __future__ import annotations

import pytest

from tests.support import hostile

SEED = 16
ROUNDS = 2_000


def test_hostile_pod(capsys: pytest.CaptureFixture[str]) -> None:
    """Two pods at a time. It takes some three minutes, for moving links, which the kernel does one after the other."""
    report = hostile.attack(SEED, ROUNDS)
    with capsys.disabled():
        print(f"\n{report.summary()}")
    if report.failures:
        pytest.fail(report.complaint(), pytrace=False)
    assert report.rounds == ROUNDS
    # An attack in which nothing succeeds is none, and one in which the product refuses everything proves nothing.
    assert report.counts["ADD done"] > ROUNDS / 2
    assert report.counts["actions"] > ROUNDS
