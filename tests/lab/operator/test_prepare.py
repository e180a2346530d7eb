"""PFs are prepared as a person does it: real VFs are made, bound, refused, taken back, and made again after a boot."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from plugins.host_device.plugin import HostDevicePlugin
from plugins.sriov.plugin import Sriov
from plumbline.prepare import binding, locks, vdpa
from plumbline.prepare.places import Places
from tests.support import disk, faults, net
from tests.support import vdpa as simulated
from tests.support.command import MODULE, Said, injected, plumbline
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import PF, VF, VFS_PER_PF, lent, settle, wait_for

INSTALLED = ("/opt/cni/bin/plumbline",)
PFS_FILE = "/etc/plumbline/pfs.json"
WRITTEN = (
    "/etc/plumbline",
    "/etc/systemd/system/plumbline.service",
    "/etc/systemd/system/multi-user.target.wants/plumbline.service",
    "/etc/udev/rules.d/86-plumbline.rules",
)
SIMULATED, SIMULATED_LINK = "/sys/bus/netdevsim/devices/netdevsim1", "eni1np1"


@pytest.fixture
def pf(pfs: list[PF]) -> Iterator[PF]:
    """The first PF, with all its VFs; it has them again after the test."""
    one = pfs[0]
    yield one
    net.run("rm", "-rf", *WRITTEN)
    net.run("udevadm", "control", "--reload")
    for vf in (VF(one, index) for index in range(number(one))):
        if vf.driver != "igbvf":
            vf.bind("igbvf")
    one.make_vfs()


@pytest.fixture
def empty_pf(pf: PF) -> PF:
    """The first PF, without VFs."""
    write(f"{pf.folder}/sriov_numvfs", "0")
    return pf


def write(path: str, text: str) -> None:
    """Write a file, one of sysfs mostly."""
    with open(path, "w") as file:
        file.write(text)


def number(pf: PF) -> int:
    """Return how many VFs a PF has."""
    with open(f"{pf.folder}/sriov_numvfs") as file:
        return int(file.read())


def drivers(pf: PF) -> list[str]:
    """Return the drivers of a PF's VFs."""
    return [VF(pf, index).driver for index in range(number(pf))]


def state(pf: PF) -> list[tuple[str, str]]:
    """Return what must be as before: each VF's driver and the name of its link."""
    settle()
    return [(VF(pf, index).driver, VF(pf, index).name) for index in range(number(pf))]


def managed(name: str) -> bool:
    """Return whether NetworkManager is not told to leave a link alone."""
    return "NM_UNMANAGED=1" not in net.run("udevadm", "info", "--query=property", f"/sys/class/net/{name}")


def test_made_and_kept(empty_pf: PF, pfs: list[PF]) -> None:
    """From nothing, through the built binary: VFs, drivers, links, file, unit and rule. A second time there is nothing
    to do; after VFs have gone, as with a boot, they come again; what cannot be done is said, and the rest is done.
    """
    pf = empty_pf
    HOST.ip("link", "set", pf.name, "down")
    said = plumbline("setup", pf.name, "--vfs", "3", "--driver", "0=vfio-pci", "--persist", program=INSTALLED).ended(0)
    assert f"{pf.name} now has 3 VFs, driver 0=vfio-pci" in said.stdout
    assert all(f"written: {path}" in said.stdout for path in (PFS_FILE, *WRITTEN[1:]))
    assert drivers(pf) == ["vfio-pci", "igbvf", "igbvf"]
    settle()
    names = [VF(pf, index).name for index in (1, 2)]
    assert [managed(name) for name in names] == [False, False]
    assert managed(pfs[1].vfs[0].name)
    link = HOST.link(pf.name)
    assert link is not None
    assert "UP" in link["flags"]
    with open(PFS_FILE) as file:
        kept = json.load(file)
    assert kept["pfs"] == [
        {
            "address": pf.address,
            "bus": "pci",
            "mac": link.get("permaddr", link["address"]),
            "vfs": 3,
            "mode": None,
            "drivers": [{"vfs": "0", "driver": "vfio-pci"}],
            "vdpa": None,
            "up": True,
        }
    ]

    before = HOST.batch(*(f"link show dev {name}" for name in names))
    assert "nothing to do" in plumbline("apply").ended(0).stdout
    assert "has already 3 VFs" in plumbline("setup", pf.address, "--vfs", "3", "--driver", "0=vfio-pci").ended(0).stdout
    assert HOST.batch(*(f"link show dev {name}" for name in names)) == before
    assert "all is as it should be" in plumbline("wait", "--timeout", "0").ended(0).stdout

    write(f"{pf.folder}/sriov_numvfs", "0")
    late = plumbline("wait", "--timeout", "0")
    assert (late.status, f"{pf.address}: still to make 3 VFs" in late.stderr) == (3, True), late
    assert "make 3 VFs" in plumbline("apply", "--boot").ended(0).stdout
    assert drivers(pf) == ["vfio-pci", "igbvf", "igbvf"]

    missing = {**kept["pfs"][0], "address": "0000:09:00.0"}
    other = {**kept["pfs"][0], "address": pfs[1].address, "mac": "02:00:00:00:00:99", "vfs": 2}
    table = {"address": "netdevsim1", "bus": "netdevsim", "vfs": 2}
    write(PFS_FILE, json.dumps({**kept, "pfs": [missing, other, table, kept["pfs"][0]]}))
    partly = plumbline("apply")
    assert partly.status == 1, partly
    assert "0000:09:00.0: there is no such PF; it was to have 3 VFs" in partly.stderr
    assert f"{pfs[1].name} at {pfs[1].address} has the permanent MAC address" in partly.stderr
    assert "and the file is about 02:00:00:00:00:99; nothing was changed" in partly.stderr
    assert re.search("netdevsim1: 2 VFs: remove 4 VFs; make 2 VFs", partly.stdout)
    assert number(pfs[1]) == VFS_PER_PF
    with open(f"{SIMULATED}/sriov_numvfs") as file:
        assert file.read().strip() == "2"
    write(f"{SIMULATED}/sriov_numvfs", "0")
    write(f"{SIMULATED}/sriov_numvfs", "4")

    assert "0000:09:00.0 is not in" in plumbline("forget", "0000:09:00.0").ended(0).stdout
    assert f"{pf.address} is not in" in plumbline("forget", pf.name).ended(0).stdout
    with open(PFS_FILE) as file:
        assert [x["address"] for x in json.load(file)["pfs"]] == ["netdevsim1", pfs[1].address]
    assert plumbline("forget", pf.name).status == 10
    assert drivers(pf) == ["vfio-pci", "igbvf", "igbvf"]


def test_lines_for_a_shell_do_the_same(pf: PF) -> None:
    """A dry run changes nothing; its lines, given to a shell, do what the command would have done."""
    before = state(pf)
    lines = plumbline("setup", pf.name, "--vfs", "4", "--driver", "1-2=vfio-pci", "--dry-run").ended(0).stdout
    assert state(pf) == before
    net.run("sh", "-eu", input=lines)
    assert drivers(pf) == ["igbvf", "vfio-pci", "vfio-pci", "igbvf"]
    again = plumbline("setup", pf.name, "--vfs", "4", "--driver", "1-2=vfio-pci", "--dry-run").ended(0).stdout
    assert again == f"# {pf.name} has 4 VFs, driver 1-2=vfio-pci: nothing is to be done\n"
    plumbline("bind", f"{pf.name}:1", VF(pf, 2).address, "--driver", "default").ended(0)
    assert drivers(pf) == ["igbvf"] * 4
    assert all(VF(pf, index).name for index in range(4))


def test_in_a_pod(pf: PF, pod: Space) -> None:
    """A VF in a pod keeps all VFs of its PF: refused with the pod's name; what leaves it alone is done."""
    vf = pf.vfs[1]
    one = attachment(vf, pod)
    with lent(vf):
        one.add()
        before = (pod.json("link", "show", "dev", "net1"), drivers(pf))
        for verb in (
            ("setup", pf.name, "--vfs", "4", "--yes", "--force"),
            ("setup", pf.name, "--vfs", "0"),
            ("bind", f"{pf.name}:1", "--driver", "vfio-pci"),
        ):
            said = plumbline(*verb)
            assert said.status == 4, said
            assert f"{vf.address} is in pod web/front-1" in said.stderr
            assert "nothing was changed" in said.stderr
        assert (pod.json("link", "show", "dev", "net1"), drivers(pf)) == before
        assert "now has 7 VFs" in plumbline("setup", pf.name, "--vfs", "7", "--driver", "6=vfio-pci").ended(0).stdout
        assert drivers(pf)[6] == "vfio-pci"
        one.delete()


def attachment(vf: VF, pod: Space) -> Attachment:
    """Return a VF's attachment to the pod front-1."""
    conf = {"cniVersion": "1.1.0", "name": "lab", "type": "sriov", "deviceID": vf.address, "vlan": 100}
    args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=web;K8S_POD_NAME=front-1;K8S_POD_UID=0815"
    return Attachment(conf, net.unique("container"), pod.path, args=args)


def is_locked(vf: VF) -> bool:
    """Return whether somebody who changes PFs has a VF's locks: the file of one is there as long as it is held."""
    return os.path.exists(f"{HostDevicePlugin.state_folder}/lock/{vf.address}")


def test_while_a_pod_is_attached(pf: PF, pod: Space) -> None:
    """A setup that comes while an ADD has one of the VFs, of which no record tells as yet, waits for its end, and is
    refused then.
    """
    one, before = attachment(pf.vfs[1], pod), state(pf)
    calls = faults.calls(one, "ADD")
    one.delete()
    recorded = next(number for number, call in enumerate(calls) if call.name.startswith("rename"))
    locked = [call for call in calls[:recorded] if call.name == "flock"][-1]

    def begin() -> Future[Said]:
        begun = pool.submit(plumbline, "setup", pf.name, "--vfs", "4")
        wait_for(lambda: is_locked(pf.vfs[0]), "the setup at the lock of the next VF", 120)
        assert not begun.done()
        return begun

    with lent(pf.vfs[1]), ThreadPoolExecutor(1) as pool:
        added, begun = faults.held(one, "ADD", locked, begin)
        added.ok()
        said = begun.result().ended(4)
        assert f"{pf.vfs[1].address} is in pod web/front-1" in said.stderr
        assert "nothing was changed" in said.stderr
        assert pod.link("net1") is not None
        one.delete()
        assert state(pf) == before


def test_pods_that_come_while_it_runs(pf: PF, make_pod: Callable[[], Space]) -> None:
    """ADDs that come while a setup has the VFs wait for its end. One gets its VF as it is then; one whose VF is not
    there any more fails, and leaves nothing.
    """
    stays, goes = (attachment(pf.vfs[index], make_pod()) for index in (1, 6))
    program = injected(f"{pf.folder}/sriov_numvfs", "delay_enter=20000000", 1)
    with ThreadPoolExecutor(3) as pool:
        setting_up = pool.submit(plumbline, "setup", pf.name, "--vfs", "4", program=program)
        wait_for(lambda: is_locked(pf.vfs[6]), "the setup", 120)
        adding = [pool.submit(one.call, "ADD") for one in (stays, goes)]
        assert not setting_up.done()
        setting_up.result().ended(0)
        added, failed = (future.result() for future in adding)
    assert number(pf) == 4
    added.ok()
    assert pf.table()[1]["vlan_list"][0]["vlan"] == 100
    stays.delete()
    failed.error()
    goes.delete()
    assert not [path for path in disk.files(disk.SRIOV) if not path.startswith("pci/vf_lock/")]
    settle()
    assert [driver for driver, name in state(pf) if name] == ["igbvf"] * 4
    assert pf.table()[1].get("vlan_list", [{"vlan": 0}])[0].get("vlan", 0) == 0


def test_open_in_a_program(pf: PF) -> None:
    """The same for a VF that a program has open through vfio: this one."""
    vf = pf.vfs[0]
    vf.bind("vfio-pci")
    group = os.path.basename(os.path.realpath(f"{vf.folder}/iommu_group"))
    before = drivers(pf)
    held = os.open(f"/dev/vfio/{group}", os.O_RDWR)
    try:
        for verb in (
            ("setup", pf.name, "--vfs", "4"),
            ("setup", pf.name, "--vfs", "7", "--driver", "default"),
        ):
            said = plumbline(*verb)
            assert (said.status, f"{vf.address} is open in process {os.getpid()}" in said.stderr) == (4, True), said
        assert drivers(pf) == before
    finally:
        os.close(held)
    plumbline("bind", vf.address, "--driver", "default").ended(0)
    assert drivers(pf) == ["igbvf"] * VFS_PER_PF


def test_what_the_host_needs(pf: PF) -> None:
    """A default route over a VLAN on the PF, a VF with the session's address, another program's claim: left alone,
    status 4. --force does it.
    """
    before = state(pf)
    HOST.batch(
        f"link add link {pf.name} name vlan7 type vlan id 7",
        "addr add 192.0.2.1/24 dev vlan7",
        "link set vlan7 up",
        "route add default via 192.0.2.9 dev vlan7",
        f"addr add 198.51.100.1/24 dev {pf.vfs[2].name}",
    )
    os.makedirs("/run/netplan", exist_ok=True)
    try:
        said = plumbline("setup", pf.name, "--vfs", "4")
        assert said.status == 4, said
        assert f"refused, since {pf.name} is below vlan7, which carries the default route; nothing" in said.stderr
        HOST.ip("link", "del", "vlan7")
        said = plumbline("setup", pf.name, "--vfs", "4", SSH_CONNECTION="198.51.100.9 40000 198.51.100.1 22")
        assert (said.status, f"{pf.vfs[2].name} carries your SSH session" in said.stderr) == (4, True), said
        write("/run/netplan/9.yaml", f"network:\n  ethernets:\n    {pf.name}:\n      virtual-function-count: 7\n")
        said = plumbline("setup", pf.name, "--vfs", "4")
        assert (said.status, "netplan makes its VFs (/run/netplan/9.yaml)" in said.stderr) == (4, True), said
        assert state(pf) == before
        plumbline("setup", pf.name, "--vfs", "4", "--force").ended(0)
        assert number(pf) == 4
    finally:
        HOST.ip("link", "del", "vlan7", check=False)
        shutil.rmtree("/run/netplan")


ERRORS = {
    "ERANGE": "it can have 7 VFs: ask for fewer",
    "ENOENT": "its driver igb cannot make VFs",
    "EBUSY": "its driver igb is busy",
    "ENOMEM": "there is room on the PCI bus: the VFs' BARs have",
    "EIO": "the capability says 8 VFs at first and 8 in all",
    "EINVAL": "its driver igb cannot have so many as it is set now",
}
"""What is said for each errno, with what is measured on this machine."""


def test_each_errno(empty_pf: PF) -> None:
    """The kernel's word is explained, each in its own way; and what it says is success and is none, too."""
    path = f"{empty_pf.folder}/sriov_numvfs"
    for name, explained in ERRORS.items():
        said = plumbline("setup", empty_pf.name, "--vfs", "4", program=injected(path, f"error={name}", 1))
        assert said.status == 1, said
        assert f"cannot make 4 VFs of {empty_pf.name}: " in said.stderr
        assert f"({name})" in said.stderr
        assert explained in said.stderr
        assert "the PF is as it was before" in said.stderr
    said = plumbline("setup", empty_pf.name, "--vfs", "4", program=injected(path, "retval=1", 1))
    assert (said.status, "4 VFs were asked for, the kernel said yes, and there are 0" in said.stderr) == (1, True), said
    said = plumbline("setup", empty_pf.name, "--vfs", "8")
    assert (said.status, "cannot make 8 VFs" in said.stderr, ERRORS["ERANGE"] in said.stderr) == (1, True, True), said
    assert number(empty_pf) == 0


def test_taken_back(pf: PF) -> None:
    """What fails half-way leaves the PF as it was: a number that is refused, a driver that there is not, Ctrl-C."""
    pf.vfs[3].bind("vfio-pci")
    before = state(pf)
    path = f"{pf.folder}/sriov_numvfs"
    again = "but for its 7 VFs, made anew"
    said = plumbline("setup", pf.name, "--vfs", "4", program=injected(path, "error=ENOMEM", 2))
    assert (said.status, "(ENOMEM)" in said.stderr, again in said.stderr) == (1, True, True), said
    assert state(pf) == before
    said = plumbline("setup", pf.name, "--vfs", "4", "--driver", "no-such-driver")
    assert (said.status, "there is no driver no-such-" in said.stderr, again in said.stderr) == (1, True, True), said
    assert state(pf) == before
    said = plumbline("setup", pf.name, "--vfs", "4", program=injected(path, "signal=SIGINT", 2))
    assert (said.status, "told to end (SIGINT)" in said.stderr, again in said.stderr) == (130, True, True), said
    assert state(pf) == before


def test_a_session_that_ends(pf: PF) -> None:
    """A terminal goes away while a setup that was begun there runs, as when SSH loses its connection: the PF is as it
    was, though the VFs had gone by then.
    """
    before = state(pf)
    words = [*injected(f"{pf.folder}/sriov_numvfs", "delay_enter=10000000", 2), "setup", pf.name, "--vfs", "4", "-y"]
    # As a login's shell: when that dies of the terminal's end, the kernel tells all that it has begun there.
    process, terminal = begun_on_terminal("/bin/sh", "-c", f"{shlex.join(words)}; exit")
    said = b""
    while b"make 4 VFs" not in said:
        said += os.read(terminal, 4096)
    assert number(pf) == 0
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGHUP
    with locks.of_node(Places(), 300):  # who holds it has not ended yet
        assert state(pf) == before


def test_two_at_once(empty_pf: PF) -> None:
    """Two setups of one PF come one after the other, and each has what it wanted; a plugin that has a VF is waited for,
    and keeps others from it.
    """
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda vfs: plumbline("setup", empty_pf.name, "--vfs", vfs), ("2", "3")))
    assert [said.status for said in both] == [0, 0], both
    assert number(empty_pf) in (2, 3)
    vf = VF(empty_pf, 1)
    with Sriov().lock(vf.address, 1.0):
        said = plumbline("setup", empty_pf.name, "--vfs", "5")
    assert said.status == 4, said
    assert f"{vf.address} is being attached or given back by sriov, for more than 15 s; nothing was" in said.stderr
    assert number(empty_pf) in (2, 3)


def test_asked_on_a_terminal(empty_pf: PF) -> None:
    """The plan is shown, and done when it is said yes to; a bar shows how far it is."""
    refused, said = _on_terminal("n", "setup", empty_pf.name, "--vfs", "2")
    assert refused == 1
    assert f"{empty_pf.name} is to have 2 VFs:" in said
    assert "1. make 2 VFs" in said
    assert "nothing was changed" in said
    interrupted, said = _on_terminal("\x03", "setup", empty_pf.name, "--vfs", "2")
    assert (interrupted, "told to end (SIGINT); nothing was changed" in said) == (130, True), said
    assert number(empty_pf) == 0
    done, said = _on_terminal("y", "setup", empty_pf.name, "--vfs", "2")
    assert done == 0, said
    assert "wait for the links of 2 VFs" in said.partition("Do it?")[2]
    assert number(empty_pf) == 2


def begun_on_terminal(*words: str) -> tuple[int, int]:
    """Begin a program on a terminal of 100 columns; return its process and our end of the terminal."""
    process, terminal = pty.fork()
    if process == 0:
        for number in (signal.SIGINT, signal.SIGHUP):  # whoever runs the tests may ignore them
            signal.signal(number, signal.SIG_DFL)
        os.environ.update(COLUMNS="100", TERM="xterm")
        os.execv(words[0], words)
    return process, terminal


def _on_terminal(answer: str, *arguments: str) -> tuple[int, str]:
    """Run the command on a terminal of 100 columns and answer its question; return its status and what was shown."""
    process, terminal = begun_on_terminal(*MODULE, *arguments)
    said = b""
    try:
        while chunk := os.read(terminal, 4096):
            if b"Do it?" in chunk:
                os.write(terminal, answer.encode() + b"\n")
            said += chunk
    except OSError:  # its end of the terminal is closed
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), said.decode(errors="replace")


def test_switchdev() -> None:
    """netdevsim's PF: VFs are made in legacy mode, then there are representors; the mode goes back when it fails."""
    try:
        plumbline("setup", SIMULATED_LINK, "--vfs", "3", "--mode", "switchdev").ended(0)
        settle()
        assert all(HOST.link(f"eni1npf0vf{index}") for index in range(3))
        assert (
            "has already 3 VFs, switchdev"
            in plumbline("setup", SIMULATED_LINK, "--vfs", "3", "--mode", "switchdev").ended(0).stdout
        )
        path = f"{SIMULATED}/sriov_numvfs"
        said = plumbline("setup", SIMULATED_LINK, "--vfs", "2", program=injected(path, "error=EIO", 2))
        assert (said.status, "the PF is as it was before" in said.stderr) == (1, True), said
        shown = net.run("devlink", "dev", "eswitch", "show", "netdevsim/netdevsim1")
        assert "mode switchdev" in shown
        with open(path) as file:
            assert file.read().strip() == "3"
    finally:
        plumbline("setup", SIMULATED_LINK, "--vfs", "4", "--mode", "legacy").ended(0)


def test_vdpa(vf: VF, pf: PF) -> None:
    """igb makes no vDPA devices, which is said; the kernel's simulator does, and they are bound to either driver."""
    net.run("modprobe", "-a", "vdpa_sim_net", "vhost_vdpa", "virtio_vdpa")
    said = plumbline("vdpa", "add", f"{pf.name}:0")
    assert said.status == 1, said
    assert f"cannot make the vDPA device vdpa:{vf.address} of {vf.address}: No such device" in said.stderr
    assert "its driver igbvf makes no vDPA devices" in said.stderr
    vdpa.add(vdpa.Parent("", "vdpasim_net"), "vdpa:lab")
    try:
        for driver in ("virtio_vdpa", "vhost_vdpa", "virtio_vdpa"):
            binding.bind(binding.VDPA, "vdpa:lab", driver, "/sys")
            assert os.path.basename(os.readlink("/sys/bus/vdpa/devices/vdpa:lab/driver")) == driver
    finally:
        vdpa.remove("vdpa:lab")
    assert not os.path.exists("/sys/bus/vdpa/devices/vdpa:lab")
    with simulated.on(vf, "vhost") as device:
        plumbline("vdpa", "add", f"{pf.name}:0", "--for", "virtio").ended(0)
        assert os.path.basename(os.path.realpath(f"{device.folder}/driver")) == "virtio_vdpa"
        assert "is without a vDPA device" in plumbline("vdpa", "del", f"{pf.name}:0").ended(0).stdout
        assert device.name not in net.run("vdpa", "dev", "show")
