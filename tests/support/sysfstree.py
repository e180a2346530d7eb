"""sysfs trees of a test's own, made of data: what drivers put there. The kernel's links come by themselves.

A tree says which attributes lie where below /sys/devices: {path: text}. In place of a text, None is an empty folder and
UNREADABLE an attribute that is there and cannot be read; of `driver` the text is its name, `-> x` is a link to x.
"""

from __future__ import annotations

from pathlib import Path

from cni.linux import pci

Tree = dict[str, str | None]

UNREADABLE = "\0"
"""Of an attribute that a driver does not support, reading which is EOPNOTSUPP; here it is EISDIR."""

PORT = "pci0000:00/0000:00:1c.0"
"""The folder of the PCIe port that the NICs are behind."""


def folder(address: str, *below: str) -> str:
    """Return where a PCI function is, or what is below it."""
    return "/".join((PORT, address, *below))


def pf(address: str, vfs: dict[int, str], driver: str = "mlx5_core") -> Tree:
    """Return a PF with its VFs. vfs: their PCI addresses by their indices."""
    tree: Tree = {folder(address, "sriov_totalvfs"): "127", folder(address, "driver"): driver}
    for index, vf in vfs.items():
        tree[folder(address, f"virtfn{index}")] = f"-> ../{vf}"
        tree[folder(vf, "physfn")] = f"-> ../{address}"
        tree[folder(vf, "driver")] = driver
    return tree


def netdev(device: str, name: str, port: str = UNREADABLE, switch: str = UNREADABLE) -> Tree:
    """Return a netdev. device: the folder of its device; port, switch: phys_port_name and phys_switch_id."""
    return {
        f"{device}/net/{name}/dev_port": "0",
        f"{device}/net/{name}/phys_port_name": port,
        f"{device}/net/{name}/phys_switch_id": switch,
    }


def vdpa(device: str, name: str, driver: str, made: str = "") -> Tree:
    """Return a vDPA device. device: the folder of its parent; made: what its driver has made of it, below it."""
    tree: Tree = {f"{device}/{name}": None}
    if driver:
        tree[f"{device}/{name}/driver"] = driver
    if made:
        tree[f"{device}/{name}/{made}"] = None
    return tree


def build(root: Path, tree: Tree) -> str:
    """Make the tree below `root`, with the links that the kernel makes; return where it is mounted, so to speak."""
    for path, text in tree.items():
        target = root / "devices" / path
        if text in (None, UNREADABLE):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.name == "driver":
            driver = root / "bus/drivers" / str(text)
            driver.mkdir(parents=True, exist_ok=True)
            target.symlink_to(driver)
        elif str(text).startswith("-> "):
            target.symlink_to(str(text).removeprefix("-> "))
        else:
            target.write_text(f"{text}\n")
    for device in [path for path in (root / "devices").rglob("*") if path.is_dir() and not path.is_symlink()]:
        if device.parent.name == "net":
            _link(root / "class/net", device)
            if device.parent.parent.name != "virtual":
                (device / "device").symlink_to("../..")
        elif pci.is_address(device.name):
            _link(root / "bus/pci/devices", device)
        elif pci.is_auxiliary_device(device.name):
            _link(root / "bus/auxiliary/devices", device)
        elif device.name.removeprefix("vdpa").isdecimal():
            _link(root / "bus/vdpa/devices", device)
        elif device.name.removeprefix("virtio").isdecimal():
            _link(root / "bus/virtio/devices", device)
    return str(root)


def _link(bus: Path, device: Path) -> None:
    bus.mkdir(parents=True, exist_ok=True)
    (bus / device.name).symlink_to(device)
