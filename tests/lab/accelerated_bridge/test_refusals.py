"""The kernel's refusals with accelerated-bridge: as tests/lab/test_refusals.py, with representor, bridge and uplink.

What tests/lab/accelerated_bridge/test_refused.py has refused is a request, which has no effect then.
"""

from __future__ import annotations

from tests.support.refused_vfs import Sweeps


class TestAcceleratedBridge(Sweeps):
    """All of them. Every second answer is lost, as most are about the VF alone, and all of those are with sriov."""

    stride = 2
