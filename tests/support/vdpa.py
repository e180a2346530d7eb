"""vDPA devices on VFs: the kernel's simulator, shown in sysfs as a NIC's driver shows its own.

The simulator's devices hang below no PCI device. So the VF's folder in sysfs is covered with one that has the same in
it and the vDPA device besides, and the list of vDPA devices with one that leads there. Only in the lab.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.support import net, udev
from tests.support.vfs import VF, settle, wait_for

BUS = "/sys/bus/vdpa"
MAC = "02:00:00:00:da:05"
DRIVERS = {"vhost": "vhost_vdpa", "virtio": "virtio_vdpa"}
MADE = {"vhost": "vhost-vdpa-", "virtio": "virtio"}


class Vdpa:
    """A vDPA device. name: below /sys/bus/vdpa/devices. made: what its driver made of it, such as virtio1; empty where
    it is bound to none. folder: where the kernel has it.
    """

    def __init__(self, name: str, made: str, folder: str) -> None:
        self.name = name
        self.made = made
        self.folder = folder

    @property
    def link(self) -> str:
        """The name of the link on the host that virtio_vdpa made, empty when there is none."""
        folder = f"/sys/bus/virtio/devices/{self.made}/net"
        return os.listdir(folder)[0] if os.path.isdir(folder) and os.listdir(folder) else ""


@contextmanager
def on(vf: VF, driver: str) -> Iterator[Vdpa]:
    """Have a vDPA device on a VF, bound to a driver: vhost or virtio, or to none (an empty text)."""
    with on_each([vf], driver) as (device,):
        yield device


@contextmanager
def on_each(vfs: list[VF], driver: str) -> Iterator[list[Vdpa]]:
    """Have a vDPA device on each of some VFs, bound to a driver as in `on`."""
    net.run("modprobe", "-a", "vdpa_sim_net", *DRIVERS.values())
    with ExitStack() as stack:
        devices = [stack.enter_context(_made(f"vdpa{number}", driver)) for number in range(5, 5 + len(vfs))]
        stack.enter_context(udev.waiting())
        folders = {x.name: _shown_on(vf, x, stack) for vf, x in zip(vfs, devices, strict=True)}
        _mount(stack, f"{BUS}/devices", "-t", "tmpfs", "tmpfs")
        for name, folder in folders.items():
            os.symlink(folder, f"{BUS}/devices/{name}")
        yield devices


@contextmanager
def _made(name: str, driver: str) -> Iterator[Vdpa]:
    net.run("vdpa", "dev", "add", "name", name, "mgmtdev", "vdpasim_net", "mac", MAC)
    with ExitStack() as stack:
        stack.callback(net.run, "vdpa", "dev", "del", name, check=False)  # a test may have done it
        folder, made = os.path.realpath(f"{BUS}/devices/{name}"), ""
        if os.path.basename(os.path.realpath(f"{folder}/driver")) != DRIVERS.get(driver):
            _write(f"{folder}/driver/unbind", name)
            if driver:
                _write(f"{folder}/driver_override", DRIVERS[driver])
                _write(f"{BUS}/drivers_probe", name)
        if driver:
            stem = MADE[driver]
            wait_for(lambda: any(x.startswith(stem) for x in os.listdir(folder)), f"{stem} device of {name}")
            (made,) = (x for x in os.listdir(folder) if x.startswith(stem))
        settle()
        yield Vdpa(name, made, folder)


def _shown_on(vf: VF, device: Vdpa, stack: ExitStack) -> str:
    """Cover a VF's folder until the stack is left; return the device's folder there."""
    folder, kept = os.path.realpath(vf.folder), f"/run/covered-{vf.address}"
    os.makedirs(kept, exist_ok=True)
    targets = {name: os.path.realpath(f"{folder}/{name}").replace(folder, kept) for name in os.listdir(folder)}
    _mount(stack, kept, "--bind", folder)
    _mount(stack, folder, "-t", "tmpfs", "tmpfs")
    for name, target in targets.items():
        os.symlink(target, f"{folder}/{name}")
    shown = f"{folder}/{device.name}"
    os.mkdir(shown)
    _mount(stack, shown, "--bind", device.folder)
    return shown


def _mount(stack: ExitStack, target: str, *options: str) -> None:
    net.run("mount", *options, target)
    stack.callback(net.run, "umount", target)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
