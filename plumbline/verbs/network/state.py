"""What an attachment is about, before and after: the pod's links, and the devices that the configuration names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plumbline import documents
from plumbline.network.attachment import Attachment
from plumbline.network.configuration import Document, NetworkList
from plumbline.node import links
from plumbline.node.look import look

ADDRESSES = ("deviceID", "pciBusID")
NAMES = ("device", "master", "bridge")
"""Members of a configuration that name a device: by its PCI address; a link of the host."""


def state(conf: NetworkList, attachment: Attachment) -> dict[str, Any]:
    """Return it: `pod` has links and addresses, `vf` VFs by their addresses, `host` links by their names."""
    node = look()
    sections = [*conf.plugins, attachment.capabilities]
    vfs, names = set(_texts(sections, ADDRESSES)), set(_texts(sections, NAMES))
    return {
        "vf": {vf.address: documents.vf(vf) for vf in node.vfs if vf.address in vfs},
        "host": {link.name: documents.link(link) for link in node.links if link.name in names},
        "pod": pod(attachment.netns),
    }


def pod(path: str) -> dict[str, Any]:
    """Return the links in a pod's namespace, without those that every one has; none where it is gone."""
    try:
        found = [link for link in links.of_namespace(path) if link.name != "lo"]
        return {link.name: _link(documents.link(link), links.addresses(link)) for link in found}
    except OSError:
        return {}


def _link(document: Document | None, addresses: list[str]) -> Document:
    shown = ("mac", "mtu", "up", "carrier", "altNames")
    return {**{key: (document or {})[key] for key in shown}, "addresses": sorted(addresses)}


def _texts(sections: list[Document], keys: tuple[str, ...]) -> Iterator[str]:
    for section in sections:
        yield from (section[key] for key in keys if isinstance(section.get(key), str))
