"""What a caller that has given back its VFs must leave, whatever happened between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support import kill
from tests.support.vfs import VF, settle, wait_for


@contextmanager
def given_back(*vfs: VF) -> Iterator[None]:
    """Assert that VFs and their PFs are afterwards what they were, and that no record, address or cache is left."""
    before = [vf.snapshot() for vf in vfs]
    yield
    for vf, original in zip(vfs, before, strict=True):
        wait_for(lambda vf=vf: bool(vf.name), f"link of {vf.address} on the host")
        settle()
        kill.assert_equal(vf.snapshot(), original)
    assert kill.remains() == []
