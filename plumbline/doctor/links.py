"""Do frames get through? PFs, MAC addresses, representors, and the bridges that these are in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from plugins.accelerated_bridge.config import DEFAULT_BRIDGE
from plugins.accelerated_bridge.plugin import AcceleratedBridge
from plumbline.doctor.facts import Facts
from plumbline.doctor.finding import Finding, failure, good, listed, skipped, warning
from plumbline.node.model import NO_MAC, Pf, State, Vf

SWITCHDEV = "switchdev"


def pf_up(facts: Facts) -> Iterator[Finding]:
    """While a PF is down, its VFs carry nothing."""
    for pf in facts.node.pfs:
        if pf.link is None:
            driver = f"driver {pf.driver}" if pf.driver else "no driver"
            remedy = f"`dmesg | grep {pf.address}`; `ip -all netns exec ip -br link`"
            yield failure(pf.name, f"no link on the host, {driver}", remedy)
        elif pf.link.up is False and pf.vfs:
            yield failure(pf.name, f"down, with {len(pf.vfs)} VFs", f"ip link set {pf.name} up")
        elif pf.link.up is False:
            yield warning(pf.name, "down", f"ip link set {pf.name} up")
        else:
            yield good(pf.name, "up")


def pf_carrier(facts: Facts) -> Iterator[Finding]:
    """VFs of one PF reach each other without a cable, and nobody else."""
    for pf in facts.node.pfs:
        if pf.link is None or pf.link.up is False:
            yield skipped(pf.name, "it is not up")
        elif pf.link.carrier is False:
            yield warning(pf.name, "no carrier", f"cable, transceiver, the switch's port: ethtool {pf.name}")
        else:
            yield good(pf.name, f"{pf.speed} Mbit/s" if pf.speed else "carrier")


def pf_mtu(facts: Facts) -> Iterator[Finding]:
    """A NIC drops what is longer than its PF's MTU, whatever that of the VF is."""
    for pf in facts.node.pfs:
        if pf.link is None:
            continue
        asked = _mtus(facts, pf)
        largest = max(asked, default=0)
        if largest > pf.link.mtu:
            yield failure(
                pf.name,
                f"MTU {pf.link.mtu}, below {largest} of {asked[largest]}",
                f"ip link set {pf.name} mtu {largest}, and the same on the switch",
            )
        else:
            yield good(pf.name, f"MTU {pf.link.mtu}" + (f", {largest} is asked for" if largest else ""))


def _mtus(facts: Facts, pf: Pf) -> dict[int, str]:
    """Return the MTUs that networks ask for of a PF's VFs, and that VFs have in pods, each with whose it is."""
    found: dict[int, str] = {}
    for network in facts.of_type("sriov", "accelerated-bridge"):
        named, mtu = str(network.get("deviceID") or ""), network.get("mtu")
        if isinstance(mtu, int) and (not named or named.lower() in {vf.address for vf in pf.vfs}):
            found[mtu] = f"network {network.get('name')}"
    for vf in pf.vfs:
        if vf.link is not None and vf.link.netns:
            found.setdefault(vf.link.mtu, f"{vf.pf}:{vf.index} in {vf.owner or vf.link.netns}")
    return found


def same_mac(facts: Facts) -> Iterator[Finding]:
    """A switch sends what is for two ports of one address to one of them."""
    users: dict[str, list[str]] = defaultdict(list)
    for pf in facts.node.pfs:
        if pf.link is not None:
            users[pf.link.mac].append(pf.name)
        for vf in pf.vfs:
            for mac in _macs(vf):
                users[mac].append(f"{pf.name}:{vf.index}")
    twice = {mac: names for mac, names in users.items() if len(names) > 1}
    for mac, names in sorted(twice.items()):
        yield failure(
            mac,
            f"of {listed(names)}",
            "take `mac` out of one of the networks, or `plumbline release` the VF whose pod is gone",
        )
    if not twice and users:
        yield good("", f"{len(users)} addresses, each once")


def _macs(vf: Vf) -> set[str]:
    """Return the addresses of a VF: that which the PF has set, and that of its link, which may differ."""
    at_pf = vf.settings.mac if vf.settings is not None else NO_MAC
    return {mac for mac in (at_pf, vf.link.mac if vf.link is not None else "") if mac not in ("", NO_MAC)}


def representor(facts: Facts) -> Iterator[Finding]:
    """In switchdev mode, each VF has a link on the host that stands for it."""
    for pf in facts.node.pfs:
        if pf.eswitch != SWITCHDEV:
            continue
        lacking = [vf.index for vf in pf.vfs if vf.representor is None]
        if lacking:
            yield failure(
                pf.name,
                f"no representor of VF {listed(lacking)}",
                f"`devlink port show | grep {pf.address}`; make the VFs anew: plumbline setup {pf.name}",
            )
        elif pf.vfs:
            yield good(pf.name, f"{len(pf.vfs)} representors")


def representor_bridge(facts: Facts) -> Iterator[Finding]:
    """What a pod sends through a VF in switchdev mode comes out of its representor, and goes on by a bridge."""
    for pf in facts.node.pfs:
        used = [vf for vf in pf.vfs if vf.state in (State.POD, State.BUSY) and vf.representor is not None]
        for vf in used:
            name = vf.representor.name if vf.representor is not None else ""
            by_bridge_plugin = vf.owner is not None and vf.owner.plugin == AcceleratedBridge.name
            if vf.representor is not None and vf.representor.master:
                yield good(name, f"in {vf.representor.master}")
            elif by_bridge_plugin:
                yield failure(
                    name,
                    f"in no bridge, and {vf.owner} has its VF",
                    f"ip link set {name} master BRIDGE up, or have the pod made anew",
                )
            else:
                yield warning(
                    name,
                    f"in no bridge, and {vf.owner} has its VF",
                    "where no OVS or tc rule forwards for it: the network's type is accelerated-bridge in this mode",
                )


def uplink_bridge(facts: Facts) -> Iterator[Finding]:
    """Representors in a bridge reach the wire by the uplink, which has to be in the same one."""
    for pf in facts.node.pfs:
        bridges = {vf.representor.master for vf in pf.vfs if vf.representor is not None and vf.representor.master}
        if not bridges or pf.link is None:
            continue
        if pf.link.master in bridges:
            yield good(pf.name, f"in {pf.link.master}")
        else:
            found = f"in {pf.link.master}" if pf.link.master else "in no bridge"
            first = min(bridges)
            yield warning(
                pf.name,
                f"{found}; its representors are in {listed(sorted(bridges))}",
                f"ip link set {pf.name} master {first} (or its bond)",
            )


def bridge(facts: Facts) -> Iterator[Finding]:
    """A network of type accelerated-bridge needs its bridge on the host: the plugin makes none."""
    for network in facts.of_type(AcceleratedBridge.name):
        names = _bridges(network)
        there = [name for name in names if name in facts.bridges]
        subject = f"network {network.get('name')}"
        if there:
            yield good(subject, f"{listed(there)} is there")
        else:
            make = f"ip link add {names[0]} type bridge vlan_filtering 1; ip link set {names[0]} up"
            yield failure(subject, f"no bridge {listed(names)}", make)


def bridge_vlans(facts: Facts) -> Iterator[Finding]:
    """Without vlan_filtering, a bridge takes no notice of the VLANs of its ports: all pods are in one network
    (net/bridge/br_vlan.c).
    """
    asking = {
        name: str(network.get("name"))
        for network in facts.of_type(AcceleratedBridge.name)
        if network.get("vlan") or network.get("trunk")
        for name in _bridges(network)
    }
    used = {vf.representor.master for vf in facts.node.vfs if vf.representor is not None and vf.representor.master}
    for name in sorted((asking.keys() | used) & facts.bridges.keys()):
        remedy = f"ip link set {name} type bridge vlan_filtering 1"
        if facts.bridges[name].is_filtering:
            yield good(name, "on")
        elif name in asking:
            yield failure(name, f"off, and network {asking[name]} asks for VLANs", remedy)
        else:
            yield warning(name, "off, and representors are in it", remedy)


def _bridges(network: dict[str, object]) -> list[str]:
    """Return the names that `bridge` of a network gives, of which one is needed."""
    text = network.get("bridge") or DEFAULT_BRIDGE
    return [name.strip() for name in str(text).split(",")]
