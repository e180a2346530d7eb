"""What makes PFs what they are to be at each boot: a unit of systemd's, and a rule of udev's.

The unit runs `plumbline apply --boot` before anything that configures the network or starts pods (systemd.special(7),
network-pre.target). It has no default dependencies: some distributions configure the network before sysinit.target, and
would wait for each other with a unit that comes after that.

The rule tells NetworkManager to leave the VFs of the PFs in the file alone, and nobody else's (NM_UNMANAGED, in
NetworkManager's 85-nm-unmanaged.rules): who has a VF is known by its PF's uevent.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys

from cni.linux import files, pci
from plumbline.errors import Status, VerbError
from plumbline.node import functions, system
from plumbline.node.wish import Wish
from plumbline.prepare.places import Places

UNIT = """# Written by `plumbline setup --persist`; what PFs are to be stands in {pfs}.
[Unit]
Description=Make SR-IOV VFs as {pfs} says
Documentation=man:plumbline(1)
ConditionPathExists={pfs}
StartLimitIntervalSec=3600
StartLimitBurst=5
DefaultDependencies=no
RequiresMountsFor=/var/lib/cni /tmp {program}
Wants=network-pre.target
After=local-fs.target systemd-udevd.service systemd-modules-load.service
Before=network-pre.target kubelet.service containerd.service crio.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={program} apply --boot
Restart=on-failure
RestartSec=10
TimeoutStartSec=600

[Install]
WantedBy=multi-user.target
"""

FLEETING = ("/tmp", "/var/tmp", "/run", "/dev", "/home", "/root")
"""Folders below which nothing may be that is needed at boot: emptied, not mounted yet, or hidden from services."""

_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+\Z")

RULE_HEAD = "# Written by `plumbline setup --persist`: NetworkManager leaves the VFs of these PFs alone.\n"
RULE = (
    'ACTION!="remove", SUBSYSTEM=="net", ATTR{{device/physfn/uevent}}=="*PCI_SLOT_NAME={address}*", '
    'ENV{{NM_UNMANAGED}}="1"\n'
)


def unit(program: str, pfs: str) -> str:
    """Return the unit. program: the command's path; pfs: that of the file."""
    return UNIT.format(program=_quoted(program), pfs=pfs)


def _quoted(path: str) -> str:
    """Return a path as a unit has it: quoted where that is needed, and no specifier in it (systemd.syntax(7))."""
    return path if _PLAIN.match(path) else '"{}"'.format(path.replace("%", "%%"))


def rule(wishes: list[Wish]) -> str:
    """Return udev's rule for the VFs of PFs."""
    return RULE_HEAD + "".join(RULE.format(address=x.address) for x in wishes if x.bus == functions.PCI)


def program() -> str:
    """Return the path of this command, to run it at boot. Raises VerbError where it is none that will be there."""
    found = sys.executable if _is_one_file() else shutil.which("plumbline") or ""
    if not found:
        raise VerbError(
            Status.FAILURE,
            "there is no program `plumbline` that a unit could run at boot",
            "install dist/plumbline, into /usr/local/bin for one",
        )
    path = os.path.abspath(found)
    require_lasting(path)
    return path


def require_lasting(path: str) -> None:
    """Raise VerbError where a program may not be there at boot, as far as its path tells: what is a person's own, or
    for the moment, or made anew by each build.
    """
    for place in dict.fromkeys((path, os.path.realpath(path))):
        folder = os.path.dirname(place)
        fleeting = next((x for x in FLEETING if place.startswith(f"{x}/")), "")
        if os.path.exists(os.path.join(folder, "../build.spec")):
            fleeting = folder
        why = f"{fleeting} is no place for what has to last" if fleeting else ""
        if not place.isprintable() or any(character in place for character in "'\"\\"):
            why = "systemd takes no such name"
        if why:
            hint = "install it below /opt: python3 -m venv /opt/plumbline, and pip in that"
            if _is_one_file():
                hint = f"install -m 755 {shlex.quote(place)} /usr/local/bin/plumbline, then run that one"
            raise VerbError(Status.FAILURE, f"a unit cannot rely on {place} at boot: {why}", hint)


def _is_one_file() -> bool:
    """Return whether this is PyInstaller's form of the command."""
    return bool(getattr(sys, "frozen", False))


def install(wishes: list[Wish], places: Places, path: str) -> list[str]:
    """Write unit and rule as the PFs in the file need them, where they are not there yet; return what was written.

    path: of the command. Raises CniError, VerbError.
    """
    written = []
    if _put(places.unit, unit(path, places.pfs)):
        written.append(places.unit)
    if not os.path.islink(places.unit_wanted):
        files.ensure_folder(os.path.dirname(places.unit_wanted), 0o755)
        files.remove(places.unit_wanted)
        os.symlink(places.unit, places.unit_wanted)
        written.append(places.unit_wanted)
    if written and os.path.isdir(places.systemd):
        _run("systemctl", "daemon-reload")
    return written + refresh_rule(wishes, places)


def refresh_rule(wishes: list[Wish], places: Places) -> list[str]:
    """Write udev's rule as the PFs in the file need it; return what was written. Raises CniError, VerbError."""
    if not _put(places.rule, rule(wishes)):
        return []
    if system.has_udev(places.roots):
        _run("udevadm", "control", "--reload")
    return [places.rule]


def announce(addresses: list[str], sysfs_root: str) -> None:
    """Have udev look again at links of VFs, so that NetworkManager lets go of those it has taken up meanwhile."""
    for address in addresses:
        folder = os.path.join(pci.folder(address, sysfs_root), "net")
        for name in functions.entries(folder):
            try:
                with open(os.path.join(folder, name, "uevent"), "w", encoding="ascii") as file:
                    file.write("change")
            except OSError:  # it has gone into a pod
                continue


def _put(path: str, text: str) -> bool:
    """Have a file with this content; return whether it had to be written. Raises CniError."""
    if files.read(path) == text.encode():
        return False
    files.ensure_folder(os.path.dirname(path), 0o755)
    files.write_atomic(path, text.encode(), 0o644)
    return True


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as e:
        raise VerbError(Status.FAILURE, f"cannot run {command[0]}: {e.strerror}") from e
    if done.returncode != 0:
        raise VerbError(Status.FAILURE, f"{' '.join(command)} failed: {done.stderr.strip()}")
