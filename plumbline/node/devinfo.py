"""The device-information files (k8snetworkplumbingwg device-info specification, 4.2): a device plugin writes one for a
device, below `dp`, a plugin one for an attachment, below `cni`; Multus puts them into the pod's status.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cni.attach.deviceinfo import PCI, VDPA
from plumbline.node.foreign import loaded, member
from plumbline.node.roots import Roots

ADDRESS = "pci-address"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One file. path: where it is. content: what it holds."""

    path: str
    content: dict[str, Any]


def of_device(address: str, roots: Roots) -> list[DeviceInfo]:
    """Return the files about a device, by path. address: on the PCI bus."""
    found = ((path, loaded(path)) for path in sorted(_files(roots.devinfo)))
    return [DeviceInfo(path, content) for path, content in found if address in _addresses(content)]


def _files(folder: str) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        yield from (os.path.join(parent, name) for name in names)


def _addresses(content: Any) -> set[str]:
    texts = (member(member(content, kind), ADDRESS) for kind in (PCI, VDPA))
    return {text.lower() for text in texts if isinstance(text, str)}
