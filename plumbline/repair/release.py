"""Which device is to be released, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass

from cni.linux import pci
from cni.protocol.errors import escaped
from plumbline.errors import Status, VerbError
from plumbline.node import names, vfio
from plumbline.node.model import Node, Owner, State, Vf
from plumbline.node.roots import Roots
from plumbline.repair.dead import Left


@dataclass(frozen=True, slots=True)
class Wanted:
    """A device that is to be released. vf: None for one that is no VF. left: the attachments that are recorded of it.
    holder: the program that has it open through vfio, None for none.
    """

    title: str
    vf: Vf | None
    left: list[Left]
    holder: Owner | None = None

    @property
    def foreign_netns(self) -> str:
        """The path of the namespace that its link is in though nobody recorded that, empty for none."""
        if self.vf is None or self.left or self.vf.state is not State.FOREIGN or self.vf.link is None:
            return ""
        return self.vf.link.netns


def find(text: str, node: Node, everything: list[Left], roots: Roots) -> Wanted:
    """Return the device that an operator names: a VF, or any device that is recorded, by its address or its name on the
    host, which it has there or had.

    Raises VerbError: 10 where there is none, 2 where it may be one of several: another device may have got the name.
    """
    vf = names.find_on_host(node, text)
    left = [x for x in everything if x.device == text]
    if not pci.is_address(text):
        left = [x for x in everything if text in (x.device, x.attachment.name, x.attachment.key)]
    devices = {x.device: f"{x.title}, of {x.owner}" for x in left}
    if vf is not None:
        devices[vf.name] = f"{vf.pf}:{vf.index} {vf.name}"
    if len(devices) > 1:
        raise names.several(text, list(devices.values()))
    if not devices:
        names.refuse_names_in_pods(node, text)
        raise VerbError(
            Status.NO_DEVICE,
            f'there is no VF "{text}" on this node, and no device of that name is recorded as a pod\'s',
            "`plumbline vfs` lists the VFs",
        )
    [device] = devices
    vf = next((x for x in node.vfs if x.name == device), None)
    if vf is None:
        _refuse_several_pods(device, left)
        return Wanted(left[0].title, None, left)
    holder = next(iter(vfio.holders(vfio.nodes(vf, roots.sysfs), roots).values()), None)
    return Wanted(f"{vf.pf}:{vf.index}", vf, [x for x in everything if x.device == device], holder)


def _refuse_several_pods(device: str, left: list[Left]) -> None:
    """Raise VerbError (2) where pods have virtual links that were called the same on the host, one after the other."""
    pods = [str(x.owner) for x in left if x.may_live]
    if len(pods) > 1 and not pci.is_address(device):
        raise VerbError(
            Status.USAGE,
            f'"{device}" is what links of several pods were called on the host; nothing was changed',
            "\n".join([*map(escaped, pods), "delete the pod whose link it is"]),
        )


def require_seen(wanted: Wanted) -> None:
    """Raise VerbError (4) where the link of a VF that nobody has recorded is where nothing leads to: neither can it be
    moved, nor told who has it.
    """
    vf = wanted.vf
    if vf is not None and not wanted.left and vf.state is State.FOREIGN and vf.link is None:
        where = f"its link is in {vf.elsewhere}, and no plugin has recorded whose it is"
        raise _in_use(wanted, where, "run it on the node itself, or in a container with hostPID")


def refuse(wanted: Wanted) -> None:
    """Raise VerbError (4) that names whoever needs the device, before anything is done."""
    for left in wanted.left:
        if left.may_live:
            owner = left.owner
            lives = "lives in" if owner.alive else "may live, which cannot be told of"
            raise _in_use(
                wanted,
                f"{owner} has it as {owner.interface} in network {owner.network or '?'}, and {lives} {owner.netns}",
                "delete the pod, or --force to take it from under the pod",
            )
    if wanted.holder is not None:
        raise _in_use(wanted, f"process {wanted.holder.program} has it open through vfio", "end that process first")
    if wanted.foreign_netns:
        where = f"its link is in {wanted.foreign_netns}, and no plugin has recorded whose it is"
        raise _in_use(wanted, where, "--force moves it to the host, with the settings that it was given")


def _in_use(wanted: Wanted, why: str, hint: str) -> VerbError:
    return VerbError(Status.IN_USE, f"{wanted.title} is not released: {why}; nothing was changed", hint)
