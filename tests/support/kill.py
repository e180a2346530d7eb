"""Kill a plugin at every step of ADD and of DEL, or refuse it one, and see that what comes next puts all right.

A step is a netlink message, or a file operation that changes something; `tests.support.faults` tells how they are found
and struck. Several VFs, of different PFs, are worked on side by side, so that what `ip` says of one PF is one trial's.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from tests.support import disk, faults, net, sweep
from tests.support.bad_luck import collect_garbage
from tests.support.faults import THREAD_END, THREAD_ENDS, Call
from tests.support.net import Space
from tests.support.plugin import Attachment, Outcome
from tests.support.untouched import left_on_disk
from tests.support.vfs import VF, wait_for

DELAY_US = 1_000_000
MOVE_FIRST = faults.move_first(DELAY_US)
MOVE_LAST = faults.move_last(DELAY_US)

STEPS = (
    "openat,?open,?mkdir,mkdirat,?rename,?renameat,renameat2,?link,linkat,?symlink,symlinkat,?unlink,unlinkat,"
    "write,pwrite64,ftruncate,?chmod,fchmod,fchmodat,sendto,sendmsg,clone,clone3"
)
"""Without locks, sockets and the like: what they change dies with the process."""


class Rig:
    """A VF, a pod, and their attachment to a network of its own. settings: what the attachment asks for.

    own: which steps of this rig those are that were recorded with another one, by their id(): on its way to the same
    step a plugin may look at more links or fewer.
    """

    plugin = "sriov"

    def __init__(self, vf: VF, settings: dict[str, Any]) -> None:
        self.vf = vf
        self.settings = settings
        self.own: dict[int, Call] = {}
        self.make()

    def __repr__(self) -> str:
        return self.vf.address

    def snapshot(self) -> str:
        """Return all that has to be as before in the end."""
        return self.vf.snapshot()

    def make(self) -> None:
        """Make all but the VF, anew, and remember what VF and PF are like."""
        self.pod = net.new_space()
        self.network = net.unique("kill")
        self.attachment = self.attach(self.pod, **self.settings)
        self.original = self.snapshot()
        self.prepare()

    def prepare(self) -> None:
        """See to it that all folders are there, as on any node but at the very first attachment."""
        self.attachment.add()
        self.attachment.delete()
        self.assert_clean()

    def collect_garbage(self) -> None:
        """GC for which nothing of the network is valid."""
        collect_garbage(self.attachment)

    def attach(self, pod: Space, **settings: Any) -> Attachment:
        """Return an attachment of the VF to a pod."""
        conf = {
            **{
                "cniVersion": "1.1.0",
                "name": self.network,
                "type": self.plugin,
                "deviceID": self.vf.address,
                **settings,
            },
            "ipam": {"type": "host-local", "subnet": "10.77.0.0/24", "routes": [{"dst": "10.99.0.0/16"}]},
        }
        return Attachment(conf, net.unique("container"), pod.path)

    def left_on_disk(self, *attachments: Attachment) -> list[str]:
        """Return the files that tell of these attachments (else of the rig's own), of the network or of the VF."""
        owners = [f"{attachment.container_id}-" for attachment in attachments or (self.attachment,)]
        names = (*owners, f"networks/{self.network}/", self.vf.address)
        return [path for path in remains() if any(name in path for name in names)]

    def assert_clean(self) -> None:
        """Assert that the VF and its PF are as they were, and that nothing of the attachment is left on disk."""
        assert_equal(self.snapshot(), self.original)
        left = self.left_on_disk()
        assert not left, f"left on disk: {left}"

    def repair(self) -> None:
        """See `sweep.Rig`."""
        self.remove()
        for path in self.left_on_disk():
            os.unlink(os.path.join(disk.CNI, path))
        self.make()

    def remove(self) -> None:
        """Delete the pod and reset the VF."""
        self.pod.delete()
        self.vf.reset()


def assert_equal(now: str, before: str) -> None:
    """Assert that two snapshots are equal, saying in what they differ."""
    changes = difflib.unified_diff(before.splitlines(), now.splitlines(), "before", "now", n=1, lineterm="")
    assert now == before, "\n".join(changes)


def remains() -> list[str]:
    """Return the files that plugins have left, without the locks, which stay for good as those of the Go plugins do."""
    return [path for path in left_on_disk() if not path.endswith(".lock")]


AnyRig = TypeVar("AnyRig", bound=Rig)

Case = tuple[Call, str]
"""A step at which something happens to the plugin, and what else a trial is told, such as the order of its threads."""


def prepare(rigs: list[AnyRig]) -> None:
    """Prepare all rigs, side by side."""
    with ThreadPoolExecutor(len(rigs)) as pool:
        list(pool.map(lambda rig: rig.prepare(), rigs))


def go_through(rigs: list[AnyRig], cases: Iterable[Case], trial: Callable[[AnyRig, Call, str], None]) -> None:
    """Try every case, each on a rig that is free; assert that none failed, listing those that did."""

    def on_its_own(rig: AnyRig, case: Case) -> None:
        call, order = case
        trial(rig, rig.own.get(id(call), call), order)

    assert sweep.go_through(rigs, cases, on_its_own)
    assert remains() == []


def recorded(rig: Rig, syscalls: str = STEPS) -> tuple[list[Call], list[Call]]:
    """Return the steps of an ADD and of the DEL after it, without those that found nothing to do."""
    lists = (faults.calls(rig.attachment, command, syscalls) for command in ("ADD", "DEL"))
    add, delete = ([call for call in calls if not call.text.endswith(IN_VAIN)] for calls in lists)
    return add, delete


def recorded_by_all(rigs: list[AnyRig], syscalls: str = STEPS) -> tuple[list[Call], list[Call]]:
    """Return the steps as recorded with the first rig, and tell all rigs which of theirs these are.

    Where a link's carrier was waited for, there are steps more. What agrees is what happens as a rule.
    """
    for _ in range(RECORDINGS):
        of_all = [recorded(rig, syscalls) for rig in rigs]
        names = [[[call.name for call in calls] for calls in of_rig] for of_rig in of_all]
        if all(x == names[0] for x in names):
            break
    assert all(x == names[0] for x in names), names
    for rig, of_rig in zip(rigs, of_all, strict=True):
        for theirs, own in zip(of_all[0], of_rig, strict=True):
            rig.own |= {id(call): mine for call, mine in zip(theirs, own, strict=True)}
    return of_all[0]


RECORDINGS = 5
"""How often steps are recorded until all rigs have the same."""

IN_VAIN = ("EEXIST (File exists)", "ENOENT (No such file or directory)")


def each(calls: list[Call]) -> list[Case]:
    """Return every step but those before which a kill leaves just what a kill before the next one leaves.

    These are the questions to the kernel: one changes nothing, and its answer is in the memory of a process that dies.
    Not so beside the move, where a second thread runs: there every step stays. So does the last one.
    """
    beside = _beside_the_move(calls)
    cases = [
        (call, "")
        for index, call in enumerate(calls)
        if not call.only_asks or index in beside or index == len(calls) - 1
    ]
    assert sum(call.changes_kernel for call, _ in cases) >= 5
    assert len(cases) >= 10
    return cases


def both_orders(calls: list[Call]) -> list[Case]:
    """Return every step as `each` does; those that run beside the move, with the move before and after them.

    As it comes, such a step finds one of the two: the second thread changes one thing by one message.
    """
    numbers = _beside_the_move(calls)
    beside = [calls[index] for index in numbers]
    assert beside
    return [
        *((call, order) for call, order in each(calls) if call not in beside),
        (THREAD_END, THREAD_ENDS),
        *((call, order) for order in (MOVE_FIRST, MOVE_LAST) for call in beside),
    ]


def _beside_the_move(calls: list[Call]) -> range:
    """Return the indexes of the steps that run beside the move, the first one after it included; none where nothing is
    done meanwhile.
    """
    starts = [index for index, call in enumerate(calls) if call.name.startswith("clone")]
    if not starts:
        return range(0)
    start = starts[0]  # what comes later is a process that waits for carrier
    end = next(index for index, call in enumerate(calls) if index > start and call.name == "sendto")
    return range(start + 1, end + 1)


def the(calls: list[Call], condition: Callable[[Call], bool]) -> int:
    """Return the index of the one step for which the condition holds."""
    (index,) = (index for index, call in enumerate(calls) if condition(call))
    return index


def killed(attachment: Attachment, command: str, call: Call, order: str = "") -> None:
    """Give a command and kill the plugin before a step; assert that it died there: else nothing would be proven."""
    outcome = faults.inject(attachment, command, "signal=SIGKILL", call, order)
    assert outcome.status == -9, f"was not killed: {outcome!r}"


def added_by_and_by(attachment: Attachment) -> None:
    """ADD as a runtime does it, which tries again when it is told to: the kernel takes its time to save the VF."""
    outcomes: list[Outcome] = []

    def is_done() -> bool:
        outcomes.append(attachment.call("ADD"))
        return outcomes[-1].status == 0 or outcomes[-1].error()["code"] != 11

    wait_for(is_done, "ADD that is over")
    attachment.result = outcomes[-1].ok()
