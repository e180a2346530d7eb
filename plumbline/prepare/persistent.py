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
from collections.abc import Callable
from functools import partial

from cni.linux import files, pci
from cni.protocol.errors import CniError
from plumbline.errors import Status, VerbError
from plumbline.node import functions, system
from plumbline.node.wish import Wish
from plumbline.prepare import pfs_file
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
    found = sys.executable if is_one_file() else shutil.which("plumbline") or ""
    if not found:
        raise VerbError(
            Status.FAILURE,
            "there is no program `plumbline` that a unit could run at boot",
            "`dist/plumbline install --command` puts it into /usr/local/bin",
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
            if is_one_file():
                hint = f"{shlex.quote(place)} install --command, then run /usr/local/bin/plumbline"
            raise VerbError(Status.FAILURE, f"a unit cannot rely on {place} at boot: {why}", hint)


def runs(path: str, places: Places) -> bool:
    """Return whether the unit runs a program at each boot."""
    unit_text = files.read(places.unit) or b""
    return f"ExecStart={_quoted(path)} ".encode() in unit_text


def is_one_file() -> bool:
    """Return whether this is PyInstaller's form of the command."""
    return bool(getattr(sys, "frozen", False))


def write(wishes: list[Wish], places: Places, path: str = "") -> list[str]:
    """Write what makes PFs what they are to be at each boot, where it is not there yet; return which files, each whole.

    path: of the command; without it the unit is left as it is. Raises VerbError, which says what is written by then.
    """
    try:
        lacking = _lacking(wishes, places, path)
    except CniError as e:
        raise VerbError(Status.FAILURE, str(e), "nothing was written") from e
    for number, (_, put) in enumerate(lacking):
        try:
            put()
        except (CniError, OSError) as e:
            told = (", ".join(name for name, _ in part) or "nothing" for part in (lacking[:number], lacking[number:]))
            state = "written: {}; not written: {}".format(*told)
            raise VerbError(Status.FAILURE, str(e), state) from e
    return [name for name, _ in lacking]


def _lacking(wishes: list[Wish], places: Places, path: str) -> list[tuple[str, Callable[[], None]]]:
    """Return the files that are not as they are to be, and how each becomes that."""
    found: list[tuple[str, Callable[[], None]]] = []
    if pfs_file.ordered(pfs_file.read(places.pfs)) != pfs_file.ordered(wishes):
        found.append((places.pfs, partial(pfs_file.write, places.pfs, wishes)))
    if path and _differs(places.unit, unit(path, places.pfs)):
        found.append((places.unit, partial(_put, places.unit, unit(path, places.pfs))))
    if path and not os.path.islink(places.unit_wanted):
        found.append((places.unit_wanted, partial(_link, places.unit_wanted, places.unit)))
    if _differs(places.rule, rule(wishes)):
        found.append((places.rule, partial(_put, places.rule, rule(wishes))))
    return found


def tell(written: list[str], places: Places) -> None:
    """Have those who read the files that were written read them now. Raises VerbError."""
    if {places.unit, places.unit_wanted} & set(written) and os.path.isdir(places.systemd):
        _run("systemctl", "daemon-reload")
    if places.rule in written and system.has_udev(places.roots):
        _run("udevadm", "control", "--reload")


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


def _differs(path: str, text: str) -> bool:
    return files.read(path) != text.encode()


def _put(path: str, text: str) -> None:
    files.ensure_folder(os.path.dirname(path), 0o755)
    files.write_atomic(path, text.encode(), 0o644)


def _link(path: str, target: str) -> None:
    folder, temporary = os.path.dirname(path), files.temporary_path(path)
    files.ensure_folder(folder, 0o755)
    files.remove(temporary)
    os.symlink(target, temporary)
    os.rename(temporary, path)
    files.sync_folder(folder)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as e:
        raise VerbError(Status.FAILURE, f"cannot run {command[0]}: {e.strerror}") from e
    if done.returncode != 0:
        raise VerbError(Status.FAILURE, f"{' '.join(command)} failed: {done.stderr.strip()}")
