"""Is what is written down still so? Records, owners, and the folder that they are kept in."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.doctor.facts import Facts
from plumbline.doctor.finding import Finding, failure, good, listed, skipped, warning
from plumbline.lint.plugin import VF_PLUGINS
from plumbline.node.model import Node, State, Vf

LEAST_BYTES, LOW_BYTES = 1 << 20, 64 << 20
LEAST_FILES, LOW_FILES = 1, 1000
OF_CONTAINERS = "overlay"
S = 1_000_000_000
LEEWAY_NS = 60 * S
EPOCH_NS = 1_500_000_000 * S
"""A clock from before July 2017 was never set: no kernel that the plugins run on is as old."""


def dead(facts: Facts) -> Iterator[Finding]:
    """What a pod left that ended without DEL keeps a VF from others, until an ADD or GC of the plugin gives it back."""
    found = [f"{vf.name} of {vf.owner}" for vf in _in(facts.node, State.DEAD)]
    found += [f"{device} of {owner}" for device, owner in facts.node.others if owner.alive is False]
    if found:
        yield warning("", f"{len(found)} devices of dead pods: {listed(found)}", "plumbline gc")
    else:
        yield good("", "no device is a dead pod's")


def strays(facts: Facts) -> Iterator[Finding]:
    """Somebody has given the VF away, and no plugin has attached it: a pod that starts, or one that is gone."""
    found = [f"{vf.name} ({vf.owner.source}: {vf.owner})" for vf in _in(facts.node, State.STRAY) if vf.owner]
    if found:
        measured = f"{len(found)} VFs allocated and not attached: {listed(found)}"
        yield warning("", measured, "plumbline release VF, if no pod starts")
    else:
        yield good("", "no VF is allocated without being attached")


def foreign(facts: Facts) -> Iterator[Finding]:
    """A link that somebody moved by hand, or whose record is gone: no DEL will bring it back."""
    found = [f"{vf.name} in {vf.elsewhere}" for vf in _in(facts.node, State.FOREIGN)]
    if found:
        remedy = "ip netns exec NAMESPACE ip link set LINK netns 1, or end what is in that namespace"
        yield warning("", f"{len(found)} VFs in namespaces that no record names: {listed(found)}", remedy)
    else:
        yield good("", "every VF that is away has a record")


def damaged(facts: Facts) -> Iterator[Finding]:
    """A record that cannot be read tells nobody what its device was like: DEL cannot give that back."""
    for line in facts.node.damaged:
        yield failure("", line, "once its pod is gone: remove the file, and `plumbline release` the VF")
    if not facts.node.damaged:
        yield good("", "every record can be read")


def gone(facts: Facts) -> Iterator[Finding]:
    """Records of VFs that are not there: made fewer, or behind another PCI address since a boot."""
    found = [f"{name} of {owner}" for name, owner in facts.node.others if owner.plugin in VF_PLUGINS]
    if found:
        remedy = "were VFs removed under running pods? End these pods; `plumbline gc` clears what is left"
        yield warning("", f"{len(found)} recorded VFs are not on this node: {listed(found)}", remedy)
    else:
        yield good("", "every recorded VF is there")


def writable(facts: Facts) -> Iterator[Finding]:
    """ADD writes a record before it changes anything, so without that no pod starts."""
    there = facts.storage
    if there.is_writable:
        yield good(there.path, "writable")
    else:
        remedy = f"findmnt -T {there.path}: read-only? no folder? run it as root"
        yield failure(there.path, "not writable", remedy)


def room(facts: Facts) -> Iterator[Finding]:
    """The same for a file system that is full."""
    there = facts.storage
    left = there.free_files
    measured = f"{there.free_bytes >> 20} MiB" + ("" if left is None else f" and {left} files") + " left"
    remedy = f"df -h {there.path}; df -i {there.path}"
    if there.free_bytes < LEAST_BYTES or (left is not None and left < LEAST_FILES):
        yield failure(there.path, measured, remedy)
    elif there.free_bytes < LOW_BYTES or (left is not None and left < LOW_FILES):
        yield warning(there.path, measured, remedy)
    else:
        yield good(there.path, measured)


def lasting(facts: Facts) -> Iterator[Finding]:
    """host-local's addresses are below this folder, too. To lose them with a boot does no harm, since pods are gone
    then; to lose them with the restart of a container that runs plugins does.
    """
    there = facts.storage
    if there.file_system == OF_CONTAINERS:
        remedy = "if this is a container: mount the host's /var/lib/cni into it"
        yield warning(there.path, f"on {there.file_system}", remedy)
    elif there.file_system:
        yield good(there.path, f"on {there.file_system}")
    else:
        yield skipped(there.path, "/proc/self/mountinfo does not tell")


def clock(facts: Facts) -> Iterator[Finding]:
    """Records of the Go plugins are told from those of an earlier boot by when they were written."""
    now, newest = facts.system.time_ns, facts.storage.newest_ns
    if now < EPOCH_NS:
        yield failure("", f"{now // S} s since 1970: never set", "timedatectl; chronyc tracking")
    elif newest > now + LEEWAY_NS:
        measured = f"a record is {(newest - now) // S} s from the future: the clock went back"
        yield warning("", measured, "chronyc tracking")
    else:
        yield good("", "no record is from the future")


def boot_id(facts: Facts) -> Iterator[Finding]:
    """A record is known to be of an earlier boot by the boot's identity (random(4)), without which no pod starts."""
    if facts.system.boot_id:
        yield good("", facts.system.boot_id)
    else:
        yield failure("", "/proc/sys/kernel/random/boot_id cannot be read", "is /proc mounted, with `sys` in it?")


def device_plugin(facts: Facts) -> Iterator[Finding]:
    """A device plugin sees VFs that are made later only once it is restarted; until then no pod gets one of them."""
    if facts.registered is None:
        yield skipped("", "no kubelet has written down what device plugins have")
        return
    for pf in facts.node.pfs:
        known = [vf for vf in pf.vfs if vf.address in facts.registered]
        unknown = [vf.index for vf in pf.vfs if vf.address and vf.address not in facts.registered]
        if known and unknown:
            yield warning(
                pf.name,
                f"{len(known)} of {len(pf.vfs)} VFs are known to the kubelet, not index {listed(unknown, 8)}",
                "if they are meant to be: restart the device plugin's pod on this node",
            )
        elif known:
            yield good(pf.name, f"the kubelet knows all {len(known)} VFs")
        elif pf.vfs:
            yield skipped(pf.name, "no device plugin has VFs of it")


def _in(node: Node, state: State) -> list[Vf]:
    return [vf for vf in node.vfs if vf.state is state]
