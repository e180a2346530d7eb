"""Nodes that a test makes up: with everything that can be known, and with nothing."""

from __future__ import annotations

from plumbline.node.model import LinkState, Node, Owner, Pf, Pod, Settings, Source, State, Vdpa, Vf

MAC = "02:00:00:00:00:2a"
POD = Pod("default", "web", "6f1c2d3e")


def link(name: str, netns: str = "", master: str = "") -> LinkState:
    """Return a link that is up."""
    return LinkState(name, 7, MAC, 1500, True, True, netns=netns, master=master, altnames=(f"alt{name}",))


def owner(source: Source = Source.RECORD, pod: Pod = POD, alive: bool = True) -> Owner:
    """Return an owner of whom everything is known."""
    return Owner(source, pod, "c0ffee", "net1", "blue", "sriov", "/run/netns/pod1", alive)


def settings(vlan: int = 100) -> Settings:
    """Return an entry at a PF."""
    return Settings(MAC, vlan, 3, "802.1ad", False, True, "enable", 10, 100)


def vf(index: int, state: State = State.FREE, pf: str = "eth0") -> Vf:
    """Return a VF with nothing but its driver and its link, and of one in a pod its owner."""
    found = Vf(pf, index, f"0000:03:02.{index}", "iavf", link(f"{pf}v{index}"), state=state)
    if state is State.POD:
        found.owner, found.link = owner(), link("net1", netns="/run/netns/pod1")
    return found


def full() -> Node:
    """Return a node with a VF in each state, of which one has everything that a VF can have, and another PF."""
    pf = Pf("eth0", "0000:03:00.0", "pci", "ice", "Intel", "E810", link("eth0", master="bond0"), 25000, "switchdev", 8)
    pf.numa, pf.autoprobe, pf.persistent = 0, True, True
    pf.vfs = [vf(index, state) for index, state in enumerate(State)]
    rich = pf.vfs[0]
    rich.settings, rich.rdma, rich.iommu_group = settings(), "irdma0", 17
    rich.representor = link("eth0_0", master="br0")
    rich.vdpa = Vdpa("vdpa0", "vhost", "/dev/vhost-vdpa-0")
    by_state = {x.state: x for x in pf.vfs}
    by_state[State.DEAD].owner = owner(alive=False)
    by_state[State.BUSY].owner = Owner(Source.VFIO, netns="/proc/7/ns/net", alive=True, program="7 qemu")
    by_state[State.FOREIGN].link = link("eth1", netns="/run/netns/strange")
    by_state[State.STRAY].owner = owner(Source.KUBELET, Pod(uid="0a1b"))
    by_state[State.UNBOUND].driver, by_state[State.UNBOUND].link = "", None
    idle = [vf(index, pf="eth9") for index in range(4)]
    other = Pf("eth9", "0000:04:00.0", "pci", vfs=idle)
    links = [link("eth0", master="bond0"), link("bond0", master="br0"), link("br0"), rich.representor]
    return Node("node1", "6.12.1", [pf, other], [("ens5", owner(pod=Pod("default", "router")))], links, ["devlink: no"])


def bare() -> Node:
    """Return a node of which nothing is known but that there is a simulated PF with one VF."""
    pf = Pf("netdevsim1", "netdevsim1", "netdevsim")
    pf.vfs = [Vf(pf.name, 0, None)]
    return Node("node2", "5.4.0", [pf])
