"""What an attachment to a bridge costs, counted and not timed: whoever makes it more has to say so here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support import costs
from tests.support.plugin import Attachment
from tests.support.vfs import VF


@pytest.fixture
def attachment(attach: Callable[..., Attachment], vf: VF) -> Iterator[Attachment]:
    """A VF in a VLAN, with an address of host-local, after a first ADD and DEL: all folders are there."""
    made = attach(vf, vlan=100, ipam={"type": "host-local", "subnet": "10.1.0.0/24"})
    made.add()
    made.delete()
    yield made
    made.delete()  # a VF that the kernel brings back from its pod would keep the name that it has there


def test_add(attachment: Attachment) -> None:
    """Three looks are at the pod's link when it is up, as in tests/lab/test_costs.py."""
    cost = costs.of(attachment, "ADD")
    assert cost.messages == {"GETLINK": 15, "SETLINK": 5, "DELLINK": 1, "NEWADDR": 1}  # DELLINK: of VLAN 1 at the port
    assert (cost.moves, cost.processes, cost.syncs) == (1, 1, 3)
    assert len(_without_ports(cost.opened)) <= 40, cost.opened
    assert cost.written < 1800  # the most is the record, with all that VF, link and representor were like


def test_delete(attachment: Attachment) -> None:
    """As in tests/lab/test_costs.py, but for the PF's settings, and with the representor: two looks at it, one at its
    bridge, down and out of the bridge.
    """
    attachment.add()
    cost = costs.of(attachment, "DEL")
    assert cost.messages == {"GETLINK": 12, "SETLINK": 6, "GETNSID": 4}
    assert (cost.moves, cost.processes, cost.syncs) == (1, 1, 0)
    assert len(_without_ports(cost.opened)) <= 26, cost.opened
    assert cost.written < 200


def _without_ports(opened: list[str]) -> list[str]:
    """Return the paths but for ports' names. In the lab a representor, netdevsim's, is not the PF's own netdev, and how
    many others are asked before it is a matter of order.
    """
    return [path for path in opened if not path.endswith("/phys_port_name")]
