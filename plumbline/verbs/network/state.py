"""What an attachment is about, before and after: the pod's links, and the devices that the configuration names."""

from __future__ import annotations

import os
from collections.abc import Iterator

from plumbline.network.attachment import Attachment
from plumbline.network.configuration import Document, NetworkList
from plumbline.node import links
from plumbline.node.kubernetes import DEVICE_KEYS
from plumbline.node.look import look
from plumbline.verbs import changes
from plumbline.verbs.changes import Seen

NAMES = ("device", "master", "bridge")
"""Members of a configuration that name a link of the host."""


def state(conf: NetworkList, attachment: Attachment) -> Seen:
    """Return what there is to say of all of them."""
    node = look()
    sections = [*conf.plugins, attachment.capabilities]
    vfs, names = set(_texts(sections, DEVICE_KEYS)), set(_texts(sections, NAMES))
    found = {vf.address: changes.of_vf(vf) for vf in node.vfs if vf.address in vfs}
    found.update((link.name, changes.of_link(link)) for link in node.links if link.name in names)
    return {**found, **_of_pod(attachment.netns)}


def _of_pod(path: str) -> Seen:
    """Return what there is to say of a pod's links; of a pod that is gone, nothing."""
    name = os.path.basename(path)
    try:
        found = [link for link in links.of_namespace(path) if link.name != "lo"]
        return {f"{link.name}@{name}": changes.of_link(link, links.addresses(link)) for link in found}
    except OSError:
        return {}


def _texts(sections: list[Document], keys: tuple[str, ...]) -> Iterator[str]:
    for section in sections:
        yield from (section[key] for key in keys if isinstance(section.get(key), str))
