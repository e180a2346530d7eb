"""What goes wrong on nodes between ADD and DEL, as tests of both plugins for VFs have it happen.

The stories that are told of both are in `tests.support.unlucky_vfs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import net
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import PF, VF, settle, wait_for

Happening = Callable[[Space, Attachment], None]
"""What becomes of the namespace. Each of these gets pod and attachment, after ADD."""


def lives(_: Space, one: Attachment) -> None:
    """Nothing."""


def deleted(pod: Space, _: Attachment) -> None:
    """The runtime was not asked."""
    pod.delete()


def deleted_and_not_named(pod: Space, one: Attachment) -> None:
    """CRI-O and containerd name none then."""
    pod.delete()
    one.netns = ""


def not_named(_: Space, one: Attachment) -> None:
    """Only the record says where the VF is (accelerated-bridge-cni leaves everything then)."""
    one.netns = ""


def plain_file(pod: Space, _: Attachment) -> None:
    """The mount has gone, the file that was mounted on is still there."""
    pod.delete()
    with open(pod.path, "x"):
        pass


def given_to_another(pod: Space, _: Attachment) -> None:
    """The path is another pod's by now, which has a net1 as well."""
    pod.delete()
    net.run("ip", "netns", "add", str(pod.name))
    pod.ip("link", "add", "net1", "type", "veth", "peer", "name", "other")


def the_hosts_own(pod: Space, one: Attachment) -> None:
    """The path was that of a process, and its number has been given to one of the host's."""
    pod.delete()
    one.netns = "/proc/1/ns/net"


NAMESPACES = [lives, deleted, deleted_and_not_named, not_named, plain_file, given_to_another, the_hosts_own]


def wait_for_the_vf(happens: Happening, vf: VF) -> None:
    """Wait until the kernel has saved the VF from a namespace of which one of these became something. Where it was just
    deleted, do not: there, DEL itself waits.
    """
    if happens in (deleted_and_not_named, plain_file, given_to_another, the_hosts_own):
        wait_for(lambda: bool(vf.name), "link on the host")


def change_boot(record: str) -> None:
    """Make a record one of another boot. record: its path."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        now = file.read().strip()
    with open(record) as file:
        content = file.read()
    assert now in content
    with open(record, "w") as file:
        file.write(content.replace(now, "00000000-0000-4000-8000-00000000000a"))


def collect_garbage(one: Attachment, *valid: Attachment) -> None:
    """GC of an attachment's network, with these attachments as the valid ones."""
    named = [{"containerID": x.container_id, "ifname": x.ifname} for x in valid]
    Attachment({**one.conf, "cni.dev/valid-attachments": named}, "", "").call("GC").ok()


# What becomes of links of the host.


@contextmanager
def renamed(name: str, new: str) -> Iterator[None]:
    """Have a link that is up under another name, as udev may give it one late."""

    def rename(old: str, to: str) -> None:
        HOST.batch(f"link set {old} down", f"link set {old} name {to}", f"link set {to} up")

    rename(name, new)
    try:
        yield
    finally:
        settle()
        HOST.ip("link", "property", "del", "dev", new, "altname", name, check=False)  # udev's
        rename(new, name)
        settle()
        HOST.ip("link", "property", "del", "dev", name, "altname", new, check=False)


# What becomes of the VF.


def bind_to_none(vf: VF) -> None:
    """Leave the VF without a driver."""
    vf.bind("")


def bind_again(vf: VF) -> None:
    """Give the VF a new link, with a new index and the usual MTU."""
    vf.bind("")
    vf.bind("igbvf")


def bind_to_vfio(vf: VF) -> None:
    """Prepare the VF for a virtual machine."""
    vf.bind("vfio-pci")


def bind_to_stub(vf: VF) -> None:
    """Have a driver that makes no link, as a NIC's own may from some setting on."""
    net.run("modprobe", "pci-stub")
    vf.bind("pci-stub")


def without_mac(vf: VF) -> dict[str, Any]:
    """Return the VF's entry at the PF without the address, which a VF that is made anew chooses for itself."""
    return {key: value for key, value in vf.table().items() if key != "address"}


def remove_vfs(pf: PF) -> None:
    """Leave the PF without VFs."""
    with open(f"{pf.folder}/sriov_numvfs", "w") as file:
        file.write("0")


# What IPAM answers.

_POOL = """#!/bin/sh
echo "$CNI_COMMAND" >>{log}
[ "$CNI_COMMAND" = ADD ] || exit 0
{answer}
"""
_ROUTE_TO_NOWHERE = (
    '{"cniVersion":"1.0.0","ips":[{"address":"10.6.0.7/24"}],"routes":[{"dst":"10.7.0.0/16","gw":"192.0.2.1"}]}'
)
_ERROR = """echo '{"cniVersion":"1.0.0","code":123,"msg":"the pool is dry"}'; exit 1"""
ANSWERS = {
    "an error": (_ERROR, 123, "the pool is dry"),
    "killed": ("kill -9 $$", 999, "killed by SIGKILL"),
    "no address": ("""echo '{"cniVersion":"1.0.0"}'""", 999, "IPAM plugin returned missing IP config"),
    "a route that cannot be": (f"echo '{_ROUTE_TO_NOWHERE}'", 999, "192.0.2.1"),
}
"""By what is wrong with it: what the IPAM plugin does at ADD; the error's code then, and what it says."""


def make_pool(folder: Path, answer: str) -> Path:
    """Make an executable IPAM plugin `pool` in a folder that answers so; return the log of the commands given to it."""
    program, log = folder / "pool", folder / "calls"
    program.write_text(_POOL.format(log=log, answer=ANSWERS[answer][0]))
    program.chmod(0o755)
    return log
