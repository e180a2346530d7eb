"""A machine that is a node: systemd is its init, and what it writes is still there when it is switched on again.

Beside the machine of `lab.machine`, which starts one command and forgets everything: for what has to survive a boot. It
has the same kernel and NICs. Its root is the host's file system, read-only over 9p, under an overlay on a disk of its
own; so what Debian's packages have put on the host (systemd, udev, containerd) runs in it, and nothing that the host's
administrator has enabled.
"""

from __future__ import annotations

import lzma
import shutil
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.kernel import FOLDER, Prepared
from lab.machine import KERNEL_OPTIONS, NICS
from lab.places import SOURCES

BUSYBOX = "/bin/busybox"
OUTPUT = "/dev/ttyS1"
STATUS = "status: "
DISK_MB = 1024
BOOT_SECONDS = 400.0
"""How long a boot, a command and the end may take. Without KVM, on two busy CPUs, 80 s are usual."""

MODULES = ("virtio_blk", "9pnet_virtio", "9p", "overlay", "ext4")
"""What the initramfs needs, with all that these depend on."""

MASKED = (
    *("systemd-tmpfiles-setup.service", "systemd-tmpfiles-clean.timer", "systemd-timesyncd.service"),
    *("systemd-journal-flush.service", "getty@tty1.service"),
)
"""Units that go through the host's folders, or wait for what the machine has not."""


class Node:
    """One machine, switched on and off as often as one likes. folder: for its disk, and for what it says."""

    def __init__(self, kernel: Prepared, kvm: bool, folder: Path) -> None:
        self._kernel = kernel
        self._kvm = kvm
        self._folder = folder
        self._disk = folder / "disk"
        self._command = folder / "command"
        self._initramfs = folder / "initramfs"
        with open(self._disk, "wb") as disk:
            disk.truncate(DISK_MB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self._disk], check=True)
        self._make_initramfs()

    def boot(self, command: str, without: str = "", seconds: float = BOOT_SECONDS) -> tuple[int, str]:
        """Switch it on, run a shell command as a unit when everything is up, and switch it off; return the command's
        exit status and what it wrote.

        without: the MAC address of a NIC that is taken out. Raises LabError when the command did not end.
        """
        self._command.write_text(command)
        console, output = self._folder / "console", self._folder / "output"
        output.write_text("")
        arguments = self._arguments(console, output, without)
        try:
            subprocess.run(arguments, stdin=subprocess.DEVNULL, timeout=seconds, check=False, capture_output=True)
        except subprocess.TimeoutExpired:
            pass  # said below, with what it has written
        written, found, status = output.read_text(errors="replace").replace("\r\n", "\n").rpartition(STATUS)
        if not found:
            lines = console.read_text(errors="replace").splitlines()[-40:] if console.exists() else []
            raise LabError("\n".join(["the node did not run its command; the last of its console:", *lines]))
        return int(status), written

    def _arguments(self, console: Path, output: Path, without: str) -> list[str]:
        options = (*KERNEL_OPTIONS, "console=ttyS0", "panic=-1", "loglevel=4", "systemd.show_status=0")
        masked = (f"systemd.mask={unit}" for unit in MASKED)
        return [
            *("setpriv", "--pdeathsig", "TERM", f"{SOURCES}/qemu"),
            *("-nodefaults", "-display", "none", "-no-reboot", "-m", "1G", "-smp", "1"),
            *(("-accel", "kvm", "-cpu", "host") if self._kvm else ("-accel", "tcg", "-cpu", "max")),
            *_without(without),
            *("-serial", f"file:{console}", "-serial", f"file:{output}"),
            *("-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"),
            *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host"),
            *("-drive", f"file={self._disk},format=raw,if=none,id=disk", "-device", "virtio-blk-pci,drive=disk"),
            *("-kernel", str(self._kernel.image), "-initrd", str(self._initramfs)),
            *("-append", " ".join((*options, *masked))),
        ]

    def _make_initramfs(self) -> None:
        """Make the file system that it starts from: busybox, the modules for its disks, and `node-init`."""
        root = self._folder / "initramfs.d"
        for name in ("bin", "proc", "sys", "dev", "host", "disk", "root", "modules"):
            (root / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, root / "bin/busybox")
        shutil.copy(SOURCES / "node-init", root / "init")
        release = self._kernel.release
        order = []
        for path in _modules(release):
            name = path.name.removesuffix(".xz")
            data = path.read_bytes()
            (root / "modules" / name).write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
            order.append(name)
        (root / "modules/order").write_text("\n".join(order))
        modules = FOLDER / "lib/modules" / release
        (root / "settings").write_text(f"MODULES={modules}\nCOMMAND={self._command}\nOUTPUT={OUTPUT}\n")
        names = [str(path.relative_to(root)) for path in sorted(root.rglob("*"))]
        packed = subprocess.run(
            [BUSYBOX, "cpio", "-o", "-H", "newc"],
            cwd=root,
            input="\n".join(names).encode(),
            capture_output=True,
            check=True,
        )
        self._initramfs.write_bytes(packed.stdout)


def _modules(release: str) -> list[Path]:
    """Return the files of MODULES and of what they depend on, in the order in which they are loaded."""
    found: dict[Path, None] = {}
    for module in MODULES:
        words = ["modprobe", "--dirname", str(FOLDER), "--set-version", release, "--show-depends", module]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        for line in said.splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "insmod":
                found[Path(rest.split()[0])] = None
    return list(found)


def _without(mac: str) -> list[str]:
    """Return the NICs' options, but for the NIC that has an address."""
    pairs = [(NICS[at], NICS[at + 1]) for at in range(0, len(NICS), 2)]
    kept = [pair for pair in pairs if not (mac and f"mac={mac}" in pair[1])]
    return [word for pair in kept for word in pair]
