"""The reference plugins and ours on one node: one killed half-way and the other finishing, and a node switched over.

That each gives back what the other has attached is in test_host_device_parity and test_ipam_parity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import disk, faults, net
from tests.support.net import HOST, Space
from tests.support.plugin import DIST, Attachment

STEPS = [*(("sendto", number) for number in range(1, 25, 2)), *(("write", number) for number in range(1, 4))]
"""Where the reference is killed: netlink requests, and what goes into files. strace counts those of each thread."""


def attached(device: str, pod: Space, network: str, folder: str) -> Attachment:
    """Return an attachment to be, with IPAM of the same folder."""
    conf: dict[str, Any] = {
        "cniVersion": "1.0.0",
        "name": network,
        "type": "host-device",
        "device": device,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.77.0.0/24"}], [{"subnet": "fd00:77::/64"}]]},
    }
    return Attachment(conf, net.unique("container"), pod.path, folder=folder, path=folder)


def taken_up_by(folder: str, attachment: Attachment) -> Attachment:
    """Return an attachment that another implementation goes on with."""
    attachment.folder = attachment.path = folder
    return attachment


def settings(device: str) -> dict[str, Any]:
    """Return what is known of a link, without the alias, in which 1.1.1 leaves the name."""
    return {key: value for key, value in HOST.settings(device).items() if key != "alias"}


@pytest.mark.tried("plugins", "host-device with host-local: killed at a step of ADD or DEL, our DEL goes on")
@pytest.mark.parametrize("command", ["ADD", "DEL"])
def test_killed_half_way(
    make_device: Callable[..., str], make_pod: Callable[[], Space], reference: str, command: str
) -> None:
    """Whatever it has done by then, our DEL gives the device and the addresses back, as a runtime asks before it tries
    again; then the device is as good as new.
    """
    device, pod, network = make_device(), make_pod(), net.unique("killed")
    before, killed = settings(device), 0
    for name, number in STEPS:
        where = f"{command} killed at {name} number {number}"
        one = attached(device, pod, network, reference)
        if command == "DEL":
            one.add()
        outcome = one.call(command, prefix=faults.strace("none", f"{name}:signal=SIGKILL:when={number}"))
        killed += outcome.status != 0
        taken_up_by(DIST, one)
        one.delete()
        assert settings(device) == before, where
        assert pod.links() == [], where
        assert disk.reserved(network) == {}, where
        assert disk.records() == [], where
    one.add()
    one.delete()
    assert settings(device) == before
    assert killed > len(STEPS) / 3, "the steps are not where they were: it is hardly ever killed"


@pytest.mark.tried(
    "plugins", "host-device with host-local: a node switched over and back under twelve running attachments"
)
def test_a_node_switched_over_and_back(
    make_device: Callable[..., str], make_pod: Callable[[], Space], reference: str
) -> None:
    """Theirs attach eight, ours four more; theirs give back half of both and attach those anew, and ours all the rest.
    No running pod notices, no address is given twice, and in the end host and store are as at the beginning.
    """
    network = net.unique("switched")
    devices = [make_device() for _ in range(12)]
    pods = [make_pod() for _ in devices]
    before = [settings(device) for device in devices]
    attachments = [attached(device, pod, network, reference) for device, pod in zip(devices, pods, strict=True)]
    for one in attachments[:8]:
        one.add()
    for one in attachments[8:]:
        taken_up_by(DIST, one).add()
    running = [pod.addresses("net1") for pod in pods]
    assert len({address for addresses in running for address in addresses if not address.startswith("fe80")}) == 24

    for one in attachments:
        taken_up_by(DIST, one).check().ok()
    again = attachments[::2]
    for one in again:  # the node is switched back
        taken_up_by(reference, one).delete()
    for one in again:
        one.add()
    for index in range(1, 12, 2):
        assert pods[index].addresses("net1") == running[index]
    now = [address for pod in pods for address in pod.addresses("net1") if not address.startswith("fe80")]
    assert len(now) == len(set(now)) == 24
    assert sorted(disk.reserved(network)) == sorted(address.partition("/")[0] for address in now)

    for one in attachments:  # and over once more
        taken_up_by(DIST, one).check().ok()
        one.delete()
    assert [settings(device) for device in devices] == before
    assert [pod.links() for pod in pods] == [[]] * 12
    assert disk.reserved(network) == {}
    assert disk.records() == []
