"""A node on which everything occurs: the lab's VFs in each state that `plumbline` tells of. Only in the lab.

enp1s0:0  a pod has it, attached as the kubelet's runtime does it, with a VLAN
enp1s0:1  the pod has died, and nobody gave it back
enp1s0:2  a program has it open through vfio
enp1s0:3  its link is in a namespace that nobody recorded
enp1s0:4  the kubelet has given it to a pod that has not been attached
enp1s0:5  it has no driver
enp1s0:6  free
enp2s0:0  sriov-cni has attached it; libcni's cache names the pod
enp2s0:1  the same; the kubelet's checkpoint and the folder of the pod's logs name the pod
enp2s0:2  a container of containerd's has it
eni1np1   simulated VFs in switchdev mode; the representors of two are in a bridge
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.test_go_records import attached_by_sriov_cni
from tests.support import containerd, disk, net, rootfs, vfs
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import PF, settle, wait_for

CHECKPOINT = "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint"
LOGS = "/var/log/pods"
RESULTS = "/var/lib/cni/results"
NETWORKS = "/etc/cni/net.d"
CONTAINERD = "/run/plumbline-scene"
BRIDGE, SIMULATED = "br-scene", "netdevsim1"


@dataclass(slots=True)
class Scene:
    """pods: the namespaces of pods, by what they are called. attachments: made by our plugin, by the VF's index."""

    pfs: list[PF]
    pods: dict[str, Space] = field(default_factory=dict)
    attachments: dict[int, Attachment] = field(default_factory=dict)


def kubelet_args(namespace: str, name: str, uid: str) -> str:
    """Return CNI_ARGS as containerd gives them for a pod of the kubelet's."""
    sandbox = "K8S_POD_INFRA_CONTAINER_ID=5f0c2a"
    return f"IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name};{sandbox};K8S_POD_UID={uid}"


@contextmanager
def made(pfs: list[PF]) -> Iterator[Scene]:
    """Have the whole scene, and VFs as before afterwards."""
    scene = Scene(pfs)
    with ExitStack() as stack:
        stack.callback(disk.clear)
        stack.callback(vfs.reset, *(vf for pf in pfs for vf in pf.vfs))
        stack.callback(net.run, "ip", "-all", "netns", "delete")
        _attached(scene, 0, "living", kubelet_args("default", "router-0", "11111111-aaaa"))
        _attached(scene, 1, "dying", kubelet_args("default", "router-1", "22222222-bbbb"))
        stack.enter_context(_busy(scene))
        _foreign(scene)
        stack.enter_context(_kubernetes(scene))
        pfs[0].vfs[5].bind("")
        _by_sriov_cni(scene)
        stack.enter_context(_switchdev())
        stack.enter_context(_in_a_container(scene))
        # Last, since the next ADD or DEL of any pod gives back what this one has left.
        scene.pods["dying"].delete()
        wait_for(lambda: bool(pfs[0].vfs[1].name), "link of the dead pod's VF")
        settle()
        yield scene


def _attached(scene: Scene, index: int, pod: str, args: str) -> None:
    """Attach a VF of the first PF as a runtime does it for a pod."""
    vf = scene.pfs[0].vfs[index]
    space = scene.pods[pod] = net.new_space(pod)
    conf = {"cniVersion": "1.0.0", "name": "blue", "type": "sriov", "deviceID": vf.address, "vlan": 100}
    ipam = {"type": "host-local", "subnet": "10.20.0.0/24"}
    one = Attachment({**conf, "ipam": ipam}, f"sandbox{index}", space.path, "net1", args=args)
    one.add()
    scene.attachments[index] = one


@contextmanager
def _busy(scene: Scene) -> Iterator[None]:
    """A program has the VF's group open: this one."""
    vf = scene.pfs[0].vfs[2]
    vf.bind("vfio-pci")
    group = os.path.basename(os.readlink(f"{vf.folder}/iommu_group"))
    wait_for(lambda: os.path.exists(f"/dev/vfio/{group}"), f"group {group}")
    fd = os.open(f"/dev/vfio/{group}", os.O_RDWR)
    try:
        yield
    finally:
        os.close(fd)


def _foreign(scene: Scene) -> None:
    space = scene.pods["strange"] = net.new_space("strange")
    HOST.ip("link", "set", scene.pfs[0].vfs[3].name, "netns", str(space.name))


@contextmanager
def _kubernetes(scene: Scene) -> Iterator[None]:
    """What the kubelet keeps: which devices it has given to which pods, and a folder of logs for each."""
    given = {"33333333-cccc": scene.pfs[0].vfs[4].address, "44444444-dddd": scene.pfs[1].vfs[1].address}
    entries = [
        {
            "PodUID": uid,
            "ContainerName": "main",
            "ResourceName": "intel.com/vfs",
            "DeviceIDs": {"-1": [address]},
            "AllocResp": "",
        }
        for uid, address in given.items()
    ]
    registered = {"intel.com/vfs": [vf.address for pf in scene.pfs for vf in pf.vfs]}
    whole = {"Data": {"PodDeviceEntries": entries, "RegisteredDevices": registered}, "Checksum": 1}
    write(CHECKPOINT, json.dumps(whole))
    for pod in ("default_waiting_33333333-cccc", "kube-system_probe_44444444-dddd"):
        os.makedirs(f"{LOGS}/{pod}")
    try:
        yield
    finally:
        os.unlink(CHECKPOINT)
        shutil.rmtree(LOGS)


def _by_sriov_cni(scene: Scene) -> None:
    """What sriov-cni has attached: its records name no pod."""
    for index, container in enumerate(("gogogo0", "gogogo1")):
        vf = scene.pfs[1].vfs[index]
        space = scene.pods[container] = net.new_space("go")
        conf = {"cniVersion": "1.0.0", "name": "lab", "type": "sriov", "deviceID": vf.address}
        one = Attachment(conf, container, space.path)
        attached_by_sriov_cni(vf, one, space)
        if index == 0:
            args = kubelet_args("default", "legacy", "55555555-eeee")
            write(f"{RESULTS}/lab-{container}-net1", json.dumps(cached(one, args)))


def cached(one: Attachment, args: str) -> dict[str, Any]:
    """Return what libcni caches of an attachment (libcni/api.go, cachedInfo)."""
    return {
        "kind": "cniCacheV1",
        "containerId": one.container_id,
        "config": base64.b64encode(json.dumps(one.conf).encode()).decode(),
        "ifName": one.ifname,
        "networkName": one.conf["name"],
        "netns": one.netns,
        "cniArgs": [pair.split("=", 1) for pair in args.split(";")],
        "result": {"cniVersion": "1.0.0", "interfaces": [], "dns": {}},
    }


@contextmanager
def _switchdev() -> Iterator[None]:
    """The simulated NIC in switchdev mode; uplink and two representors in a bridge."""
    mode = ("devlink", "dev", "eswitch", "set", f"netdevsim/{SIMULATED}", "mode")
    folder = f"/sys/bus/netdevsim/devices/{SIMULATED}/net"
    (uplink,) = os.listdir(folder)
    net.run(*mode, "switchdev")
    try:
        wait_for(lambda: len(os.listdir(folder)) == 5, "representors")
        settle()
        ports = [uplink, *sorted(set(os.listdir(folder)) - {uplink})[:2]]
        joining = (f"link set {port} master {BRIDGE}" for port in ports)
        HOST.batch(f"link add {BRIDGE} type bridge", f"link set {BRIDGE} up", *joining)
        yield
    finally:
        HOST.ip("link", "del", BRIDGE, check=False)
        net.run(*mode, "legacy")


@contextmanager
def _in_a_container(scene: Scene) -> Iterator[None]:
    """A container that containerd runs, with our plugin in its network."""
    vf = scene.pfs[1].vfs[2]
    plugin = {"type": "sriov", "deviceID": vf.address, "trust": "on"}
    write(f"{NETWORKS}/10-scene.conflist", json.dumps({"cniVersion": "1.0.0", "name": "green", "plugins": [plugin]}))
    try:
        with containerd.running(CONTAINERD) as one:
            folder = rootfs.folder(f"{CONTAINERD}/rootfs")
            one.ctr("run", "--detach", "--cni", "--cgroup", "", "--rootfs", folder, "scene", "/bin/sleep", "100000")
            try:
                yield
            finally:
                one.ctr("tasks", "kill", "--signal", "9", "scene", check=False)
                wait_for(lambda: bool(vf.name), f"link of {vf.address} on the host")
    finally:
        os.unlink(f"{NETWORKS}/10-scene.conflist")


def write(path: str, text: str) -> None:
    """Write a file, in a folder that may have to be made."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_text(text)
