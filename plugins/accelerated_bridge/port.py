"""The representor of a VF as a port of a bridge: connected for ADD, for DEL what it was before, verified for CHECK."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cni.attach import restore
from cni.attach.step import attempt, trying
from cni.linux import boot, eswitch, pci
from cni.linux.log import Logger
from cni.linux.netlink import bridge, link
from cni.linux.netlink.bridge import Port
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError
from plugins.accelerated_bridge import uplink
from plugins.accelerated_bridge.uplink import listed
from plugins.vf.attachment import Beside, VfAttachment


@dataclass(slots=True, eq=False)
class RepresentorPort(Beside):
    """original: the representor as it was, with the name of the bridge that it was in, `master`, and its VLANs there,
    `original_vlans`. bridge, bridge_index: of the bridge it goes to. vlans: what it gets there, as in
    `netlink.bridge.Port`; empty for what the bridge gives every port. exact: whether it is in no others then. mtu:
    what it gets, in bytes, 0 for what it has. pf: the name of the PF's link. uplink, uplink_index: of the port that
    gets the VLANs, too, empty when none does; uplink_vlans: those of them that are not the administrator's.
    state_folder: where the lock for that is. vf, vf_index: the VF's PCI address, and its index at the PF, by which
    representor and uplink are found where only a name is known, which they may not have any more.
    """

    original: Link
    bridge: str
    vlans: dict[int, int]
    mtu: int
    pf: str
    state_folder: str
    sysfs_root: str = pci.ROOT
    master: str = ""
    original_vlans: dict[int, int] = field(default_factory=dict)
    bridge_index: int = 0
    exact: bool = True
    uplink: str = ""
    uplink_index: int = 0
    uplink_vlans: list[int] = field(default_factory=list)
    vf: str = ""
    vf_index: int = -1

    def describe(self) -> str:
        return f"make representor {self.original.name} a port of bridge {self.bridge}"

    def connect(self, host: NetNS, log: Logger) -> None:
        """The caller holds the lock for uplinks' VLANs if there are any."""
        # By what was recorded of them: udev may have given their names to others since.
        rep = link.get(host.netlink, index=self.original.index, known_as=self.original.name)
        into = link.get(host.netlink, index=self.bridge_index, known_as=self.bridge)
        if rep is None or into is None:
            missing = self.original.name if rep is None else self.bridge
            raise CniError(GENERIC, f"{missing} has vanished from the host during ADD")
        name = rep.name
        port = {"mtu": self.mtu or rep.mtu, "master": into.index}
        self._change(host, rep, port, f"make representor {name} a port of bridge {self.bridge}")
        # A port that is new gets the bridge's default by itself.
        wanted = self.vlans or (self._default(into) if rep.master == into.index else None)
        if wanted is not None:
            self._set_vlans(host, rep.index, wanted, self.bridge)
        self._change(host, rep, {"up": True}, f"bring up representor {name}")
        if self.uplink:
            found = self.uplink_link(host)
            if found is None:
                raise CniError(GENERIC, f"the uplink {self.uplink} has vanished from the host during ADD")
            uplink.add(found, sorted(self.vlans), host)
        log.debug(f"representor {name} is a port of {self.bridge} now")

    def _default(self, into: Link) -> dict[int, int] | None:
        """Return the VLANs that a bridge gives every port: one that was in the bridge before may have others. A bridge
        whose default is 0 gives none; None is for one that does not tell.
        """
        pvid = pci.attribute(self.sysfs_root, "class/net", into.name, "bridge", "default_pvid")
        if not pvid.isdecimal():
            return None
        return {int(pvid): bridge.PVID | bridge.UNTAGGED} if int(pvid) else {}

    def _change(self, host: NetNS, rep: Link, wanted: dict[str, Any], attempted: str) -> None:
        """Make those changes that are needed. wanted: keyword arguments of `link.change`, called as in `Link`."""
        changes = {field: value for field, value in wanted.items() if getattr(rep, field) != value}
        if changes:
            with trying(attempted + (f" with MTU {self.mtu}" if "mtu" in changes else "")):
                link.change(host.netlink, rep.index, **changes)

    def _set_vlans(self, host: NetNS, index: int, vlans: dict[int, int], where: str) -> None:
        """Have the port take part in these VLANs and no others. where: the name of its bridge.

        Raises CniError, and RequestError where the kernel does not tell in which it is.
        """
        present = bridge.ports(host.netlink).get(index, Port(index)).vlans
        with trying(f"set VLANs {listed(vlans) or '(none)'} on representor {self.original.name} in {where}"):
            # First those to come: a port never is without the VLAN that both have.
            missing = {vlan: flags for vlan, flags in vlans.items() if present.get(vlan) != flags}
            if missing:
                bridge.add_vlans(host.netlink, index, missing)
            extra = [vlan for vlan in present if vlan not in vlans]
            if extra:
                bridge.delete_vlans(host.netlink, index, extra)

    def disconnect(
        self, host: NetNS, others: Callable[[], list[VfAttachment]], errors: list[CniError], log: Logger
    ) -> None:
        """Takes the lock for uplinks' VLANs if there are any to give back."""
        rep = self._find(host)
        if rep is None:
            log.info(f"representor {self.original.name} is gone: nothing to take out of {self.bridge}")
        else:
            current = self._master(host, rep)
            if self._elsewhere(current) is None:
                attempt(errors, self._change, host, rep, {"up": False}, f"take down representor {rep.name}")
            if current is not None and self._is_ours(current):
                attempt(errors, self._change, host, rep, {"master": 0}, f"take {rep.name} out of {current.name}")
        self.release(host, others, log)

    def release(self, host: NetNS, others: Callable[[], list[VfAttachment]], log: Logger) -> None:
        """The uplink's VLANs."""
        if self.uplink_vlans:
            with uplink.lock(self.state_folder):
                self._release_uplink(host, others(), log)

    def _release_uplink(self, host: NetNS, attachments: list[VfAttachment], log: Logger) -> None:
        port = self.uplink_link(host)
        if port is None:
            log.info(f"uplink {self.uplink or 'of ' + self.pf} is gone: it has no VLANs to give back")
            return
        if self.uplink_index not in (0, port.index):
            log.info(f"uplink {self.uplink} was made anew: it has lost the VLANs that it had")
            return
        recorded = recorded_ports(attachments)
        by_name: dict[str, list[RepresentorPort]] | None = None
        joined: dict[str, int] = {}

        def needed_by(representor: Link) -> set[int] | None:
            nonlocal by_name
            known = [x for x in recorded if _has_index(x, representor)]
            if not known:
                if by_name is None:  # looked up once: the kernel takes a lock to tell a representor
                    by_name = {}
                    for x in recorded:
                        if not x.original.index:
                            by_name.setdefault(x.name_now(), []).append(x)
                known = by_name.get(representor.name, [])
            if known:  # several know it where a dead pod has left its record
                return {vlan for x in known for vlan in x.needed_on(port, host, joined)}
            is_physical = pci.folder_of_netdev(representor.name, self.sysfs_root)
            return set() if is_physical and not eswitch.is_representor(representor.port) else None

        uplink.remove(port, self.uplink_vlans, self.bridge_index, needed_by, host, log)

    def needed_on(self, port: Link, host: NetNS, joined: dict[str, int]) -> set[int]:
        """Return the VLANs that the pod needs on an uplink: all of its own if it asked for them there, whoever has
        brought them. The PF may have come to that uplink since, as to a bond.

        joined: the index of each PF's uplink, as far as looked up: many VFs have the same one.
        """
        if not self.uplink and not self.uplink_vlans:
            return set()
        if self.uplink_index != port.index:
            pf = self._pf_folder() or self.pf
            if pf not in joined:
                found = self._joined(host)
                joined[pf] = found.index if found is not None else 0
            if joined[pf] != port.index:
                return set()
        return set(self.vlans)

    def uplink_link(self, host: NetNS) -> Link | None:
        """Return the uplink: it may have another name by now, and another link its own; or it was made anew. One that
        accelerated-bridge-cni has not noted is looked for by the PF.
        """
        if not self.uplink:
            return self._joined(host)
        index = self.uplink_index
        found = link.get(host.netlink, index=index, known_as=self.uplink) if index else None
        return found if found is not None else link.get(host.netlink, name=self.uplink)

    def _joined(self, host: NetNS) -> Link | None:
        """Return the port by which the VF's PF, which may have got another name since, is in a bridge."""
        folder = self._pf_folder()
        name = (eswitch.uplink(folder) if folder else "") or self.pf
        pf = link.get(host.netlink, name=name) if name else None
        found = uplink.find(pf, host) if pf is not None else None
        return found[0] if found is not None else None

    def _pf_folder(self) -> str:
        """Return the folder of the VF's PF in sysfs, empty when it is not to be seen."""
        return pci.physical_function(pci.folder(self.vf, self.sysfs_root)) if self.vf else ""

    def is_uplink(self, port: Link, host: NetNS) -> bool:
        """Return whether a link is the uplink. Of many records, only accelerated-bridge-cni's cost a question each."""
        if self.uplink_index:
            return self.uplink_index == port.index
        found = self.uplink_link(host)
        return found is not None and found.index == port.index

    def _find(self, host: NetNS) -> Link | None:
        """Return the representor as it is, which may have got another name, and another link may have its name."""
        # With the name may be a new one, made when the switch had been in legacy mode.
        for name, index in (("", self.original.index), (self.name_now(), 0)):
            known_as = self.original.name
            found = link.get(host.netlink, name=name, index=index, known_as=known_as) if name or index else None
            if found is not None and self._may_be(found):
                return found
        return None

    def _may_be(self, found: Link) -> bool:
        """Return whether a link can be the representor, by its port, as far as that was noted."""
        if self.original.port:
            return found.port == self.original.port
        return self.vf_index < 0 or not is_another_vfs(found, self.vf_index)

    def name_now(self) -> str:
        """Return the representor's name. Where that is all that was noted, it may have got another since: the VF tells,
        as long as its PF is to be seen; empty when there is none any more.
        """
        pf = self._pf_folder() if not self.original.index else ""
        index = pci.vf_index(pf, self.vf) if pf else -1
        return eswitch.representor(pf, index, self.sysfs_root) if index >= 0 else self.original.name

    def _master(self, host: NetNS, rep: Link) -> Link | None:
        return link.get(host.netlink, index=rep.master) if rep.master else None

    def _elsewhere(self, current: Link | None) -> Link | None:
        """Return the link that somebody has made the representor a port of since ADD, None when nobody has."""
        return current if current is not None and not self._is_ours(current) and current.name != self.master else None

    def restore(self, host: NetNS, errors: list[CniError], log: Logger) -> None:
        """Where somebody has put the representor elsewhere since, it stays a port there."""
        rep = self._find(host)
        if rep is None:
            return
        current = self._master(host, rep)
        elsewhere = self._elsewhere(current)
        if elsewhere is not None:
            log.info(f"representor {rep.name} is a port of {elsewhere.name} by now, and stays one")
        elif self.master:
            attempt(errors, self._rejoin, host, rep, log)
        known = {"mtu": self.original.mtu or rep.mtu, "up": self.original.up if elsewhere is None else rep.up}
        attempt(errors, restore.change, host, rep, known, log)

    def _rejoin(self, host: NetNS, rep: Link, log: Logger) -> None:
        """Make the representor a port again of the bridge that it was in, with the VLANs that it had. A bridge that is
        gone is logged: it must not keep the VF from its next pod. Raises CniError for what the kernel refuses.
        """
        before = link.get(host.netlink, name=self.master)
        if before is not None and before.kind == "bridge":
            attempted = f"make representor {rep.name} a port of bridge {self.master} again"
            try:
                self._change(host, rep, {"master": before.index}, attempted)
                self._set_vlans(host, rep.index, self.original_vlans, self.master)
                return
            except CniError:
                if link.get(host.netlink, index=before.index) is not None:
                    raise
                before = None
        now = "there is no such link" if before is None else f"it is {before.kind or 'a physical link'}, not a bridge,"
        log.warning(f"representor {rep.name} is not in bridge {self.master} again, where it was before: {now} any more")

    def _is_ours(self, current: Link) -> bool:
        return current.name == self.bridge or current.index == self.bridge_index

    def verify(self, host: NetNS) -> None:
        rep = self._find(host)
        if rep is None:
            raise CniError(GENERIC, f"representor {self.original.name} is missing on the host")
        current = self._master(host, rep)
        if current is None or not self._is_ours(current):
            where = f"a port of {current.name}" if current is not None else "in no bridge"
            raise CniError(GENERIC, f"representor {rep.name} is {where}, ADD made it a port of {self.bridge}")
        if not rep.up:
            raise CniError(GENERIC, f"representor {rep.name} is down")
        if self.mtu and rep.mtu != self.mtu:
            raise CniError(GENERIC, f"representor {rep.name} has MTU {rep.mtu}, ADD set {self.mtu}")
        if not self.vlans:
            return
        ports = bridge.ports(host.netlink)
        present = ports.get(rep.index, Port(rep.index)).vlans
        missing = [vlan for vlan, flags in self.vlans.items() if present.get(vlan) != flags]
        extra = [vlan for vlan in present if vlan not in self.vlans]
        if missing or (extra and self.exact):
            found = f"is in VLANs {listed(present)}" if present else "is in no VLAN"
            raise CniError(GENERIC, f"representor {rep.name} {found}, ADD set {listed(self.vlans)}{self._native()}")
        if self.uplink:
            self._verify_uplink(ports, current, host)

    def _verify_uplink(self, ports: dict[int, Port], joined: Link, host: NetNS) -> None:
        """Raise CniError if the uplink is not in the bridge that the representor is in, or not in its VLANs there."""
        port = self.uplink_link(host)
        found = ports.get(port.index) if port is not None else None
        if found is None or found.master != joined.index:
            into = link.get(host.netlink, index=found.master) if found is not None else None
            where = f"a port of {into.name}" if into is not None else "in no bridge any more"
            raise CniError(GENERIC, f"uplink {self.uplink} is {where}, ADD found it in {self.bridge}")
        lost = [vlan for vlan in self.vlans if vlan not in found.vlans]
        if lost:
            raise CniError(GENERIC, f"uplink {self.uplink} is not in VLANs {listed(lost)}, which ADD set there")

    def _native(self) -> str:
        native = next((vlan for vlan, flags in self.vlans.items() if flags & bridge.PVID), 0)
        return f", {native} for what is untagged" if native else ""


def is_another_vfs(found: Link, index: int) -> bool:
    """Return whether a link says that it stands for another VF than the one with this index at its PF."""
    stands_for = eswitch.vf_of(found.port)
    return stands_for is not None and stands_for[2] != index


def _has_index(recorded: RepresentorPort, found: Link) -> bool:
    """Return whether a link is the recorded representor, by its index, which is given once in a boot."""
    return recorded.original.index == found.index and recorded.original.port in ("", found.port)


def recorded_ports(attachments: Iterable[VfAttachment]) -> list[RepresentorPort]:
    """Return the ports of recorded attachments, without those from before the machine's last boot, which reset them."""
    now = boot.current()
    return [x.beside for x in attachments if x.owner.boot_id in ("", now) and isinstance(x.beside, RepresentorPort)]


def brought_to(port: Link, ports: Iterable[RepresentorPort], host: NetNS) -> set[int]:
    """Return the VLANs that attachments, whose ports are given, have brought to an uplink in the bridge that it is in:
    a port that leaves a bridge leaves all VLANs behind.
    """
    brought = [other for other in ports if other.uplink_vlans and other.bridge_index in (0, port.master)]
    return {vlan for other in brought if other.is_uplink(port, host) for vlan in other.uplink_vlans}
