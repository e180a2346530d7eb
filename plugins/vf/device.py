"""A VF as the engine attaches and verifies it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cni.attach import waiting
from cni.attach.attachment import Attachment, Owner
from cni.attach.call import Call
from cni.attach.ifconfig import PodLink
from cni.attach.plugin import Device
from cni.attach.step import Step, trying
from cni.attach.waiting import PATIENCE_S
from cni.linux import pci
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, TRY_AGAIN_LATER, CniError, invalid_config
from cni.protocol.request import Request
from cni.protocol.result import Interface, Result
from plugins.vf import fixed_mac, mac, plan, vf
from plugins.vf.attachment import Beside, VfAttachment
from plugins.vf.config import VfConfig
from plugins.vf.ownership import Ownership, taken
from plugins.vf.pf import NO_MAC, Entry
from plugins.vf.plan import Setting
from plugins.vf.vf import Vf


class VfDevice(Device):
    """One VF. wanted: what is asked for. vf: as sysfs shows it, after `find`.

    optional: settings (attributes of `plan`) that are left out where the PF's driver does not know them.
    """

    __slots__ = ("_entry", "plugin", "vf", "wanted")

    vf: Vf
    optional: frozenset[str] = frozenset()

    def __init__(self, wanted: VfConfig, plugin: Ownership) -> None:
        self.wanted = wanted
        self.plugin = plugin
        self._entry: Entry | None = None

    def describe(self) -> str:
        return f'deviceID "{self.wanted.address}"'

    def find(self) -> None:
        self.vf = vf.find(self.wanted.address, self.plugin.sysfs_root)

    @property
    def has_link(self) -> bool:
        return not self.vf.is_userspace

    @property
    def folder(self) -> str:
        return self.vf.path

    def refuse(self) -> None:
        """What only a PF can set, where none is to be seen."""
        needing = "" if self.vf.pf else ", ".join(setting.describe() for setting in plan.needs_pf(self.wanted))
        if needing:
            raise invalid_config(
                f"cannot set {needing} on {self.wanted.address}: its physical function is not visible here",
                "in a virtual machine only the hypervisor can; the VF can be attached without; nothing was changed",
            )

    def before_sweep(self, call: Call) -> None:
        if self.wanted.mac and self.vf.pf:
            fixed_mac.await_dead(self.wanted.mac, self.vf, call, self.plugin.sysfs_root)

    def after_sweep(self, call: Call) -> None:
        if self.wanted.mac and self.vf.pf:
            fixed_mac.take(self.wanted.mac, self.vf, call, self.plugin)

    def key(self, call: Call) -> str:
        return self.wanted.address

    def left_behind(self, call: Call) -> Iterator[Attachment]:
        return self.plugin.left_behind(self.wanted.address, call)

    def not_back(self, attachment: Attachment) -> CniError:
        owner = attachment.owner.describe()
        return taken(self.wanted.address, f"it has not come back from the pod of {owner} yet")

    def link(self, call: Call) -> Link | None:
        """A program or its vDPA device may drive the VF. A link that is nowhere may be on its way back
        from the pod that had it before.
        """
        original = self._link(call.host)
        self._entry = self._entry_at_pf(call)
        return original

    def _link(self, host: NetNS) -> Link | None:
        found_vf = self.vf
        if found_vf.is_userspace:
            return None
        found, driver = vf.on_host(found_vf, host), pci.driver(found_vf.path)
        vdpa = found_vf.vdpa
        if found is None and vdpa is not None and vdpa.driver == "vhost" and not pci.has_netdev(found_vf.path):
            return None
        if found is None and driver:
            found = waiting.for_link(lambda: vf.on_host(found_vf, host), PATIENCE_S)
        if found is not None:
            return found
        if not driver:
            raise invalid_config(
                f'deviceID: "{found_vf.address}" is not allowed; the VF is bound to no driver',
                f"see {found_vf.path}/driver",
            )
        raise CniError(
            TRY_AGAIN_LATER,
            f"VF {found_vf.address} has no link on the host, though it is bound to {driver}",
            "its link may be in a pod that is going away, or that nobody knows of; nothing was changed",
        )

    def _entry_at_pf(self, call: Call) -> Entry | None:
        """Return the VF's entry at its PF, None where no PF is to be seen. Raises CniError."""
        if not self.vf.pf:
            return None
        pf = vf.pf_link(self.vf, call.host)
        if not pf.up:
            call.log.warning(f"{self.vf.pf}, the PF of {self.vf.address}, is down: most VFs have no carrier then")
        return Entry(call.host, pf.name, pf.index, self.vf.address, self.vf.index)

    def attachment(self, owner: Owner, original: Link | None, call: Call) -> VfAttachment:
        entry = self._entry.read() if self._entry is not None else None
        made = VfAttachment(owner, original, self.wanted, self.vf.pf, self.vf.index, entry)
        made.beside = self.beside(original, call)
        return made

    def beside(self, original: Link | None, call: Call) -> Beside | None:
        """Return what is to be connected besides the VF, as it is now. original: the VF's link, None without one.

        Raises CniError when it cannot be connected.
        """
        return None

    def interface(self, attachment: Attachment, request: Request) -> Interface:
        """A VF that a program drives has the address that its PF holds for it."""
        assert isinstance(attachment, VfAttachment)
        table = attachment.table
        admin = table.mac if table is not None and table.mac != NO_MAC else ""
        return Interface(request.ifname, self.wanted.mac or admin, 0, request.netns, pci_id=self.wanted.address)

    def connecting(self, attachment: Attachment, call: Call) -> list[Step]:
        assert isinstance(attachment, VfAttachment)
        beside = attachment.beside
        return [] if beside is None else [Step(beside.describe(), lambda: beside.connect(call.host, call.log))]

    def configuring(self, attachment: Attachment, call: Call, note: Callable[[Attachment], None]) -> list[Step]:
        """What the driver does not know, and need not, is not asked for any more after that."""
        assert isinstance(attachment, VfAttachment)
        entry = self._entry
        if entry is None:
            return []

        def step(setting: Setting) -> Step:
            def make() -> None:
                if not entry.make(setting, setting.attribute in self.optional):
                    call.log.warning(f"{entry.pf} does not support {setting.attribute}: VF {entry.index} goes without")
                    # It cannot be had, and is one of the switches.
                    setattr(attachment.wanted, setting.attribute, None)
                    note(attachment)

            return Step(f"set {setting.describe()} on VF {entry.index} of {entry.pf}", make)

        return [step(setting) for setting in plan.to_make(attachment.wanted, attachment.table)]

    def configuring_in_pod(self, attachment: Attachment, inside: PodLink) -> list[Step]:
        """The VF's own address, then its MTU."""
        assert isinstance(attachment, VfAttachment)
        wanted, table, steps = self.wanted, attachment.table, []
        if wanted.mac:
            does = f"give {inside.name} the MAC address {wanted.mac}"
            steps.append(Step(does, lambda: mac.set_effective(inside.netns, inside.index, wanted.mac)))
        elif table is not None and table.mac == NO_MAC and pci.driver(self.vf.path) in mac.REPORTING_WHEN_RESET:
            steps.append(Step(f"reset {inside.name}", lambda: mac.reset(inside.netns, inside.index)))
        if wanted.mtu is not None:
            steps.append(Step(f"give {inside.name} the MTU {wanted.mtu}", lambda: self._set_mtu(attachment, inside)))
        return steps

    def _set_mtu(self, attachment: Attachment, inside: PodLink) -> None:
        with trying(f"set MTU {self.wanted.mtu} on {attachment.name} ({self.wanted.address})"):
            link.change(inside.netns.netlink, inside.index, mtu=self.wanted.mtu)

    def bring_up(self, attachment: Attachment, inside: PodLink, interface: Interface) -> None:
        """Some VFs get their address only when they come up."""
        with trying(f"bring up {attachment.name} as {inside.name} in {inside.netns.path}"):
            link.change(inside.netns.netlink, inside.index, up=True)
            now = link.get(inside.netns.netlink, index=inside.index)
        if now is None:
            raise CniError(GENERIC, f"{inside.name} has vanished from {inside.netns.path} during ADD")
        if self.wanted.mac and now.mac != self.wanted.mac:
            raise CniError(
                GENERIC,
                f"{attachment.name} has MAC address {now.mac} when it is up, and {self.wanted.mac} was asked for",
            )
        interface.mac, interface.mtu = now.mac, now.mtu

    def verify_link(self, found: Link, expected: Interface, pod: NetNS, call: Call) -> None:
        wanted = self.wanted.address
        if found.parent and found.parent not in vf.parents(wanted, self.plugin.sysfs_root):
            raise CniError(GENERIC, f"{expected.name} in {pod.path} is {found.parent}, the network gave {wanted}")

    def verify(self, call: Call, attachment: Attachment | None) -> None:
        """What was asked for is compared with the VF's entry in the table of its PF."""
        if self.vf.pf:
            self._verify_settings(call)
        if isinstance(attachment, VfAttachment) and attachment.beside is not None:
            attachment.beside.verify(call.host)

    def _verify_settings(self, call: Call) -> None:
        found = self.vf
        pf = vf.pf_link(found, call.host)
        current = Entry(call.host, pf.name, pf.index, found.address, found.index).read()
        # A trusted VF chooses its own address, which the table has then. A plugin later in the chain, such as tuning,
        # says in the result which one it chose, and the link in the pod was compared with that.
        later = (call.conf.prev_result or Result()).in_pod(call.request.ifname)
        chosen = Setting(plan.MAC, later.mac.lower() if later is not None else "")
        for setting in plan.asked(self.wanted, current):
            now = plan.value_of(setting.attribute, current)
            if now is not None and now not in (setting, chosen):
                raise CniError(
                    GENERIC,
                    f"VF {found.index} ({found.address}) of {found.pf} has {now.describe()}, ADD set "
                    f"{setting.describe()}",
                )

    def status(self, call: Call) -> None:
        self.find()
        if self.vf.pf:
            vf.pf_link(self.vf, call.host)
