"""`bind` and `vdpa`: the single steps, through their verbs, on a kernel that is made up."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from plumbline.errors import Status, VerbError
from plumbline.node.model import LinkState, Node, Pf
from plumbline.node.roots import Roots
from plumbline.prepare.change import Change
from plumbline.verbs import bind as verbs
from tests.support import schemas
from tests.unit.operator.made_up import MadeUpKernel, address_of, failing_once, pf

ALL = tuple(map(address_of, range(2)))


@dataclass(frozen=True, slots=True)
class OnKernel(Change):
    """A node as its made-up kernel has it."""

    kernel: MadeUpKernel = field(default_factory=lambda: MadeUpKernel(pf("igbvf", "igbvf")))

    def look(self, so_far: str = "") -> Node:
        """See `Change`."""
        return Node("n", "6.12", [self.kernel.as_pf()])


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUpKernel:
    """A kernel that the verbs change."""
    change = OnKernel(Roots(run=str(tmp_path)))
    monkeypatch.setattr(verbs, "Change", lambda: change)
    monkeypatch.setattr(verbs, "Kernel", lambda _: change.kernel)
    return change.kernel


def printed(verb: click.Command, *words: str) -> dict[str, Any]:
    """Return what a verb prints with --json, which is as its schema says."""
    done = CliRunner().invoke(verb, [*words, "--json", "--force"], catch_exceptions=False, standalone_mode=False)
    assert done.return_value == Status.GOOD
    found = json.loads(done.stdout)
    schemas.check(found)
    assert isinstance(found, dict)
    return found


def test_planned_and_done(kernel: MadeUpKernel) -> None:
    """Before, the steps and the VFs as they are; then as they are by then. A second time there is nothing to do."""
    words = (*ALL, "--driver", "vfio-pci")
    planned = printed(verbs.bind, *words, "--dry-run")
    assert (planned["done"], [x["driver"] for x in planned["vfs"]]) == (False, ["igbvf", "igbvf"])
    assert [(x["pf"], x["title"]) for x in planned["steps"]] == [("ens3", "bind 2 VFs to vfio-pci")]
    assert "modprobe vfio-pci" in planned["steps"][0]["shell"]
    done = printed(verbs.bind, *words)
    assert (done["done"], done["steps"]) == (True, planned["steps"])
    assert [(x["address"], x["driver"]) for x in done["vfs"]] == [(x, "vfio-pci") for x in ALL]
    assert printed(verbs.bind, *words)["steps"] == []


def test_vdpa(kernel: MadeUpKernel) -> None:
    """The devices that came, and that went."""
    made = printed(verbs.vdpa, "add", ALL[1])
    assert [x["vdpa"]["driver"] for x in made["vfs"]] == ["vhost"]
    gone = printed(verbs.vdpa, "del", *ALL)
    assert ([x["title"] for x in gone["steps"]], [x["vdpa"] for x in gone["vfs"]]) == (
        ["remove the vDPA devices of 1 VFs"],
        [None, None],
    )


def test_failed(kernel: MadeUpKernel, capsys: pytest.CaptureFixture[str]) -> None:
    """It is an error and no document, and none of the VFs has changed."""
    kernel._fails = failing_once(1)
    with pytest.raises(VerbError, match=r"^no$") as caught:
        verbs.bind.main([*ALL, "--driver", "vfio-pci", "--json", "--force"], standalone_mode=False)
    assert caught.value.hint == "why\nwhat had been done was taken back, and the PF is as it was before"
    assert capsys.readouterr().out == ""
    assert kernel.state.drivers == ["igbvf", "igbvf"]


def test_all_are_taken_back_that_can_be(kernel: MadeUpKernel) -> None:
    """One VF that cannot be bound again as before keeps no other from it, and is named."""
    kernel.state.drivers.append("igbvf")
    bound = []

    def fails(number: int) -> None:
        bound.append(number)
        if len(bound) in (3, 4):  # the last VF, and the first when it is taken back
            raise VerbError(Status.FAILURE, f"no to attempt {len(bound)}")

    kernel._fails = fails
    with pytest.raises(VerbError, match=r"^no to attempt 3$") as caught:
        verbs.bind.main([*map(address_of, range(3)), "--driver", "vfio-pci", "--force"], standalone_mode=False)
    assert caught.value.hint == "could not take back 'bind 3 VFs to vfio-pci' of ens3: no to attempt 4"
    assert kernel.state.drivers == ["vfio-pci", "igbvf", "igbvf"]


def test_a_vdpa_device_goes_with_the_driver(kernel: MadeUpKernel) -> None:
    """It is a step of its own, and comes back with the driver."""
    kernel.state.vdpa = {0: "vhost"}
    kernel._fails = failing_once(2)
    words = [*ALL, "--driver", "vfio-pci", "--force"]
    with pytest.raises(VerbError, match=r"^no$") as caught:
        verbs.bind.main(words, standalone_mode=False)
    assert "but for the vDPA devices of ens3:0, made anew" in caught.value.hint
    assert (kernel.state.drivers, kernel.state.vdpa) == (["igbvf", "igbvf"], {0: "vhost"})
    done = printed(verbs.bind, *words[:-1])
    assert [x["title"] for x in done["steps"]] == ["remove the vDPA devices of 1 VFs", "bind 2 VFs to vfio-pci"]


def test_by_the_name_of_a_link(kernel: MadeUpKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link goes with its driver: what is printed afterwards is the VF all the same."""
    really = kernel.as_pf

    def with_links() -> Pf:
        found = really()
        for vf in found.vfs:
            if vf.driver == "igbvf":
                vf.link = LinkState(f"ens3v{vf.index}", 10 + vf.index, "", 1500, False, False)
        return found

    monkeypatch.setattr(kernel, "as_pf", with_links)
    done = printed(verbs.bind, "ens3v1", "--driver", "vfio-pci")
    assert [(x["address"], x["driver"]) for x in done["vfs"]] == [(ALL[1], "vfio-pci")]
