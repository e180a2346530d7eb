"""The kernel's refusals with sriov: each answer of netlink is lost after its effect, each socket, thread, process, way
into a namespace and open file of one is refused, in ADD and in DEL.

It is done as in tests/binary/test_field_refusals.py with host-device, whose table says which test is for what.
"""

from __future__ import annotations

from tests.support.refused_vfs import Sweeps


class TestSriov(Sweeps):
    """All of them."""
