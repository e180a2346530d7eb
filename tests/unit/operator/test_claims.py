"""Who else manages PFs, by the files that say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.errors import Status, VerbError
from plumbline.node import claims as others
from plumbline.node.claims import NETPLAN, NETWORK_MANAGER, OPERATOR, SYSTEMD
from plumbline.node.roots import Roots
from plumbline.prepare import claims
from tests.unit.operator.made_up import ADDRESS, pf

PLAN = """network:
  version: 2
  ethernets:
    nic:   # by its address
      match: {macaddress: "02:00:00:00:00:0A"}
      set-name: ens3
      virtual-function-count: 4
    lan:
      match:
        name: ens7*
      dhcp4: true
    port:
      match:
        name: ens6*
      embedded-switch-mode: switchdev
    vf0:
      link: ens9
  vlans:
    v5:
      id: 5
      link: ens8
"""

NUMBER = (
    "network:\n  ethernets:\n    {name}:\n      virtual-function-count: 8\n    wlan0:\n      access-points: {{x: 7}}\n"
)
MATCH = "network:\n  ethernets:\n    nic:\n      match: {{{by}}}\n      virtual-function-count: 8\n"
PROFILE = "[connection]\nid=x\ninterface-name={name}\n\n[sriov]\ntotal-vfs=4\n"
PROFILES, NETWORKD = "NetworkManager/system-connections", "systemd/network"
LINK = "[Match]\n{by}\n[Link]\nSR-IOVVirtualFunctions=3\n"

CASES: dict[str, tuple[str, str, str]] = {
    "the operator": (f"sriov-operator/pci/{ADDRESS}", '{"numVfs": 4}', OPERATOR),
    "the operator, half a file": (f"sriov-operator/pci/{ADDRESS}", '{"numVfs"', OPERATOR),
    "the operator, VFs of others": (f"sriov-operator/pci/{ADDRESS}", '{"externallyManaged": true}', ""),
    "the operator, another PF": ("sriov-operator/pci/0000:04:00.0", "{}", ""),
    "NetworkManager": (f"{PROFILES}/x", PROFILE.format(name="ens3"), NETWORK_MANAGER),
    "NetworkManager, another name": (f"{PROFILES}/x.nmconnection", PROFILE.format(name="enp3s0"), NETWORK_MANAGER),
    "NetworkManager, another PF": (f"{PROFILES}/x", PROFILE.format(name="ens4"), ""),
    "NetworkManager, no VFs": (f"{PROFILES}/x", "[connection]\ninterface-name=ens3\n", ""),
    "NetworkManager, no profile": (f"{PROFILES}/x", "total nonsense", ""),
    "NetworkManager, by MAC": (
        f"{PROFILES}/x",
        "[ethernet]\nmac-address=02:00:00:00:00:0A\n[sriov]\n",
        NETWORK_MANAGER,
    ),
    "netplan": ("netplan/50.yaml", NUMBER.format(name="ens3"), NETPLAN),
    "netplan, another PF": ("netplan/50.yaml", NUMBER.format(name="ens4") + "    ens3:\n      mtu: 9000\n", ""),
    "netplan, no VFs": ("netplan/50.yaml", "network:\n  ethernets:\n    ens3:\n      dhcp4: true\n", ""),
    "netplan, by MAC": ("netplan/50.yaml", MATCH.format(by="macaddress: '02:00:00:00:00:0a'"), NETPLAN),
    "netplan, by a pattern": ("netplan/50.yaml", MATCH.format(by="name: ens3*, driver: igb"), NETPLAN),
    "netplan, not read": ("netplan/50.yaml.old", NUMBER.format(name="ens3"), ""),
    "systemd": (f"{NETWORKD}/10.network", "[Match]\nName=ens3\n[SR-IOV]\nVirtualFunction=0\n[SR-IOV]\n", SYSTEMD),
    "systemd, by MAC": (f"{NETWORKD}/10.link", LINK.format(by="MACAddress=02:00:00:00:00:0A"), SYSTEMD),
    "systemd, by address": (f"{NETWORKD}/10.link", LINK.format(by=f"Path=pci-{ADDRESS}"), SYSTEMD),
    "systemd, by a pattern": (f"{NETWORKD}/10.link", LINK.format(by="OriginalName=eth* ens*"), SYSTEMD),
    "systemd, another PF": (f"{NETWORKD}/10.link", LINK.format(by="OriginalName=ens4"), ""),
    "systemd, no VFs": (f"{NETWORKD}/10.link", "[Match]\nOriginalName=ens3\n[Link]\nMTUBytes=9000\n", ""),
    "systemd, no link": (f"{NETWORKD}/10.netdev", LINK.format(by="OriginalName=ens3"), ""),
    "nobody": ("other", "", ""),
}


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """Where configurations lie."""
    return Roots(etc=str(tmp_path / "etc"), run=str(tmp_path / "run"))


@pytest.mark.parametrize("name", CASES)
def test_claims(name: str, roots: Roots) -> None:
    """Who says so is named with the file, and nobody else's PF is claimed."""
    found = pf()
    assert found.link is not None
    found.link = replace(found.link, mac="02:00:00:00:00:0a", altnames=("enp3s0",))
    path, text, manager = CASES[name]
    for root in (roots.etc, roots.run) if not path.startswith("sriov") else (roots.etc,):
        file = Path(root, path)
        file.parent.mkdir(parents=True)
        file.write_text(text)
        claimed = [x for x in others.all_on(roots) if x.covers(others.names_of(found))]
        assert [(x.manager, x.path) for x in claimed] == ([(manager, str(file))] if manager else [])
        assert not any(x.covers({"lo", "0000:05:00.0", "02:00:00:00:00:0b"}) for x in others.all_on(roots))
        if manager:
            with pytest.raises(VerbError, match=f"x: refused, since {manager} makes its VFs .{file}") as caught:
                claims.refuse("x", found, roots)
            assert caught.value.status == Status.IN_USE
        else:
            claims.refuse("x", found, roots)
        file.unlink()


def test_an_operator_that_has_done_nothing(roots: Roots) -> None:
    """It may take any PF, which is worth a warning and no refusal."""
    Path(roots.etc, "sriov-operator").mkdir(parents=True)
    (found,) = others.all_on(roots)
    assert (found.manager, found.covers({"ens3"}), found.covers({"ens4"})) == (OPERATOR, True, True)
    claims.refuse("x", pf(), roots)


def test_netplan() -> None:
    """It makes the VFs of what has a number or a mode, and of the link of a VF; not of a VLAN's."""
    assert others.netplan_names(PLAN) == {"nic", "ens3", "02:00:00:00:00:0a", "port", "ens6*", "ens9"}
    assert others.netplan_names("# virtual-function-count: 4\nnetwork: {}\n") == frozenset()
