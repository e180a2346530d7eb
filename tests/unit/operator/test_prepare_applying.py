"""What the file says of several PFs is done one by one; one that cannot be keeps no other from it."""

from __future__ import annotations

from dataclasses import dataclass

from cni.protocol.errors import IO_FAILURE, CniError
from plumbline.errors import Status, VerbError
from plumbline.node.model import Node
from plumbline.node.wish import Wish
from plumbline.prepare import applying
from plumbline.prepare.carry_out import Progress, Silence
from plumbline.prepare.change import Change, Terms
from plumbline.prepare.plan import plan
from plumbline.prepare.steps import Step
from tests.unit.operator.made_up import ADDRESS, pf

WISHES = [Wish("0000:0a:00.0", 1), Wish("0000:0b:00.0", 1), Wish(ADDRESS, 2), Wish("0000:0c:00.0", 1)]


@dataclass(frozen=True, slots=True)
class MadeUp(Change):
    """A node with one PF that can be changed; two others fail, each in its way."""

    def make(self, wish: Wish, terms: Terms, progress: Progress) -> list[Step]:
        """See `Change`."""
        if wish is WISHES[0]:
            raise VerbError(Status.NO_DEVICE, "there is no such PF")
        if wish is WISHES[1]:
            raise VerbError(Status.IN_USE, "refused")
        if wish is WISHES[3]:
            raise CniError(IO_FAILURE, "the disk is gone")
        return plan(pf(), wish)


def test_each_is_tried() -> None:
    """In the order of the file; all errors are kept."""
    outcomes = list(applying.apply(WISHES, MadeUp(), Terms(), Silence()))
    assert [x.wish for x in outcomes] == WISHES
    assert [x.titles for x in outcomes] == ["", "", "make 2 VFs; wait for the links of 2 VFs", ""]
    assert [x.status for x in outcomes] == [1, 4, 0, 1]
    assert applying.worst(outcomes) == 1
    assert applying.worst(outcomes[1:3]) == 4


def test_what_is_left() -> None:
    """For `wait`: steps, or that the PF is not there."""
    node = Node("n", "6.12", [pf("igbvf")])
    assert applying.left(Wish(ADDRESS, 1), node) == applying.Outcome(Wish(ADDRESS, 1))
    assert applying.left(Wish(ADDRESS, 0), node).titles == "remove 1 VFs"
    missing = applying.left(Wish("0000:09:00.0", 8, mode="switchdev"), node)
    assert missing.error is not None
    assert missing.error.message == "0000:09:00.0: there is no such PF; it was to have 8 VFs, switchdev"
