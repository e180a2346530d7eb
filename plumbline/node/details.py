"""Everything that is known of one device: what a look at the node gives of it, and what only this device is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TypeVar

from cni.attach.attachment import Attachment
from cni.attach.plugin import Plugin
from cni.protocol.errors import CniError
from plumbline.errors import Status, VerbError
from plumbline.node import devinfo, kubernetes, links, names, record, recorded, vfio
from plumbline.node.devinfo import DeviceInfo
from plumbline.node.look import look
from plumbline.node.model import IDLE, LinkState, Node, Owner, Pf, Source, Vf
from plumbline.node.record import Record
from plumbline.node.roots import Roots

T = TypeVar("T")


@dataclass(slots=True)
class Details:
    """A device. name: as it is called in messages. device: None for one that is no VF, nor PF, of this node but that
    has been attached to a pod. link: wherever it is. addresses: those of the link, with their prefix lengths, None
    without a link. owners: whose it is by each source that knows, the best first. records: of its attachments; more
    than one where dead pods have left theirs. unknown: as of a `Node`.
    """

    node: str
    name: str
    device: Pf | Vf | None
    link: LinkState | None = None
    addresses: list[str] | None = None
    owners: list[Owner] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    device_info: list[DeviceInfo] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def of(text: str, roots: Roots | None = None) -> Details:
    """Return all of the device that an operator calls so. roots: as for `look`.

    Raises VerbError (10) where there is no such device.
    """
    roots = roots or Roots()
    node = look(roots)
    return _Asking(node, roots).called(text, names.find_pf(node, text) or names.find_vf(node, text))


def in_use(node: Node, roots: Roots) -> Iterator[Details]:
    """Give all of each PF, of each VF that somebody has, and of each other device that one of the plugins has moved.

    node: as it was looked at.
    """
    asking = _Asking(node, roots)
    devices: list[Pf | Vf] = [*node.pfs, *(vf for vf in node.vfs if vf.state not in IDLE)]
    for device in devices:
        yield asking.called(device.name, device)
    for name, _ in node.others:
        with suppress(VerbError):  # its record has gone since
            yield asking.called(name, None)


class _Asking:
    """Asks each source of a node once, for however many devices."""

    def __init__(self, node: Node, roots: Roots) -> None:
        self._roots = roots
        self._node = node

    def called(self, text: str, device: Pf | Vf | None) -> Details:
        """Return all of a device. text: its name. device: None for one that is no PF, nor VF. Raises VerbError (10)."""
        if device is None:
            mine = [found for found in self._attachments if _is_called(found[1], text)]
            if not mine:
                raise _nothing(self._node, text)
            name, address = mine[0][1].name, recorded.address_of(mine[0][1])
        else:
            name, address = device.name, device.address or ""
            mine = [found for found in self._attachments if address and recorded.address_of(found[1]) == address]
        details = Details(self._node.name, name, device, unknown=self._node.unknown)
        details.records = [record.read(plugin, attachment) for plugin, attachment in mine]
        details.owners = self._owners(address, mine, device)
        details.link = device.link if device is not None else self._link(details.owners, name, address)
        if details.link is not None:
            link = details.link
            details.addresses = self._ask("addresses", lambda: links.addresses(link), None)
        if address:
            details.device_info = devinfo.of_device(address, self._roots)
        return details

    def _ask(self, what: str, source: Callable[[], T], otherwise: T) -> T:
        try:
            return source()
        except (OSError, CniError) as e:
            self._node.unknown.append(f"{what}: {e}")
            return otherwise

    @cached_property
    def _attachments(self) -> list[tuple[Plugin, Attachment]]:
        def read() -> list[tuple[Plugin, Attachment]]:
            return recorded.attachments(self._roots.sysfs)[0]  # what is said of damaged ones, the look has noted

        return self._ask("records", read, [])

    @cached_property
    def _beside_records(self) -> tuple[Mapping[str, Owner], ...]:
        """What others than the plugins' records say of whose a device is, by its address; the best source first."""
        names_of_pods = kubernetes.pod_names(self._roots)
        return (
            kubernetes.cached(self._roots),
            kubernetes.allocated(self._roots, names_of_pods),
            recorded.allocations(),
        )

    def _owners(self, address: str, mine: list[tuple[Plugin, Attachment]], device: Pf | Vf | None) -> list[Owner]:
        living = recorded.living()
        found = [recorded.owner(plugin, attachment, living) for plugin, attachment in mine]
        found.sort(key=lambda owner: owner.alive is False)
        for source in self._beside_records:
            found += [owner for where, owner in source.items() if address and where == address]
        if isinstance(device, Vf):
            found += vfio.holders(vfio.nodes(device, self._roots.sysfs), self._roots).values()
        return found

    def _link(self, owners: list[Owner], name: str, address: str) -> LinkState | None:
        """Return the link of a device that is neither PF nor VF: in its pod, or back on the host."""
        for owner in owners:
            if owner.source is Source.RECORD and owner.netns and owner.alive is not False:
                inside: list[LinkState] = self._ask("the pod's links", partial(links.of_namespace, owner.netns), [])
                for link in inside:
                    if link.parent == address if address else link.name == owner.interface:
                        return link
        return next((link for link in self._node.links if link.name == name), None)


def _is_called(attachment: Attachment, text: str) -> bool:
    return text in (attachment.name, attachment.key, recorded.address_of(attachment))


def _nothing(node: Node, text: str) -> VerbError:
    link = next((link for link in node.links if text in (link.name, *link.altnames)), None)
    if link is not None:
        what = f"a {link.kind} link" if link.kind else "a link"
        message = f'"{text}" is {what} of the host that is no PF and no VF, and no pod has it by one of our plugins'
    else:
        message = f'there is no device "{text}" on this node: no PF, no VF, and none that a plugin has recorded'
    known = [x.name for x in node.pfs] + [name for name, _ in node.others]
    hint = f"known are {', '.join(known) or 'none'}, and what `plumbline vfs` lists"
    return VerbError(Status.NO_DEVICE, message, hint)
