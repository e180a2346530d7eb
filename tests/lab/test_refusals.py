"""The kernel's refusals with sriov: each answer of netlink is lost after its effect, each socket, thread, process, way
into a namespace and open file of one is refused, in ADD and in DEL.

It is done as in tests/binary/test_field_refusals.py with host-device, whose table says which test is for what.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.test_kill import SETTINGS
from tests.support.kill import Rig
from tests.support.refused_vfs import Sweeps
from tests.support.vfs import PF


@pytest.fixture(scope="module")
def rigs(pfs: list[PF]) -> Iterator[list[Rig]]:
    """One rig at each PF, for all tests here: to make them takes a while."""
    made = [Rig(pf.vfs[0], SETTINGS) for pf in pfs]
    yield made
    for rig in made:
        rig.remove()


class TestSriov(Sweeps):
    """All of them."""
