"""Do those who configure this node agree, and make sense?"""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.doctor.facts import Facts
from plumbline.doctor.finding import Finding, failure, good, listed, skipped, warning
from plumbline.node.claims import NETPLAN, NETWORK_MANAGER, OPERATOR, SYSTEMD, names_of
from plumbline.node.runtime import BINARIES

MANAGERS = {
    OPERATOR: "change the number of VFs in its SriovNetworkNodePolicy, not here",
    NETPLAN: "take `virtual-function-count` out of the file, and leave VFs to one manager",
    NETWORK_MANAGER: "nmcli connection modify NAME remove sriov, and leave VFs to one manager",
    SYSTEMD: "take SR-IOV out of the file, and leave VFs to one manager",
}


def networks(facts: Facts) -> Iterator[Finding]:
    """A file that a plugin refuses costs each pod of that network its start."""
    errors = [fault for fault in facts.faults if fault.is_error]
    for fault in errors:
        place = f"{fault.path}:{fault.line}" if fault.line else fault.path
        yield failure(place, fault.message, f"plumbline lint {fault.path}")
    if errors:
        return
    if facts.checked_files:
        yield good("", f"{facts.checked_files} files in {facts.folders.configurations}, read by the plugins' parsers")
    else:
        yield skipped("", f"no configuration in {facts.folders.configurations}", "plumbline lint FILE reads others")


def unknown_members(facts: Facts) -> Iterator[Finding]:
    """A misspelt member has no effect, and nobody says so."""
    found = [fault for fault in facts.faults if not fault.is_error]
    for fault in found:
        yield warning(f"{fault.path}:{fault.line}", fault.message, f"plumbline lint {fault.path}")
    if facts.checked_files and not found:
        yield good("", "every member has an effect")


def manager(facts: Facts) -> Iterator[Finding]:
    """Two who manage a PF undo each other's work; netplan writes 0 into sriov_numvfs, and pods lose their VFs."""
    for pf in facts.node.pfs:
        found = [claim for claim in facts.claims if claim.covers(names_of(pf))]
        for claim in found:
            yield warning(pf.name, f"{claim.manager} claims it in {claim.path}", MANAGERS[claim.manager])
        if not found:
            yield good(pf.name, "nobody else claims it")


def plugin_there(facts: Facts) -> Iterator[Finding]:
    """A network whose plugin is not in the runtime's folder starts no pod."""
    there = {binary.name for binary in facts.binaries if binary.folder in facts.folders.binaries}
    asked = facts.of_type("sriov", "accelerated-bridge", "host-device")
    for network in asked:
        if network["type"] not in there:
            yield failure(
                f"network {network.get('name')}",
                f"{network['type']} is not in {listed(facts.folders.binaries or (BINARIES,))}",
                f"plumbline install --only {network['type']}",
            )
    if asked and all(network["type"] in there for network in asked):
        yield good("", f"{len(asked)} networks, each has its plugin")
