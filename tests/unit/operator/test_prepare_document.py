"""What is printed with --json, and the file of PFs, are as their schemas say."""

from __future__ import annotations

from typing import Any

import pytest

from plumbline.errors import Status, VerbError
from plumbline.node.pfs_file import SCHEMA
from plumbline.node.wish import DriverFor, Wish, WishError, from_json, to_json
from plumbline.prepare.applying import Outcome, worst
from plumbline.prepare.document import prepared
from plumbline.prepare.plan import plan
from tests.support import schemas
from tests.unit.operator.made_up import ADDRESS, pf

WISH = Wish(ADDRESS, 4, mac="02:00:00:00:00:03", mode="switchdev", drivers=(DriverFor("vfio-pci", 0, 1),))
BAD = Outcome(WISH, error=VerbError(Status.NO_DEVICE, "there is no such PF", ""))
BUSY = Outcome(WISH, error=VerbError(Status.IN_USE, "refused", "who"))
GOOD = Outcome(WISH, tuple(plan(pf("iavf", of="mlx5_core"), WISH)))


def test_prepared() -> None:
    """Steps, errors, and nothing."""
    document = prepared([GOOD, BAD, BUSY], True, ["/etc/plumbline/pfs.json"])
    schemas.check(document)
    assert document["pfs"][0]["steps"][0]["title"] == "remove 1 VFs"
    assert document["pfs"][1]["error"] == {"status": 1, "message": "there is no such PF", "hint": None}
    schemas.check(prepared([], False))
    assert schemas.faults({**document, "more": 1})


@pytest.mark.parametrize(
    "raw",
    [
        *(to_json(x) for x in (WISH, Wish("x", 1, vdpa="vhost"), Wish("netdevsim1", 0, bus="netdevsim", up=False))),
        {"address": "x", "vfs": 1},
        {"address": "x", "vfs": -1},
        {"address": "x", "vfs": 1, "mode": "both"},
        {"address": "x", "vfs": 1, "mac": "x"},
        {"address": "x", "vfs": 1, "more": 1},
        {"address": "x", "vfs": 1, "drivers": [{"vfs": "1-", "driver": "iavf"}]},
        {"address": "x", "vfs": 2, "drivers": [{"vfs": "1", "driver": "iavf"}]},
        {"vfs": 1},
    ],
    ids=str,
)
def test_file_and_schema_agree(raw: dict[str, Any]) -> None:
    """What the schema refuses, the command refuses, and the other way round."""
    try:
        from_json(raw)
        is_good = True
    except WishError:
        is_good = False
    assert (schemas.faults({"schema": SCHEMA, "pfs": [raw]}) == []) == is_good


def test_worst() -> None:
    """A failure counts more than a refusal, and a PF that is missing is one."""
    assert [worst(x) for x in ([], [GOOD], [GOOD, BUSY], [BUSY, BAD])] == [0, 0, 4, 1]
