"""A vDPA device on a VF: the kernel's simulator, shown in sysfs as a NIC's driver shows its own.

The simulator's devices hang below no PCI device. So the VF's folder in sysfs is covered with one that has the same in
it and the vDPA device besides, and the list of vDPA devices with one that leads there. Only in the lab.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.support import net
from tests.support.vfs import VF, settle, wait_for

BUS = "/sys/bus/vdpa"
NAME = "vdpa5"
MAC = "02:00:00:00:da:05"
DRIVERS = {"vhost": "vhost_vdpa", "virtio": "virtio_vdpa"}


class Vdpa:
    """A vDPA device. name: below /sys/bus/vdpa/devices. made: what its driver made of it, such as virtio1."""

    def __init__(self, name: str, made: str) -> None:
        self.name = name
        self.made = made

    @property
    def link(self) -> str:
        """The name of the link on the host that virtio_vdpa made, empty when there is none."""
        folder = f"/sys/bus/virtio/devices/{self.made}/net"
        return os.listdir(folder)[0] if os.path.isdir(folder) and os.listdir(folder) else ""


@contextmanager
def on(vf: VF, driver: str) -> Iterator[Vdpa]:
    """Have a vDPA device on a VF, bound to a driver: vhost or virtio."""
    net.run("modprobe", "-a", "vdpa_sim_net", *DRIVERS.values())
    net.run("vdpa", "dev", "add", "name", NAME, "mgmtdev", "vdpasim_net", "mac", MAC)
    with ExitStack() as stack:
        stack.callback(net.run, "vdpa", "dev", "del", NAME, check=False)  # a test may have done it
        device = os.path.realpath(f"{BUS}/devices/{NAME}")
        if os.path.basename(os.path.realpath(f"{device}/driver")) != DRIVERS[driver]:
            _write(f"{device}/driver/unbind", NAME)
            _write(f"{device}/driver_override", DRIVERS[driver])
            _write(f"{BUS}/drivers_probe", NAME)
        stem = "vhost-vdpa-" if driver == "vhost" else "virtio"
        wait_for(lambda: any(x.startswith(stem) for x in os.listdir(device)), f"{stem} device of {NAME}")
        settle()
        (made,) = (x for x in os.listdir(device) if x.startswith(stem))
        with _shown_on(vf, device):
            yield Vdpa(NAME, made)


@contextmanager
def _shown_on(vf: VF, device: str) -> Iterator[None]:
    folder = os.path.realpath(vf.folder)
    kept = "/run/covered-vf"
    os.makedirs(kept, exist_ok=True)
    targets = {name: os.path.realpath(f"{folder}/{name}").replace(folder, kept) for name in os.listdir(folder)}
    with ExitStack() as stack:
        # udev would name the link that comes back after what it finds here. It has to wait.
        net.run("udevadm", "control", "--stop-exec-queue")
        stack.callback(settle)
        stack.callback(net.run, "udevadm", "control", "--start-exec-queue")
        _mount(stack, kept, "--bind", folder)
        _mount(stack, folder, "-t", "tmpfs", "tmpfs")
        for name, target in targets.items():
            os.symlink(target, f"{folder}/{name}")
        os.mkdir(f"{folder}/{NAME}")
        _mount(stack, f"{folder}/{NAME}", "--bind", device)
        _mount(stack, f"{BUS}/devices", "-t", "tmpfs", "tmpfs")
        os.symlink(f"{folder}/{NAME}", f"{BUS}/devices/{NAME}")
        yield


def _mount(stack: ExitStack, target: str, *options: str) -> None:
    net.run("mount", *options, target)
    stack.callback(net.run, "umount", target)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
