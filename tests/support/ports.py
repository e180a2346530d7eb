"""Representors of a host that is under test, connected to bridges as the plugin does it."""

from __future__ import annotations

from cni.attach.attachment import Owner
from cni.linux.netlink import bridge, link
from cni.linux.netlink.link import Link
from cni.protocol.errors import CniError
from plugins.accelerated_bridge import uplink
from plugins.accelerated_bridge.port import RepresentorPort, brought_to
from plugins.vf.attachment import VfAttachment
from plugins.vf.config import VfConfig
from tests.support.bridging import Machine
from tests.support.log import Lines


def found(machine: Machine, name: str) -> Link:
    """Return a link that is there, as the product sees it."""
    entry = link.get(machine.host.netlink, name=name)
    assert entry is not None
    return entry


def port(
    machine: Machine, rep: str, into: str, vlans: dict[int, int] | None = None, mtu: int = 0, folder: str = ""
) -> RepresentorPort:
    """Return the port that a representor shall become; it is known what it is now."""
    made = RepresentorPort(found(machine, rep), into, vlans or {}, mtu, "", folder)
    made.bridge_index = found(machine, into).index
    if made.original.master:
        master = link.get(machine.host.netlink, index=made.original.master)
        assert master is not None
        made.master = master.name
        made.original_vlans = bridge.ports(machine.host.netlink)[made.original.index].vlans
    return made


def shared(machine: Machine, made: RepresentorPort, name: str, others: list[RepresentorPort]) -> None:
    """Have a port's VLANs on an uplink, too. others: the ports that are connected already."""
    brought = brought_to(found(machine, name), others, machine.host)
    present = bridge.ports(machine.host.netlink).get(found(machine, name).index)
    made.uplink, made.uplink_index = name, found(machine, name).index
    made.uplink_vlans = uplink.share(made.vlans, present, brought)


def connected(machine: Machine, made: RepresentorPort) -> RepresentorPort:
    """Connect the port, which everything is in order with then."""
    made.connect(machine.host, Lines())
    made.verify(machine.host)
    return made


def disconnected(machine: Machine, made: RepresentorPort, others: tuple[RepresentorPort, ...] = ()) -> Lines:
    """Disconnect the port, without an error, and make the representor what it was; return what was said.

    others: the ports that are recorded besides.
    """
    log, errors = Lines(), list[CniError]()
    made.disconnect(machine.host, lambda: [recorded(port) for port in (made, *others)], errors, log)
    made.restore(machine.host, errors, log)
    assert errors == []
    return log


def recorded(made: RepresentorPort) -> VfAttachment:
    """Return an attachment with this port."""
    wanted = VfConfig("0000:03:02.6")
    attachment = VfAttachment(Owner("c0ffee", "net1", "blue"), None, wanted, "", 0, None)
    attachment.beside = made
    return attachment
