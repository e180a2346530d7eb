"""Which pod has which device, as the kubelet and libcni have written it down.

- the kubelet's device manager keeps what it gave to which pod (pkg/kubelet/cm/devicemanager/checkpoint);
- libcni, and Multus with it, caches the configuration and the arguments of each attachment (libcni/api.go);
- the kubelet's folders of logs are called NAMESPACE_NAME_UID, from which a pod's name is known by its UID.

Addresses are as sysfs has them, in small letters. What cannot be read or understood is as absent.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

from cni.linux import pci
from plumbline.node import functions
from plumbline.node.foreign import loaded, member
from plumbline.node.model import Owner, Pod, Source
from plumbline.node.roots import Roots

CACHE_KIND = "cniCacheV1"
DEVICE_KEYS = ("deviceID", "pciBusID")
"""Members of a configuration that name a device by its PCI address."""


def pod_names(roots: Roots) -> dict[str, Pod]:
    """Return the pods that have logs on this node, by UID."""
    parts = (entry.split("_") for entry in functions.entries(roots.pod_logs))
    return {uid: Pod(namespace, name, uid) for namespace, name, uid in (x for x in parts if len(x) == 3)}


def allocated(roots: Roots, names: dict[str, Pod]) -> dict[str, Owner]:
    """Return to whom the kubelet has given devices, by PCI address. names: as `pod_names` has them."""
    found: dict[str, Owner] = {}
    entries = member(member(loaded(roots.checkpoint), "Data"), "PodDeviceEntries")
    for entry in entries if isinstance(entries, list) else ():
        uid, devices = str(member(entry, "PodUID") or ""), member(entry, "DeviceIDs")
        # By NUMA node since Kubernetes 1.20, a list before.
        lists = devices.values() if isinstance(devices, dict) else [devices]
        for device in (device for ids in lists if isinstance(ids, list) for device in ids):
            if uid and isinstance(device, str) and pci.is_address(device):
                found[device.lower()] = Owner(Source.KUBELET, names.get(uid, Pod(uid=uid)))
    return found


def registered(roots: Roots) -> frozenset[str] | None:
    """Return the devices that device plugins have told the kubelet of, None where there is no kubelet."""
    devices = member(member(loaded(roots.checkpoint), "Data"), "RegisteredDevices")
    if not isinstance(devices, dict):
        return None
    return frozenset(str(device) for ids in devices.values() if isinstance(ids, list) for device in ids)


def cached(roots: Roots) -> dict[str, Owner]:
    """Return to whom runtimes have attached devices, by PCI address, as libcni's caches tell."""
    found: dict[str, Owner] = {}
    for folder in roots.results:
        for path in (os.path.join(folder, name) for name in sorted(functions.entries(folder))):
            whole = loaded(path)
            if member(whole, "kind") == CACHE_KIND:
                owner = _owner(whole)
                for address in _devices(whole):
                    # A pod whose DEL never came has one, too.
                    if address not in found or os.path.exists(owner.netns):
                        found[address] = owner
    return found


def _owner(whole: Any) -> Owner:
    pairs = member(whole, "cniArgs")
    pairs = pairs if isinstance(pairs, list) else []
    arguments = {str(pair[0]): pair[1] for pair in pairs if isinstance(pair, list) and len(pair) == 2}
    keys = ("K8S_POD_NAMESPACE", "K8S_POD_NAME", "K8S_POD_UID")
    container_id, interface, network = (
        str(member(whole, key) or "") for key in ("containerId", "ifName", "networkName")
    )
    return Owner(
        source=Source.CACHE,
        pod=Pod(*(str(arguments.get(key, "")) for key in keys)),
        container_id=container_id,
        interface=interface,
        network=network,
        netns=str(member(whole, "netns") or ""),
    )


def _devices(whole: Any) -> Iterator[str]:
    """Give the PCI addresses that a cached configuration names, its plugins' and its capabilities' among them."""
    try:
        config = json.loads(base64.b64decode(str(member(whole, "config"))))
    except (ValueError, RecursionError):
        return
    plugins = member(config, "plugins")
    capabilities = member(whole, "capabilityArgs")
    for section in (config, *(plugins if isinstance(plugins, list) else ()), capabilities):
        for key in DEVICE_KEYS:
            value = member(section, key)
            if isinstance(value, str) and pci.is_address(value):
                yield value.lower()
