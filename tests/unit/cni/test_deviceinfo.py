"""The device-info file: completed, written whole, never outside its folder, never fatal."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cni.attach.deviceinfo import FOLDER, PCI, VDPA, describe, publish, sweep
from cni.protocol.limits import FILE_BYTES
from tests.support import sysfstree
from tests.support.log import Lines
from tests.support.sysfstree import UNREADABLE, Tree

ADDRESS = {"pci-address": "0000:01:10.2"}
PF = {"pf-pci-address": "0000:01:00.0"}
RDMA = {"rdma-device": "mlx5_3"}
REPRESENTOR = {"representor-device": "eth3"}
PARENT = {"parent-device": "vdpa2", "driver": "vhost", "path": "/dev/vhost-vdpa0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as Multus made it."""
    folder = tmp_path / "devinfo" / "cni"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(params=[0o022, 0o077, 0], ids=["umask 022", "umask 077", "umask 0"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the test with a umask."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def _tree(folder: Path) -> dict[str, bytes | None]:
    """Return the content of all that is below the folder, None for what is no regular file."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def _info(kind: str, version: str, *parts: dict[str, str]) -> dict[str, object]:
    return {"type": kind, "version": version, kind: {key: value for part in parts for key, value in part.items()}}


COMPLETED = {
    "all of pci": (
        *(_info(PCI, "1.0.0", ADDRESS), PCI, ADDRESS | PF | RDMA),
        _info(PCI, "1.0.0", ADDRESS, PF, RDMA),
    ),
    "a field of 1.1.0": (
        *(_info(PCI, "1.0.0", ADDRESS), PCI, ADDRESS | REPRESENTOR),
        _info(PCI, "1.1.0", ADDRESS, REPRESENTOR),
    ),
    "version 1.1.0 stays": (
        *(_info(PCI, "1.1.0", ADDRESS), PCI, ADDRESS | PF),
        _info(PCI, "1.1.0", ADDRESS, PF),
    ),
    "a later version stays": (
        *(_info(PCI, "1.2.0", ADDRESS), PCI, REPRESENTOR),
        _info(PCI, "1.2.0", ADDRESS, REPRESENTOR),
    ),
    "a field of 1.1.0 that was there lifts nothing": (
        *(_info(PCI, "1.0.0", REPRESENTOR), PCI, REPRESENTOR | PF),
        _info(PCI, "1.0.0", REPRESENTOR, PF),
    ),
    "unknown keys stay": (
        {**_info(PCI, "1.0.0", ADDRESS, {"x": "y"}), "extra": [1, {"deep": None}], "vdpa": {"path": "/dev/x"}},
        *(PCI, PF),
        {**_info(PCI, "1.0.0", ADDRESS, {"x": "y"}, PF), "extra": [1, {"deep": None}], "vdpa": {"path": "/dev/x"}},
    ),
    "empty and null are missing": (
        {"type": "", "version": None, "pci": {"pci-address": "", "rdma-device": None}},
        *(PCI, ADDRESS | RDMA),
        _info(PCI, "1.0.0", ADDRESS, RDMA),
    ),
    "no map": (
        *({"type": "pci", "version": "1.0.0"}, PCI, ADDRESS),
        _info(PCI, "1.0.0", ADDRESS),
    ),
    "empty object": ({}, PCI, ADDRESS, _info(PCI, "1.0.0", ADDRESS)),
    "no version, with a field of 1.1.0": (
        *({"type": "pci", "pci": REPRESENTOR}, PCI, ADDRESS),
        _info(PCI, "1.1.0", ADDRESS, REPRESENTOR),
    ),
    "vdpa": (
        *(_info(VDPA, "1.0.0", PARENT), VDPA, PARENT | ADDRESS | PF | REPRESENTOR),
        _info(VDPA, "1.1.0", PARENT, ADDRESS, PF, REPRESENTOR),
    ),
    "pci to a vdpa file: what both have": (
        *(_info(VDPA, "1.0.0", PARENT), PCI, ADDRESS | PF | RDMA | REPRESENTOR),
        _info(VDPA, "1.1.0", PARENT, ADDRESS, PF, REPRESENTOR),
    ),
    "vdpa to a pci file: what both have": (
        *(_info(PCI, "1.0.0", ADDRESS), VDPA, PARENT | ADDRESS | PF),
        _info(PCI, "1.0.0", ADDRESS, PF),
    ),
    "the map tells the type that is missing": (
        *({"version": "1.0.0", "vdpa": PARENT}, PCI, ADDRESS),
        _info(VDPA, "1.0.0", PARENT, ADDRESS),
    ),
}


@pytest.mark.parametrize(("held", "kind", "fields", "expected"), COMPLETED.values(), ids=COMPLETED.keys())
def test_completed(
    folder: Path, held: dict[str, object], kind: str, fields: dict[str, str], expected: dict[str, object]
) -> None:
    """What is missing is added to a file that nobody may write; a second time there is nothing to add."""
    path = folder / "pod-net1"
    path.write_text(json.dumps(held))
    path.chmod(0o444)
    log = Lines()
    publish(str(path), kind, fields, log, str(folder))
    assert json.loads(path.read_text()) == expected
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert os.listdir(folder) == ["pod-net1"]
    inode = path.stat().st_ino
    publish(str(path), kind, fields, log, str(folder))
    assert path.stat().st_ino == inode
    assert log.lines == []


@pytest.mark.parametrize(("version", "expected"), [("1.0.0", "1.1.0"), ("1.1.0", "1.1.0"), ("1.2.0", "1.2.0")])
def test_a_representor_that_was_renamed(folder: Path, version: str, expected: str) -> None:
    """The name that it has is published, and what was there before is said."""
    path = folder / "pod-net1"
    path.write_text(json.dumps(_info(PCI, version, ADDRESS, {"representor-device": "eth9"})))
    log = Lines()
    publish(str(path), PCI, ADDRESS | REPRESENTOR, log, str(folder))
    assert json.loads(path.read_text()) == _info(PCI, expected, ADDRESS, REPRESENTOR)
    assert log.lines == [("info", f'device information in {path} had representor-device "eth9", which is eth3 by now')]


def test_key_order(folder: Path) -> None:
    """A person who compares finds the old members where they were."""
    path = folder / "pod-net1"
    path.write_text('{"version": "1.0.0", "pci": {"x": 1, "pci-address": "0000:01:10.2"}, "type": "pci"}')
    publish(str(path), PCI, PF, Lines(), str(folder))
    assert list(json.loads(path.read_text())) == ["version", "pci", "type"]
    assert list(json.loads(path.read_text())["pci"]) == ["x", "pci-address", "pf-pci-address"]


UNTOUCHED = {
    "complete": (_info(PCI, "1.0.0", ADDRESS, PF), ADDRESS | PF, ""),
    "another value": (
        _info(PCI, "1.1.0", ADDRESS, {"rdma-device": "mlx5_9"}),
        *(ADDRESS | RDMA, 'keeps rdma-device "mlx5_9", though it is mlx5_3'),
    ),
    "a value of another JSON type": (
        {"type": "pci", "version": "1.0.0", "pci": {"pci-address": 0}},
        *(ADDRESS, "keeps pci-address 0, though it is 0000:01:10.2"),
    ),
    "nothing known": ({"type": "pci"}, {"pci-address": "", "rdma-device": ""}, ""),
    "vdpa, nothing in common": (_info(VDPA, "1.0.0", PARENT), RDMA, ""),
    "vhost-user": (
        {"type": "vhost-user", "version": "1.0.0", "vhost-user": {"mode": "server", "path": "/run/s"}},
        *(ADDRESS, 'left as it is: type "vhost-user" is neither pci nor vdpa'),
    ),
    "a type that is no text": ({"type": 7, "pci": {}}, ADDRESS, "left as it is: type 7 is neither"),
    "a map that is none": (
        {"type": "pci", "version": "1.0.0", "pci": ["0000:01:10.2"]},
        *(ADDRESS, 'left as it is: pci is ["0000:01:10.2"], not an object'),
    ),
}


@pytest.mark.parametrize(("held", "fields", "warning"), UNTOUCHED.values(), ids=UNTOUCHED.keys())
def test_untouched(folder: Path, held: dict[str, object], fields: dict[str, str], warning: str) -> None:
    """No byte, no inode, no mode changes when nothing is to be added or nothing fits."""
    path = folder / "pod-net1"
    path.write_text(json.dumps(held))
    path.chmod(0o640)
    before = path.stat()
    log = Lines()
    publish(str(path), PCI, fields, log, str(folder))
    after = path.stat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)
    assert json.loads(path.read_text()) == held
    assert [level for level, _ in log.lines] == (["warning"] if warning else [])
    assert warning in log.text()


WHOLE = {
    "pci": (PCI, ADDRESS | PF | RDMA | {"representor-device": ""}, _info(PCI, "1.0.0", ADDRESS, PF, RDMA)),
    "pci 1.1.0": (PCI, ADDRESS | REPRESENTOR, _info(PCI, "1.1.0", ADDRESS, REPRESENTOR)),
    "vdpa": (VDPA, PARENT | {"pci-address": ""}, _info(VDPA, "1.0.0", PARENT)),
    "vdpa 1.1.0": (VDPA, PARENT | ADDRESS | REPRESENTOR, _info(VDPA, "1.1.0", PARENT, ADDRESS, REPRESENTOR)),
}


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(("kind", "fields", "expected"), WHOLE.values(), ids=WHOLE.keys())
def test_whole(tmp_path: Path, kind: str, fields: dict[str, str], expected: dict[str, object]) -> None:
    """Written whole, with the folders, and others can read it whatever the umask is."""
    path = tmp_path / "k8s.cni.cncf.io" / "devinfo" / "cni" / "pod-net1"
    log = Lines()
    publish(str(path), kind, fields, log, str(path.parent))
    assert json.loads(path.read_text()) == expected
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert [stat.S_IMODE(path.parents[level].stat().st_mode) for level in range(3)] == [0o755] * 3
    assert log.lines == []


def test_folder_keeps_its_mode(folder: Path) -> None:
    """A folder that is there is somebody else's."""
    folder.chmod(0o700)
    publish(str(folder / "pod-net1"), PCI, ADDRESS, Lines(), str(folder))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("path", ["", "pod-net1"], ids=["no path", "nothing known"])
def test_nothing_asked_or_known(folder: Path, path: str) -> None:
    """Without a path nobody asked; without a field there is nothing to say."""
    log = Lines()
    publish(path and str(folder / path), PCI, {} if path else ADDRESS, log, str(folder))
    sweep("", log, str(folder))
    assert os.listdir(folder) == []
    assert log.lines == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no text"),
        (b'{"type": "pci", "pci": {', "expecting|Expecting"),
        (b"\xff\xfe", "utf-8"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"[" * 1000, "nested"),
    ],
    ids=["empty", "truncated", "not UTF-8", "a list", "null", "deep"],
)
def test_garbage(folder: Path, content: bytes, reason: str) -> None:
    """Garbage is replaced, and that is said."""
    path = folder / "pod-net1"
    path.write_bytes(content)
    log = Lines()
    publish(str(path), PCI, ADDRESS, log, str(folder))
    assert json.loads(path.read_text()) == _info(PCI, "1.0.0", ADDRESS)
    assert [level for level, _ in log.lines] == ["warning"]
    assert log.text().startswith(f"device information in {path} is damaged and written anew: ")
    assert any(word in log.text() for word in reason.split("|"))


OUTSIDE = {
    "another folder": "{root}/pod-net1",
    "a folder that begins alike": "{root}/devinfo/cni-2/pod-net1",
    "the folder": "{root}/devinfo/cni",
    "the folder with a slash": "{root}/devinfo/cni/",
    "the folder, dotted": "{root}/devinfo/cni/.",
    "up and out": "{root}/devinfo/cni/../pod-net1",
    "up and back": "{root}/devinfo/cni/x/../pod-net1",
    "relative": "pod-net1",
    "a link to a file outside": "{root}/devinfo/cni/file-link",
    "a dangling link": "{root}/devinfo/cni/dangling",
    "a link to a folder outside": "{root}/devinfo/cni/folder-link/pod-net1",
    "a NUL": "{root}/devinfo/cni/pod\0net1",
    "over a link to the root": "{root}/devinfo/cni/root-link{root}/pod-net1",
}


@pytest.mark.parametrize("path", OUTSIDE.values(), ids=OUTSIDE.keys())
@pytest.mark.parametrize(
    "call", [lambda *args: publish(args[0], PCI, ADDRESS, *args[1:]), sweep], ids=["publish", "sweep"]
)
def test_outside(tmp_path: Path, folder: Path, path: str, call: Callable[[str, Lines, str], None]) -> None:
    """Whatever leaves the folder is refused with a warning that names field and value; nothing is written."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("{}")
    (outside / ".tmp-precious").write_text("{}")
    (folder / "file-link").symlink_to(outside / "precious")
    (folder / "dangling").symlink_to(outside / "new")
    (folder / "folder-link").symlink_to(outside)
    (folder / "root-link").symlink_to("/")
    before = _tree(tmp_path)
    log = Lines()
    with contextlib.chdir(folder):
        call(path.format(root=tmp_path), log, str(folder))
    assert _tree(tmp_path) == before
    assert [level for level, _ in log.lines] == ["warning"]
    assert "runtimeConfig.CNIDeviceInfoFile: " in log.text()
    assert f"it must be an absolute path below {folder}, without .." in log.text()


def test_a_link_on_the_way_to_the_folder(tmp_path: Path) -> None:
    """With /var/run a link to /run, both names of the folder lead to it, before it exists and after."""
    (tmp_path / "run").mkdir()
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "run").symlink_to("../run")
    folder = str(tmp_path / "var" / "run" / "devinfo" / "cni")
    log = Lines()
    publish(f"{folder}/pod-net1", PCI, ADDRESS, log, folder)
    publish(str(tmp_path / "run" / "devinfo" / "cni" / "pod-net1"), PCI, PF, log, folder)
    publish(f"{tmp_path}/var//run/./devinfo/cni/pod-net1", PCI, RDMA, log, folder)
    assert log.lines == []
    assert os.listdir(tmp_path / "run" / "devinfo" / "cni") == ["pod-net1"]
    held = json.loads((tmp_path / "run" / "devinfo" / "cni" / "pod-net1").read_text())
    assert held == _info(PCI, "1.0.0", ADDRESS, PF, RDMA)


def test_a_folder_below(folder: Path) -> None:
    """A file may lie deeper."""
    log = Lines()
    publish(str(folder / "ns" / "pod-net1"), PCI, ADDRESS, log, str(folder))
    assert json.loads((folder / "ns" / "pod-net1").read_text()) == _info(PCI, "1.0.0", ADDRESS)
    assert log.lines == []


def _file_for_folder(folder: Path) -> None:
    folder.rmdir()
    folder.touch()


def _file_for_parent(folder: Path) -> None:
    folder.rmdir()
    folder.parent.rmdir()
    folder.parent.touch()


def _folder_for_file(folder: Path) -> None:
    (folder / "pod-net1").mkdir()


def _fifo(folder: Path) -> None:
    os.mkfifo(folder / "pod-net1")


def _huge(folder: Path) -> None:
    (folder / "pod-net1").write_bytes(b" " * (FILE_BYTES + 1))


def _loop(folder: Path) -> None:
    (folder / "pod-net1").symlink_to("pod-net1")


def _temporary_taken(folder: Path) -> None:
    (folder / ".tmp-pod-net1").mkdir()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_file_for_folder, "cannot create folder"),
        (_file_for_parent, "cannot create folder"),
        (_folder_for_file, "not a regular file"),
        (_fifo, "not a regular file"),
        (_huge, "longer than"),
        (_loop, "not a regular file"),
        (_temporary_taken, "cannot write"),
    ],
    ids=["file for the folder", "file for its parent", "folder for the file", "FIFO", "huge", "loop", "temporary"],
)
def test_never_raises(folder: Path, make: Callable[[Path], None], reason: str) -> None:
    """One warning says what was to be published, on which path, and why it is not; nothing is left behind."""
    make(folder)
    before = _tree(folder.parent)
    log = Lines()
    publish(str(folder / "pod-net1"), PCI, ADDRESS, log, str(folder))
    assert _tree(folder.parent) == before
    ((level, message),) = log.lines
    assert level == "warning"
    assert message.startswith('device information of {"pci-address":"0000:01:10.2"} is not published: ')
    assert reason in message
    assert str(folder.parent) in message


def test_long_name(folder: Path) -> None:
    """A name that the file system refuses is a warning, too."""
    log = Lines()
    publish(str(folder / ("n" * 300)), PCI, ADDRESS, log, str(folder))
    assert "File name too long" in log.text("warning")
    assert os.listdir(folder) == []


def test_sweep(folder: Path) -> None:
    """What a killed publish left is removed; the file itself is for the runtime to remove."""
    path = folder / "pod-net1"
    path.write_text("{}")
    (folder / ".tmp-pod-net1").write_text('{"ty')
    (folder / ".tmp-pod-net2").write_text('{"ty')
    log = Lines()
    sweep(str(path), log, str(folder))
    sweep(str(path), log, str(folder))
    assert sorted(os.listdir(folder)) == [".tmp-pod-net2", "pod-net1"]
    (folder / ".tmp-pod-net1").mkdir()
    sweep(str(path), log, str(folder))
    assert [level for level, _ in log.lines] == ["warning"]
    assert "cannot remove" in log.text()


def test_the_folder_is_that_of_the_specification() -> None:
    assert FOLDER == "/var/run/k8s.cni.cncf.io/devinfo/cni"


PF_ADDRESS, VF_ADDRESS, OTHER_VF = "0000:03:00.0", "0000:03:00.2", "0000:03:00.3"
PF_FOLDER, VF_FOLDER = sysfstree.folder(PF_ADDRESS), sysfstree.folder(VF_ADDRESS)
SWITCH = "b8cef603003f2a98"

NIC: Tree = {
    **sysfstree.pf(PF_ADDRESS, {0: VF_ADDRESS, 1: OTHER_VF}),
    **sysfstree.netdev(PF_FOLDER, "ens2f0np0", "p0", SWITCH),
    **sysfstree.netdev(PF_FOLDER, "ens2f0_0", "pf0vf0", SWITCH),
    **sysfstree.netdev(PF_FOLDER, "ens2f0_1", "pf0vf1", SWITCH),
    **sysfstree.netdev(PF_FOLDER, "en3f0pf0sf88", "pf0sf88", SWITCH),
    **sysfstree.netdev(VF_FOLDER, "ens2f0v0"),
    f"{PF_FOLDER}/infiniband/mlx5_0": None,
    f"{VF_FOLDER}/infiniband/mlx5_2": None,
    **sysfstree.vdpa(sysfstree.folder(OTHER_VF), "vdpa0", "vhost_vdpa", "vhost-vdpa-0"),
    f"{PF_FOLDER}/mlx5_core.sf.4/net/en3f0s88/dev_port": "0",
}
"""A PF in switchdev mode with two VFs, the second of which has a vDPA device, and with a sub-function."""

NO_SWITCH: Tree = {
    **sysfstree.pf(PF_ADDRESS, {0: VF_ADDRESS}),
    **sysfstree.netdev(PF_FOLDER, "ens2f0np0", "p0", UNREADABLE),
}
ALONE: Tree = {f"{VF_FOLDER}/driver": "mlx5_core", f"{VF_FOLDER}/infiniband/mlx5_2": None}
"""A VF as a virtual machine sees it."""

VF_FIELDS = {
    **{"pci-address": VF_ADDRESS, "pf-pci-address": PF_ADDRESS},
    **{"representor-device": "ens2f0_0", "rdma-device": "mlx5_2"},
}
VF_VDPA_FIELDS = {key: value for key, value in VF_FIELDS.items() if key != "rdma-device"}


def _vdpa(driver: str, made: str) -> Tree:
    return sysfstree.vdpa(VF_FOLDER, "vdpa1", driver, made)


DESCRIBED: dict[str, tuple[Tree, str, str, dict[str, str]]] = {
    "a VF with a representor and RDMA": (NIC, VF_FOLDER, PCI, VF_FIELDS),
    "a VF on vhost_vdpa": (
        NIC | _vdpa("vhost_vdpa", "vhost-vdpa-1"),
        *(VF_FOLDER, VDPA),
        VF_VDPA_FIELDS | {"parent-device": "vdpa1", "driver": "vhost", "path": "/dev/vhost-vdpa-1"},
    ),
    "a VF on virtio_vdpa": (
        NIC | _vdpa("virtio_vdpa", "virtio1/net/eth5"),
        *(VF_FOLDER, VDPA),
        VF_VDPA_FIELDS
        | {"parent-device": "vdpa1", "driver": "virtio", "path": "/sys/bus/virtio/devices/virtio1"},
    ),
    "the virtio device of a VF on virtio_vdpa": (
        NIC | _vdpa("virtio_vdpa", "virtio1/net/eth5"),
        *(f"{VF_FOLDER}/vdpa1/virtio1", VDPA),
        VF_VDPA_FIELDS
        | {"parent-device": "vdpa1", "driver": "virtio", "path": "/sys/bus/virtio/devices/virtio1"},
    ),
    "a PF whose sub-function has a vDPA device": (
        NIC | sysfstree.vdpa(f"{PF_FOLDER}/mlx5_core.sf.4", "vdpa1", "vhost_vdpa", "vhost-vdpa-1"),
        *(PF_FOLDER, PCI),
        {"pci-address": PF_ADDRESS, "rdma-device": "mlx5_0"},
    ),
    "a VF with an unbound vDPA device": (NIC | _vdpa("", ""), VF_FOLDER, PCI, VF_FIELDS),
    "another VF of the same PF": (
        NIC,
        *(sysfstree.folder(OTHER_VF), VDPA),
        {
            **{"pci-address": OTHER_VF, "pf-pci-address": PF_ADDRESS, "representor-device": "ens2f0_1"},
            **{"parent-device": "vdpa0", "driver": "vhost", "path": "/dev/vhost-vdpa-0"},
        },
    ),
    "a PF": (NIC, PF_FOLDER, PCI, {"pci-address": PF_ADDRESS, "rdma-device": "mlx5_0"}),
    "a VF of a PF in legacy mode": (
        *(NO_SWITCH, VF_FOLDER, PCI),
        {"pci-address": VF_ADDRESS, "pf-pci-address": PF_ADDRESS},
    ),
    "a VF without its PF": (ALONE, VF_FOLDER, PCI, {"pci-address": VF_ADDRESS, "rdma-device": "mlx5_2"}),
    "a VF with vDPA without its PF": (
        ALONE | _vdpa("vhost_vdpa", "vhost-vdpa-1"),
        *(VF_FOLDER, VDPA),
        {"pci-address": VF_ADDRESS, "parent-device": "vdpa1", "driver": "vhost", "path": "/dev/vhost-vdpa-1"},
    ),
    "a VF whose PF does not list it": (
        {key: value for key, value in NIC.items() if not key.endswith("/virtfn0")},
        *(VF_FOLDER, PCI),
        {"pci-address": VF_ADDRESS, "pf-pci-address": PF_ADDRESS, "rdma-device": "mlx5_2"},
    ),
    "a virtio device on a PCI function": (
        {"pci0000:00/0000:00:03.0/virtio0/net/eth0/dev_port": "0"},
        *("pci0000:00/0000:00:03.0/virtio0", PCI),
        {"pci-address": "0000:00:03.0"},
    ),
    "an auxiliary device": (NIC, f"{PF_FOLDER}/mlx5_core.sf.4", PCI, {}),
    "a virtio device on no PCI function": ({"platform/a/virtio0/net/eth0/mtu": "0"}, "platform/a/virtio0", PCI, {}),
    "a device on no bus": ({"virtual/net/veth0/dev_port": "0"}, "virtual/net/veth0", PCI, {}),
}  # fmt: skip


@pytest.mark.parametrize(("tree", "device", "kind", "fields"), DESCRIBED.values(), ids=DESCRIBED)
def test_described(tmp_path: Path, tree: Tree, device: str, kind: str, fields: dict[str, str]) -> None:
    """All that sysfs tells of the device and of no other one; what is not known is empty."""
    root = sysfstree.build(tmp_path, tree)
    found, known = describe(str(tmp_path / "devices" / device), root)
    assert (found, {key: value for key, value in known.items() if value}) == (kind, fields)


VHOST = {"parent-device": "vdpa2", "driver": "vhost", "path": "/dev/vhost-vdpa-0"}
DEVICE_PLUGIN = {"type": "vdpa", "version": "1.0.0", "vdpa": {**VHOST, "pci-address": VF_ADDRESS}}
"""As the device plugin writes it."""


def _published(tmp_path: Path, path: Path, log: Lines) -> None:
    """Describe and publish the VF with its vDPA device."""
    root = sysfstree.build(tmp_path / "sys", NIC | sysfstree.vdpa(VF_FOLDER, "vdpa2", "vhost_vdpa", "vhost-vdpa-0"))
    kind, fields = describe(str(tmp_path / "sys/devices" / VF_FOLDER), root)
    publish(str(path), kind, fields, log, str(path.parent))


VDPA_WHOLE = {
    **{**VHOST, "pci-address": VF_ADDRESS, "pf-pci-address": PF_ADDRESS},
    "representor-device": "ens2f0_0",
}


@pytest.mark.parametrize(
    ("held", "version"),
    [
        (json.dumps(DEVICE_PLUGIN), "1.1.0"),
        (json.dumps(DEVICE_PLUGIN | {"version": "1.1.0"}), "1.1.0"),
        (json.dumps(DEVICE_PLUGIN | {"version": "1.3.0"}), "1.3.0"),
        (None, "1.1.0"),
        ('{"type": "vdpa", "version": "1.0.0", "vdpa": {"parent-dev', "1.1.0"),
    ],
    ids=["the device plugin's", "a newer one's", "a later version", "no file", "half a file"],
)
def test_vdpa_published(tmp_path: Path, folder: Path, held: str | None, version: str) -> None:
    """The device plugin's file gains representor and PF, and with them the version; without one it is written whole."""
    path = folder / "vdpa-pod01-net1.json"
    if held is not None:
        path.write_text(held)
        path.chmod(0o444)
    log = Lines()
    _published(tmp_path, path, log)
    assert json.loads(path.read_text()) == {"type": "vdpa", "version": version, "vdpa": VDPA_WHOLE}
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert os.listdir(folder) == [path.name]
    assert len(log.lines) == (1 if held is not None and held[-1] != "}" else 0)


@pytest.mark.parametrize("path", ["../vdpa.json", "../../vdpa.json", "x/../../vdpa.json", "x/../vdpa.json"])
def test_vdpa_published_outside(tmp_path: Path, folder: Path, path: str) -> None:
    """Neither type leaves the folder."""
    (folder / "x").mkdir()
    before = _tree(tmp_path)
    log = Lines()
    publish(f"{folder}/{path}", VDPA, VDPA_WHOLE, log, str(folder))
    assert _tree(tmp_path) == before
    assert "runtimeConfig.CNIDeviceInfoFile: " in log.text("warning")
