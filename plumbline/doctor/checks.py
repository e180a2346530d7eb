"""The table of all checks, and what comes of them. An id never changes its meaning: alerts match on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from plumbline.doctor import configuration, installation, links, pci, records
from plumbline.doctor.facts import Facts, gather
from plumbline.doctor.finding import Finding, Level, skipped
from plumbline.node.model import Node
from plumbline.node.roots import Roots


@dataclass(frozen=True, slots=True)
class Check:
    """id: stable, and documented. about: what it is about, for a person. run: what gives its findings."""

    id: str
    about: str
    run: Callable[[Facts], Iterable[Finding]]


CHECKS = (
    Check("firmware", "SR-IOV in the firmware", pci.firmware),
    Check("iommu", "IOMMU", pci.iommu),
    Check("bar-room", "addresses for the VFs' BARs", pci.bar_room),
    Check("bus-room", "bus numbers for the VFs", pci.bus_room),
    Check("ari", "ARI", pci.ari),
    Check("vfs-made", "as many VFs as were asked for", pci.vfs_made),
    Check("pf-file", "PFs are as the node's file says", pci.pf_file),
    Check("autoprobe", "drivers for new VFs", pci.autoprobe),
    Check("vf-driver", "VFs have a driver", pci.vf_driver),
    Check("vf-module", "this kernel has the VFs' driver", pci.vf_module),
    Check("vf-link", "VFs have a link", pci.vf_link),
    Check("pf-up", "PFs are up", links.pf_up),
    Check("pf-carrier", "PFs have a carrier", links.pf_carrier),
    Check("pf-mtu", "MTU of PFs against those of networks", links.pf_mtu),
    Check("same-mac", "one MAC address, one VF", links.same_mac),
    Check("representor", "VFs have a representor", links.representor),
    Check("representor-bridge", "representors are in a bridge", links.representor_bridge),
    Check("uplink-bridge", "uplinks are in their representors' bridge", links.uplink_bridge),
    Check("bridge", "networks' bridges are there", links.bridge),
    Check("bridge-vlans", "bridges look at VLANs", links.bridge_vlans),
    Check("dead", "devices of dead pods", records.dead),
    Check("stray", "VFs allocated and not attached", records.strays),
    Check("foreign", "VFs in namespaces that nobody recorded", records.foreign),
    Check("record-damaged", "records can be read", records.damaged),
    Check("record-gone", "recorded VFs are there", records.gone),
    Check("state-writable", "records can be written", records.writable),
    Check("state-room", "room for records", records.room),
    Check("state-lasting", "records last", records.lasting),
    Check("clock", "the clock", records.clock),
    Check("boot-id", "the boot's identity", records.boot_id),
    Check("device-plugin", "the kubelet knows the VFs", records.device_plugin),
    Check("network-config", "network configurations make sense", configuration.networks),
    Check("network-member", "members of network configurations are known", configuration.unknown_members),
    Check("network-plugin", "networks' plugins are installed", configuration.plugin_there),
    Check("manager", "nobody else manages the PFs", configuration.manager),
    Check("kernel", "the kernel's version", installation.kernel),
    Check("modules", "the kernel's modules", installation.modules),
    Check("udev", "udev", installation.udev),
    Check("plugin-folder", "plugins are where the runtime looks", installation.folder),
    Check("plugin-executable", "plugins are executable", installation.executable),
    Check("plugin-noexec", "plugins may be executed where they are", installation.noexec),
    Check("plugin-architecture", "plugins are for this processor", installation.architecture),
    Check("plugin-version", "plugins are of one version", installation.version),
)


NOTHING = skipped("", "nothing here that it is about")


def examine(facts: Facts) -> list[Finding]:
    """Return what all checks find, in the order of the table."""
    return [replace(finding, id=check.id) for check in CHECKS for finding in [*check.run(facts)] or [NOTHING]]


def troubles(node: Node, roots: Roots | None = None) -> list[Finding]:
    """Return what somebody should know of a node that was looked at: failures first, then warnings."""
    found = examine(gather(node, roots))
    return [x for level in (Level.FAIL, Level.WARN) for x in found if x.level is level]
