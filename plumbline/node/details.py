"""Everything that is known of one device: what a look at the node gives of it, and what only this device is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from cni.attach.attachment import Attachment
from cni.attach.plugin import Plugin
from cni.protocol.errors import CniError
from plumbline.errors import Status, VerbError
from plumbline.node import devinfo, kubernetes, links, names, record, recorded, vfio
from plumbline.node.devinfo import DeviceInfo
from plumbline.node.look import look
from plumbline.node.model import LinkState, Node, Owner, Pf, Source, Vf
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
    asking = _Asking(roots or Roots())
    return asking.details(text)


class _Asking:
    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._node = look(roots)

    def details(self, text: str) -> Details:
        """Return all of the device that is called so. Raises VerbError (10)."""
        device = names.find_pf(self._node, text) or names.find_vf(self._node, text)
        attachments: list[tuple[Plugin, Attachment]] = self._ask("records", self._attachments, [])
        if device is None:
            mine = [found for found in attachments if _is_called(found[1], text)]
            if not mine:
                raise _nothing(self._node, text)
            name, address = mine[0][1].name, recorded.address_of(mine[0][1])
        else:
            name, address = device.name, device.address or ""
            mine = [found for found in attachments if address and recorded.address_of(found[1]) == address]
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

    def _attachments(self) -> list[tuple[Plugin, Attachment]]:
        return recorded.attachments(self._roots.sysfs)[0]  # what is said of damaged ones, the look has noted

    def _owners(self, address: str, mine: list[tuple[Plugin, Attachment]], device: Pf | Vf | None) -> list[Owner]:
        living = recorded.living()
        found = [recorded.owner(plugin, attachment, living) for plugin, attachment in mine]
        found.sort(key=lambda owner: owner.alive is False)
        names_of_pods = kubernetes.pod_names(self._roots)
        for source in (
            kubernetes.cached(self._roots),
            kubernetes.allocated(self._roots, names_of_pods),
            recorded.allocations(),
        ):
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
