"""SIGKILL at every step of a plugin for VFs: the tests, which are the same for each, and what each has of its own."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import pytest

from tests.support import kill, net
from tests.support.faults import Call
from tests.support.kill import (
    Case,
    added_by_and_by,
    assert_equal,
    both_orders,
    each,
    go_through,
    killed,
    recorded,
    recorded_by_all,
)
from tests.support.plugin import Attachment

Steps = tuple[list[Call], list[Call]]
AnyRig = TypeVar("AnyRig", bound=kill.Rig)


class Kills(ABC, Generic[AnyRig]):
    """The tests. Their module has fixtures `all_rigs` and `rigs`.

    messages: how many netlink requests ADD has at least, and DEL. renamed: the files that ADD writes whole; unlinked:
    those that DEL removes. folders: of the plugin, with all that is in them, which the first ADD of a node makes, and
    made: how many folders and locks these are. places: what `place` has to tell of some kills, and what of others.
    not_for_gc: stages of which something is left that GC is not told of.
    """

    messages: int
    renamed: tuple[str, ...]
    unlinked: tuple[str, ...]
    folders: tuple[str, ...]
    made: int
    places: frozenset[object]
    not_for_gc: tuple[str, ...] = ()

    @abstractmethod
    def place(self, rig: AnyRig, order: str) -> object:
        """Return how far ADD had got when it was killed. order: of the two threads."""

    @abstractmethod
    def stages(self, add: list[Call]) -> dict[str, Case]:
        """Return cases that stand for all others: what an ADD that is killed there has done."""

    def of_the_dead(self, stages: dict[str, Case], is_late: bool) -> list[Case]:
        """Return those that are tried with another pod. is_late: whether DEL of the dead one comes last."""
        return list(stages.values())

    @abstractmethod
    def others(self, rig: AnyRig) -> dict[str, Any]:
        """Return what another pod asks for."""

    def before(self, rig: AnyRig) -> object:
        """Return what `assert_attached` is to know of the VF as it is on the host."""
        return None

    @abstractmethod
    def assert_attached(self, rig: AnyRig, one: Attachment, before: object) -> None:
        """Assert that VF and pod have all that an attachment asks for, and nothing of an earlier one."""

    @pytest.fixture(scope="class")
    def steps(self, all_rigs: list[AnyRig]) -> Steps:
        """The steps of an ADD and of the DEL after it."""
        kill.prepare(all_rigs)
        return recorded_by_all(all_rigs)

    def test_the_recording_sees_every_step(self, steps: Steps) -> None:
        """The sweeps below stand on it."""
        add, delete = steps
        assert self.stages(add)
        assert all([call.name for call in calls].count("sendto") >= self.messages for calls in steps)
        assert sum(call.name.startswith("rename") for call in add) == len(self.renamed), self.renamed
        assert add[-1].text.startswith("write(1,"), "the result is the last"
        assert sum(call.name.startswith("unlink") for call in delete) == len(self.unlinked), self.unlinked

    def test_add_killed_then_delete(self, rigs: list[AnyRig], steps: Steps) -> None:
        """SIGKILL before each step of ADD, the move before and after those beside it: one DEL puts everything right."""
        places: set[object] = set()

        def trial(rig: AnyRig, call: Call, order: str) -> None:
            killed(rig.attachment, "ADD", call, order)
            places.add(self.place(rig, order))
            rig.attachment.delete()
            rig.assert_clean()

        go_through(rigs, both_orders(steps[0]), trial)
        assert self.places <= places

    def test_delete_killed_then_delete(self, rigs: list[AnyRig], steps: Steps) -> None:
        """SIGKILL before each step of DEL: the next DEL finishes."""

        def trial(rig: AnyRig, call: Call, order: str) -> None:
            rig.attachment.add()
            killed(rig.attachment, "DEL", call)
            rig.attachment.delete()
            rig.assert_clean()

        go_through(rigs, each(steps[1]), trial)

    def test_first_add_of_a_node_killed(self, rigs: list[AnyRig]) -> None:
        """The same where no folder exists yet: SIGKILL before each folder and lock that the first ADD makes."""

        def forget() -> None:
            for folder in self.folders:
                shutil.rmtree(folder, ignore_errors=True)

        def trial(rig: AnyRig, call: Call, order: str) -> None:
            forget()
            killed(rig.attachment, "ADD", call)
            rig.attachment.delete()
            rig.assert_clean()

        forget()
        add, _ = recorded(rigs[0])
        made = [call for call in add if call.name.startswith("mkdir") or "lock" in call.text]
        assert len(made) >= self.made
        go_through(rigs[:1], [(call, "") for call in made], trial)

    def test_add_killed_then_add(self, rigs: list[AnyRig], steps: Steps) -> None:
        """SIGKILL at every stage of ADD: the next ADD of the same attachment works, and DEL undoes it."""

        def trial(rig: AnyRig, call: Call, order: str) -> None:
            before = self.before(rig)
            killed(rig.attachment, "ADD", call, order)
            rig.attachment.add()
            self.assert_attached(rig, rig.attachment, before)
            rig.attachment.check().ok()
            rig.attachment.delete()
            rig.assert_clean()

        go_through(rigs, self.stages(steps[0]).values(), trial)

    @pytest.mark.parametrize("is_late", [False, True], ids=["DEL of the dead first", "DEL of the dead last"])
    def test_add_killed_then_another_pod(self, rigs: list[AnyRig], steps: Steps, is_late: bool) -> None:
        """SIGKILL in ADD, and the pod dies: the next pod gets the VF with nothing but its own settings, its DEL makes
        everything what it was before the first ADD, and the late DEL of the dead pod changes nothing.
        """

        def trial(rig: AnyRig, call: Call, order: str) -> None:
            before = self.before(rig)
            dead = rig.attachment
            killed(dead, "ADD", call, order)
            rig.pod.delete()
            rig.pod = net.new_space()
            rig.attachment = rig.attach(rig.pod, **rig.settings)  # for the trials after this one
            new = rig.attach(rig.pod, **self.others(rig))
            added_by_and_by(new)
            self.assert_attached(rig, new, before)
            if not is_late:
                dead.delete()
                self.assert_attached(rig, new, before)
            new.check().ok()
            new.delete()
            assert_equal(rig.snapshot(), rig.original)
            if is_late:
                dead.delete()
            rig.assert_clean()
            assert rig.left_on_disk(dead, new) == []

        go_through(rigs, self.of_the_dead(self.stages(steps[0]), is_late), trial)

    def test_add_killed_then_gc(self, rigs: list[AnyRig], steps: Steps) -> None:
        """SIGKILL at every stage of ADD: a GC for which nothing of this network is valid puts everything right."""

        def trial(rig: AnyRig, call: Call, order: str) -> None:
            killed(rig.attachment, "ADD", call, order)
            rig.collect_garbage()
            rig.assert_clean()

        stages = self.stages(steps[0])
        go_through(rigs, [case for stage, case in stages.items() if stage not in self.not_for_gc], trial)
