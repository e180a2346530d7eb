"""What `plumbline setup --persist` says is so after each boot, before a container runtime starts.

The machine is a node with systemd as its init (lab/node.py), two igb PFs, and a simulated PF that is there before the
unit runs, since igb has no switch.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab import kernel
from lab.accelerator import has_kvm
from lab.node import Node
from tests.support.plugin import DIST, REPOSITORY

SECOND = "52:54:00:00:02:00"
"""The MAC address of the second PF."""

MODULES = """cat >/etc/systemd/system/simulated.service <<UNIT
[Unit]
Description=A simulated NIC
DefaultDependencies=no
After=systemd-modules-load.service
Before=plumbline.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'modprobe netdevsim && echo "1 1" >/sys/bus/netdevsim/new_device'

[Install]
WantedBy=multi-user.target
UNIT
ln -s /etc/systemd/system/simulated.service /etc/systemd/system/multi-user.target.wants/
systemctl daemon-reload && systemctl start simulated && udevadm settle
"""
SETUP = f"""set -e
{MODULES}
mkdir -p /usr/local/bin && cp {DIST}/plumbline /usr/local/bin/
plumbline setup enp1s0 --vfs 3 --driver 2=vfio-pci --persist --yes
plumbline setup enp2s0 --vfs 2 --persist --yes
plumbline setup netdevsim1 --vfs 2 --mode switchdev --persist --yes
"""

LOOK = f"/usr/bin/python3 {REPOSITORY}/tests/boot/look.py"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """A node whose PFs were set up for good, and that is off."""
    found = kernel.prepared()
    assert found is not None, "the lab's kernel is not prepared: make lab"
    made = Node(found, has_kvm(found), tmp_path_factory.mktemp("node"))
    status, said = made.boot(SETUP)
    assert status == 0, said
    return made


def look(node: Node, without: str = "", then: str = "true") -> dict[str, Any]:
    """Switch the node on, and return what it is like. then: a shell command for after that."""
    status, said = node.boot(f"{LOOK} && {then}", without)
    assert status == 0, said
    found = json.loads(said)
    assert isinstance(found, dict)
    return found


def drivers(found: dict[str, Any]) -> dict[str, list[str | None]]:
    """Return the drivers of the VFs of each PF."""
    return {pf["address"]: [vf["driver"] for vf in pf["vfs"]] for pf in found["node"]["pfs"]}


def assert_a_finding(found: dict[str, Any], address: str) -> None:
    """Assert that the unit has failed for one PF, which both its journal and a later `apply` name."""
    assert found["unit"] != "active"
    assert "Failed with result 'exit-code'" in found["journal"]
    assert address in found["journal"]
    assert found["applied"] == 1
    (error,) = [pf["error"]["message"] for pf in found["apply"]["pfs"] if pf["error"] is not None]
    assert address in error


def test_after_a_boot(node: Node) -> None:
    """VFs, drivers and switch mode are there, and were before containerd began; to apply again changes nothing."""
    found = look(node)
    assert drivers(found) == {
        "0000:01:00.0": ["igbvf", "igbvf", "vfio-pci"],
        "0000:02:00.0": ["igbvf", "igbvf"],
        "netdevsim1": ["netdevsim", "netdevsim"],
    }
    modes = {pf["address"]: pf["eswitch"] for pf in found["node"]["pfs"]}
    assert modes["netdevsim1"] == "switchdev"
    assert found["unit"] == "active"
    assert 0 < found["ended"] < found["runtime began"]
    assert found["applied"] == 0
    assert not any(pf["steps"] for pf in found["apply"]["pfs"])


def test_a_pf_is_gone_and_another_comes(node: Node) -> None:
    """Either is a finding and a failed unit, and the other PFs are what they are to be. What comes to the place of a PF
    has another MAC address, and is left alone.
    """
    others = {"0000:01:00.0": ["igbvf", "igbvf", "vfio-pci"], "netdevsim1": ["netdevsim", "netdevsim"]}
    was_another = f"sed -i s/{SECOND}/52:54:00:00:02:99/ /etc/plumbline/pfs.json"
    gone = look(node, without=SECOND, then=was_another)
    assert drivers(gone) == others
    assert_a_finding(gone, "0000:02:00.0")
    another = look(node)
    assert drivers(another) == {**others, "0000:02:00.0": []}
    assert_a_finding(another, "0000:02:00.0")
