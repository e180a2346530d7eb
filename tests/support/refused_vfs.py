"""The kernel's refusals with a VF: a rig of `kill`, whose device, pod and attachment they are tried with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk, kill, refusals
from tests.support.kill import assert_equal
from tests.support.plugin import Outcome
from tests.support.refusals import FOR_GOOD, FROM_THEN_ON, PLACES


class Rig(refusals.Rig):
    """What is tried on VFs, on all of them side by side.

    with_vfs: the first has VF and pod, for the others there are rigs like this one. ipam: of the network, if not the
    usual one. folders: what CNI_PATH has besides the built binaries.
    """

    def __init__(self, with_vfs: list[kill.Rig], ipam: dict[str, Any] | None = None, folders: str = "") -> None:
        self.with_vf = with_vfs[0]
        self.ipam = ipam
        self.folders = folders
        self.begin()
        self.others = [Rig([other], ipam, folders) for other in with_vfs[1:]]

    def begin(self) -> None:
        """Remember what everything is like with an attachment."""
        self.pod = self.with_vf.pod
        self.attachment = self.with_vf.attach(self.pod, **self.with_vf.settings)
        self.attachment.conf["ipam"] = self.ipam or self.attachment.conf["ipam"]
        self.attachment.path = ":".join((self.folders, self.attachment.path))
        self.attachment.add()
        self.attached = self.seen()
        self.attachment.delete()
        self.assert_clean()

    def __repr__(self) -> str:
        return repr(self.with_vf)

    def repair(self) -> None:
        """See `refusals.Rig`."""
        self.attachment.call("DEL")
        self.with_vf.repair()
        self.begin()

    @property
    def all(self) -> list[refusals.Rig]:
        """See `refusals.Rig`."""
        return [self, *self.others]

    def sweep(self, trials: Iterable[tuple[str, ...]], undoes: bool = True) -> list[Outcome]:
        """See `refusals.Rig`."""
        outcomes = super().sweep(trials, undoes)
        assert kill.remains() == []
        return outcomes

    def seen(self) -> dict[str, Any]:
        """Return what is to be seen of an attachment: at the PF, in the pod, in the store, and beside the VF."""
        return {
            "host": self.with_vf.snapshot(),
            "link": self.pod.settings("net1"),
            "routes": [route["dst"] for route in self.pod.routes("net1")],
            "addresses": len(self.pod.addresses("net1")),
            "reserved": len(disk.reserved(self.with_vf.network)),
        }

    def prepare(self, command: str) -> None:
        """See `refusals.Rig`. igb does not let a VF have another MAC address than the one that was asked for."""
        if command == "ADD":
            return
        self.attachment.add()
        if command == "DEL":
            self.pod.batch("link set net1 mtu 1300 promisc on", "link property add dev net1 altname of-the-pod")

    def assert_works(self) -> None:
        """See `refusals.Rig`."""
        seen = self.seen()
        for what, was in self.attached.items():
            if isinstance(was, str):
                assert_equal(seen[what], was)
            else:
                assert seen[what] == was, what
        self.attachment.check().ok()

    def assert_clean(self) -> None:
        """See `refusals.Rig`."""
        self.with_vf.assert_clean()
        assert self.with_vf.left_on_disk(self.attachment) == []
        assert self.pod.links() == []


COMMANDS = ("ADD", "DEL")
LEAST_ANSWERS = {"ADD": 25, "DEL": 35}


class Sweeps:
    """The tests, which are the same for each plugin; its module has a fixture `rigs`: of `kill`.

    stride: of the answers one in how many is lost. Of those to an undo it is every second of these again: most are an
    answer and its acknowledgement. All calls are refused in any case.
    """

    stride = 1

    @pytest.fixture
    def rig(self, rigs: list[kill.Rig]) -> Rig:
        """A rig."""
        return Rig(rigs)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_an_answer_is_lost(self, rig: Rig, command: str) -> None:
        """One of them: it is asked for again, or looked at what has come of the request, and nobody notices."""
        answers = rig.answers(command)
        assert len(answers) >= LEAST_ANSWERS[command]
        assert [outcome for outcome in rig.lose(command, answers[:: self.stride]) if outcome.status] == []

    @pytest.mark.parametrize("command", COMMANDS)
    def test_an_answer_is_lost_for_good(self, rig: Rig, command: str) -> None:
        """It is, however often it is asked for; what comes after is answered. ADD, if it fails, undoes everything."""
        answers = rig.first_answers(command)[:: self.stride]
        outcomes = rig.lose(command, answers, FOR_GOOD)
        assert len([outcome for outcome in outcomes if outcome.status]) > len(answers) / 3

    @pytest.mark.parametrize("command", COMMANDS)
    def test_no_answer_any_more(self, rig: Rig, command: str) -> None:
        """From some point on none is received."""
        outcomes = rig.lose(command, rig.first_answers(command)[:: self.stride], FROM_THEN_ON)
        assert [outcome for outcome in outcomes if outcome.status]

    def test_an_answer_to_the_move_is_lost(self, rig: Rig) -> None:
        """It is in a thread of its own, each of which has its own numbers: one of the other's is lost, too."""
        outcomes = rig.sweep(("ADD", f"recvfrom:error=ENOBUFS:when={number}") for number in range(1, 5))
        assert [outcome for outcome in outcomes if outcome.status] == []

    def test_an_answer_to_the_undo_is_lost(self, rigs: list[kill.Rig]) -> None:
        """ADD fails at its last step, and is undone all the same."""
        ipam = {"type": "static", "addresses": [{"address": "10.77.0.2/24"}]}
        rig = Rig(rigs, ipam)
        for each in (rig, *rig.others):
            each.attachment.conf["ipam"] = {**ipam, "routes": [{"dst": "10.99.0.0/16", "gw": "192.0.2.1"}]}
        answers = rig.answers_to_undo()
        assert len(answers) >= LEAST_ANSWERS["DEL"]
        for outcome in rig.lose("ADD", answers[:: 2 * self.stride]):
            assert "cannot add route" in outcome.error()["msg"]

    @pytest.mark.parametrize("command", COMMANDS)
    @pytest.mark.parametrize("calls", PLACES)
    def test_refused(self, rig: Rig, command: str, calls: str) -> None:
        """Each of them."""
        assert bool(rig.refuse(command, calls)) is ((command, calls) != ("DEL", "clone,clone3"))

    @pytest.mark.parametrize("command", COMMANDS)
    def test_no_process_for_ipam(self, rigs: list[kill.Rig], tmp_path: Path, command: str) -> None:
        """An IPAM executable that cannot be started: the runtime may try again."""
        Rig(rigs, refusals.make_ipam(tmp_path), str(tmp_path)).refuse_ipam(command)
