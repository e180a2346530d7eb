"""`plumbline release` on real VFs: refused while somebody needs it, and forced."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from tests.support import disk
from tests.support.command import BINARY, plumbline
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import VF

HOST_LOCAL = {"type": "host-local", "subnet": "10.8.0.0/24"}
POD = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=router-0"


def test_a_pod_lives(vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """It is refused with the pod's name, and nothing changes; forced, it is as before ADD, and DEL finds all done."""
    before = vf.snapshot()
    one = attach(vf, vlan=100, ipam=HOST_LOCAL)
    one.args = POD
    one.add()
    name, on_disk, table = f"{vf.pf.name}:{vf.index}", disk.files(disk.CNI), vf.pf.table()

    refused = plumbline("release", name, program=BINARY).ended(4)
    assert refused.stdout == ""
    assert "default/router-0" in refused.stderr
    assert "--force" in refused.stderr
    plumbline("release", "--dry-run", vf.address).ended(4)
    planned = plumbline("release", "--force", "--dry-run", "--json", vf.address).ended(0).json
    assert [x["outcome"] for x in planned["devices"]] == ["would be given back"]
    assert (disk.files(disk.CNI), vf.pf.table(), pod.links()) == (on_disk, table, ["net1"])

    said = plumbline("release", "--force", name, program=BINARY).ended(0).stdout
    assert "given back" in said
    assert f"{name} vlan: 100 -> none" in said
    assert pod.links() == []
    assert vf.snapshot() == before
    assert disk.reserved("lab") == {}
    one.delete()
    assert "nothing to release" in plumbline("release", name).ended(0).stdout


def test_no_such_device(vf: VF) -> None:
    """It says how VFs are found."""
    said = plumbline("release", "0000:7f:00.1").ended(10)
    assert '"0000:7f:00.1"' in said.stderr
    assert "plumbline vfs" in said.stderr


def test_nobody_recorded_it(vf: VF, pod: Space) -> None:
    """A link in a namespace, of which no record tells, is moved to the host by force only."""
    HOST.ip("link", "set", vf.name, "netns", str(pod.name), "name", "mine")
    assert pod.path in plumbline("release", vf.address).ended(4).stderr
    assert pod.links() == ["mine"]
    plumbline("release", "--force", vf.address).ended(0)
    assert pod.links() == []
    assert vf.name


def test_a_program_has_it(vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """The pod is gone, and a program still has the VF open through vfio: it is named, and nothing changes."""
    vf.bind("vfio-pci")
    before = vf.pf.shown()
    one = attach(vf, vlan=100)
    one.add()
    pod.delete()
    group = os.path.basename(os.readlink(f"{vf.folder}/iommu_group"))
    holding = f"import sys; file = open('/dev/vfio/{group}', 'rb+', 0); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "open\n"
        refused = plumbline("release", vf.address).ended(4)
        assert f"process {program.pid} " in refused.stderr
        assert vf.table()["vlan_list"] == [{"vlan": 100}]
        program.communicate()
    plumbline("release", vf.address).ended(0)
    assert vf.pf.shown() == before
