"""What an attachment of a VF costs, counted and not timed: whoever makes it more has to say so here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import costs
from tests.support.net import Space
from tests.support.plugin import Attachment
from tests.support.vfs import VF


@pytest.fixture
def attachment(pod: Space, vf: VF) -> Iterator[Attachment]:
    """A VF with a VLAN and trust, and an address of host-local, after a first ADD and DEL: all folders are there."""
    conf = {
        "cniVersion": "1.0.0", "name": "costs", "type": "sriov", "deviceID": vf.address, "vlan": 100, "trust": "on",
        "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]},
    }  # fmt: skip
    made = Attachment(conf, "costs", pod.path)
    made.add()
    made.delete()
    yield made
    made.delete()  # a VF that the kernel brings back from its pod would keep the name that it has there


def test_add(attachment: Attachment) -> None:
    """Of the nine looks, three are at the pod's link when it is up: at its address and MTU, whether the kernel has
    announced the addresses, and, after the routes, whether it has carrier to announce them.
    """
    cost = costs.of(attachment, "ADD")
    assert cost.messages == {"GETLINK": 9, "SETLINK": 4, "NEWADDR": 1, "NEWROUTE": 1}
    assert (cost.moves, cost.processes, cost.syncs) == (1, 1, 5)  # also the allocation and its folder
    assert len(cost.opened) <= 42, cost.opened
    assert cost.written < 2000


def test_delete(attachment: Attachment) -> None:
    """GETLINK: the PF; the pod's links, and the one of them; on the host its name, its index, and what has
    arrived; the PF's table twice. GETNSID: what the pod has put on top may be in a namespace that it knows, and the
    host, which it knows as well, is none of these. SETLINK: down, name with mark, move, VLAN, trust, no mark.
    """
    attachment.add()
    cost = costs.of(attachment, "DEL")
    assert cost.messages == {"GETLINK": 9, "SETLINK": 6, "GETNSID": 4}
    assert (cost.moves, cost.processes, cost.syncs) == (1, 1, 0)
    assert len(cost.opened) <= 27, cost.opened  # one is to see that so small a store has no index
    assert cost.written < 200
