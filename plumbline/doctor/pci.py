"""Can the hardware have the VFs? Firmware, IOMMU, room on the buses, and whether the VFs got their drivers."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.doctor.facts import Facts
from plumbline.doctor.finding import Finding, failure, good, listed, skipped, warning
from plumbline.node.model import Pf, State, Vf
from plumbline.node.nics import Nic
from plumbline.node.room import FOR_ADDRESSES, FOR_BUSES

MELLANOX, INTEL, BROADCOM = "15b3", "8086", "14e4"
IN_FIRMWARE = {
    MELLANOX: "mlxconfig -d {address} set SRIOV_EN=1 NUM_OF_VFS=8, then a cold boot",
    INTEL: "switch SR-IOV on for this slot in the BIOS and, where the card has one, in its own setup; then boot",
    BROADCOM: "bnxtnvm -dev={name} setoption=enable_sriov:0#1, then a cold boot",
}
ANYWHERE = "switch SR-IOV on in the BIOS and in the NIC's own setup, then boot"
VFIO = "vfio-pci"


def firmware(facts: Facts) -> Iterator[Finding]:
    """A NIC with the capability whose firmware gives it no VFs has no sriov_totalvfs (drivers/pci/iov.c, sriov_init),
    or one that is 0. That of a ConnectX hides the capability, too.
    """
    found = False
    for nic in facts.nics:
        capability = nic.room.capability
        remedy = IN_FIRMWARE.get(nic.vendor, ANYWHERE).format(address=nic.address, name=nic.name)
        if nic.possible:
            yield good(nic.name, f"{nic.possible} VFs possible")
        elif nic.possible == 0:
            yield failure(nic.name, "sriov_totalvfs is 0", remedy)
        elif capability is not None and capability.total == 0:
            yield failure(nic.name, "SR-IOV capability with 0 VFs", remedy)
        elif capability is not None:
            yield failure(
                nic.name,
                f"SR-IOV capability with {capability.total} VFs, and no sriov_totalvfs",
                f"the kernel refused it: `dmesg | grep {nic.address}` says why (CONFIG_PCI_IOV, SR-IOV in the BIOS)",
            )
        elif nic.vendor == MELLANOX:
            yield warning(nic.name, "no SR-IOV capability", f"if this NIC has SR-IOV: {remedy}")
        else:
            continue
        found = True
    if not found:
        yield skipped("", "no NIC on the PCI bus has SR-IOV")


def iommu(facts: Facts) -> Iterator[Finding]:
    """Without an IOMMU no program can have a VF through vfio; VFs with a kernel driver work."""
    remedy = "VT-d or AMD-Vi on in the BIOS; for Intel also intel_iommu=on iommu=pt on the kernel's command line"
    by_program = [vf.name for vf in facts.node.vfs if vf.driver == VFIO]
    if facts.system.iommus:
        yield good("", f"on: {listed(facts.system.iommus, 3)}")
    elif by_program:
        yield failure("", f"off, and {listed(by_program)} bound to {VFIO}", remedy)
    elif any(nic.possible for nic in facts.nics):
        yield warning("", "off", f"{remedy}; needed for {VFIO} only")
    else:
        yield skipped("", "no NIC here has VFs")


def bar_room(facts: Facts) -> Iterator[Finding]:
    """The BARs of all possible VFs have to have an address, or the kernel makes no VF at all: ENOMEM, "not enough MMIO
    resources for SR-IOV" (drivers/pci/iov.c, sriov_enable).
    """
    for nic in _physical(facts):
        lacking = [bar.number for bar in nic.room.lacking]
        if lacking:
            yield failure(nic.name, f"no address for VF BAR {listed(lacking)}", FOR_ADDRESSES)
        elif nic.room.bars:
            yield good(nic.name, f"{_bytes(nic.room.size)} for {nic.possible} VFs")
        else:
            yield skipped(nic.name, "neither sysfs nor the NIC tells of VF BARs", "run it as root")


def bus_room(facts: Facts) -> Iterator[Finding]:
    """VFs whose bus number the bridge above does not pass on cannot be made: EINVAL or ENOMEM (drivers/pci/iov.c,
    virtfn_add_bus and sriov_enable).
    """
    for nic in _physical(facts):
        room, possible = nic.room, nic.possible or 0
        if room.offset is None or (room.offset == 0 and not nic.made):
            yield skipped(nic.name, "the NIC tells where VFs will be once it has some")
            continue
        last, through, fitting = room.bus_of(possible - 1), room.bridge or "the root bus", room.fitting(possible)
        measured = f"the last of {possible} VFs is on bus {last:02x}, {through} passes on up to {room.last_bus:02x}"
        if last <= room.last_bus:
            yield good(nic.name, measured)
        elif fitting:
            yield warning(nic.name, f"{measured}: {fitting} VFs fit", f"ask for {fitting} at most; {FOR_BUSES}")
        else:
            yield failure(nic.name, f"{measured}: {fitting} VFs fit", FOR_BUSES)


def ari(facts: Facts) -> Iterator[Finding]:
    """With ARI, a bus has room for 256 functions of a NIC; without, each eight take a device number, or a bus of their
    own (PCI Express Base Specification, "ARI"). Of several PFs on a bus, the first one has the switch for all
    (drivers/pci/iov.c, sriov_init).
    """
    for nic in _physical(facts):
        if nic.room.capability is None:
            yield skipped(nic.name, "its configuration space cannot be read", "run it as root")
        elif any(_has_ari(x) and x.room.bus == nic.room.bus for x in facts.nics):
            yield good(nic.name, "on")
        elif nic.room.offset and nic.room.fitting(nic.possible or 0) == nic.possible:
            yield good(nic.name, "off, and all VFs have room without")
        else:
            yield warning(nic.name, "off", "ARI (or SR-IOV) support on in the BIOS, for the port above the NIC")


def vfs_made(facts: Facts) -> Iterator[Finding]:
    """The kernel takes a number for made whose VFs it could not all add."""
    for nic in _physical(facts):
        if nic.asked is not None and nic.asked != nic.made:
            yield failure(
                nic.name,
                f"{nic.made} VFs of {nic.asked} that sriov_numvfs says",
                f"`dmesg | grep {nic.address}`; then `plumbline setup {nic.name} --vfs {nic.asked}`",
            )
        elif nic.made:
            yield good(nic.name, f"{nic.made} VFs")
        else:
            yield skipped(nic.name, "no VFs were made", f"plumbline setup {nic.name} --vfs N")


def pf_file(facts: Facts) -> Iterator[Finding]:
    """The node's file says how many VFs a PF is to have, and in which mode: more VFs do no harm, fewer do."""
    path = facts.pf_file.path
    if facts.pf_file.error:
        yield failure(path, f"cannot be used: {facts.pf_file.error}", "put it right by hand, or remove it")
    for wish in facts.pf_file.pfs:
        pf = next((x for x in facts.node.pfs if (x.bus, x.address) == (wish.bus, wish.address)), None)
        if pf is None:
            remedy = f"is the card in, behind this address? else plumbline forget {wish.address}"
            yield failure(wish.address, f"no such PF, and {path} has it", remedy)
        elif len(pf.vfs) < wish.vfs:
            yield failure(pf.name, f"{len(pf.vfs)} VFs, {path} says {wish.vfs}", "plumbline apply")
        elif wish.mode not in ("", pf.eswitch):
            yield failure(pf.name, f"mode {pf.eswitch}, {path} says {wish.mode}", "plumbline apply")
        else:
            yield good(pf.name, f"as {path} says")


def autoprobe(facts: Facts) -> Iterator[Finding]:
    """With sriov_drivers_autoprobe 0, new VFs get no driver, and so no link."""
    for pf in facts.node.pfs:
        if pf.autoprobe is False:
            remedy = f"echo 1 > /sys/bus/pci/devices/{pf.address}/sriov_drivers_autoprobe, before VFs are made"
            yield warning(pf.name, "off", remedy)
        elif pf.autoprobe:
            yield good(pf.name, "on")


def vf_driver(facts: Facts) -> Iterator[Finding]:
    """A VF without a driver has no link, and no program can open it."""
    for pf in facts.node.pfs:
        unbound = [vf for vf in pf.vfs if vf.state is State.UNBOUND]
        if unbound:
            modules = sorted({facts.drivers.get(vf.address or "", "") for vf in unbound} - {""})
            how = f"modprobe {' '.join(modules)}; " if modules else ""
            remedy = f"{how}plumbline bind {pf.name}:{unbound[0].index} DRIVER"
            yield warning(pf.name, f"{_of(unbound, pf)} without a driver", remedy)
        elif pf.vfs:
            yield good(pf.name, listed(sorted({vf.driver for vf in pf.vfs})))


def vf_module(facts: Facts) -> Iterator[Finding]:
    """The kernel in use may have been built, or packaged, without the VFs' driver (modules.alias, depmod(8))."""
    if not facts.drivers:
        yield skipped("", "no VF is without a driver")
        return
    without = sorted(address for address, module in facts.drivers.items() if not module)
    if without:
        remedy = f"install linux-modules-extra, or kernel-modules, of kernel {facts.system.release}"
        yield failure("", f"no module of this kernel is for {listed(without)}", remedy)
    else:
        yield good("", listed(sorted(set(facts.drivers.values()))))


def vf_link(facts: Facts) -> Iterator[Finding]:
    """A VF whose driver has started, and failed to make a link: mlx5 after a change of the mode, a PF that was down."""
    for pf in facts.node.pfs:
        nic = facts.nic(pf)
        lacking = [vf for vf in pf.vfs if nic is not None and vf.index in nic.linkless]
        if lacking:
            first = lacking[0]
            remedy = f"`dmesg | grep {first.name}`; plumbline bind {pf.name}:{first.index} {first.driver} once more"
            yield failure(pf.name, f"{_of(lacking, pf)} with a driver and without a link", remedy)
        elif nic is not None and pf.vfs:
            yield good(pf.name, "every VF that should have a link has one")


def _physical(facts: Facts) -> list[Nic]:
    return [nic for nic in facts.nics if nic.possible]


def _has_ari(nic: Nic) -> bool:
    return nic.room.capability is not None and nic.room.capability.ari


def _of(vfs: list[Vf], pf: Pf) -> str:
    """Return which VFs of a PF, and of how many."""
    return f"{len(vfs)} of {len(pf.vfs)} VFs (index {listed([vf.index for vf in vfs], 8)})"


def _bytes(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
