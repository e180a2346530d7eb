"""What the verbs print with --json. The forms are docs/schema/*.json, and have versions: members are only ever added
to one. All members are always there; what is not known is null.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from plumbline.node.details import Details
from plumbline.node.model import LinkState, Node, Owner, Pf, Settings, Vf
from plumbline.node.record import Asked, Record

NODE_SCHEMA = "plumbline/node/1"
DEVICE_SCHEMA = "plumbline/device/1"


def node(found: Node) -> dict[str, Any]:
    """Return a node with its PFs and their VFs."""
    return {
        "schema": NODE_SCHEMA,
        "node": found.name,
        "kernel": found.kernel,
        "pfs": [pf(x) for x in found.pfs],
        "others": [{"device": name, "owner": owner(x)} for name, x in found.others],
        "unknown": found.unknown,
    }


def pf(found: Pf) -> dict[str, Any]:
    """Return a PF with its VFs."""
    return {
        "name": found.name,
        "address": found.address,
        "bus": found.bus,
        "driver": _known(found.driver),
        "vendor": _known(found.vendor),
        "model": _known(found.model),
        "link": link(found.link),
        "speedMbps": found.speed,
        "eswitch": found.eswitch,
        "vfsPossible": found.possible,
        "vfsMade": len(found.vfs),
        "vfsUsed": found.used,
        "numaNode": found.numa,
        "driversAutoprobe": found.autoprobe,
        "persistent": found.persistent,
        "vfs": [vf(x) for x in found.vfs],
    }


def vf(found: Vf) -> dict[str, Any]:
    """Return a VF."""
    vdpa = found.vdpa
    return {
        "pf": found.pf,
        "index": found.index,
        "address": found.address,
        "state": found.state.value,
        "driver": _known(found.driver),
        "link": link(found.link),
        "settings": settings(found.settings),
        "representor": link(found.representor),
        "vdpa": vdpa and {"name": vdpa.name, "driver": _known(vdpa.driver), "path": _known(vdpa.path)},
        "rdma": _known(found.rdma),
        "iommuGroup": found.iommu_group,
        "owner": owner(found.owner),
    }


def device(found: Details) -> dict[str, Any]:
    """Return one device with all that is known of it."""
    of = found.device
    return {
        "schema": DEVICE_SCHEMA,
        "node": found.node,
        "name": found.name,
        "kind": "pf" if isinstance(of, Pf) else "vf" if isinstance(of, Vf) else "other",
        "pf": pf(of) if isinstance(of, Pf) else None,
        "vf": vf(of) if isinstance(of, Vf) else None,
        "link": link(found.link),
        "addresses": found.addresses,
        "owners": [owner(x) for x in found.owners],
        "records": [record(x) for x in found.records],
        "deviceInfo": [{"path": x.path, "content": x.content} for x in found.device_info],
        "unknown": found.unknown,
    }


def record(found: Record) -> dict[str, Any]:
    """Return what a record tells."""
    written = found.written_s
    return {
        "plugin": found.plugin,
        "path": found.path,
        "written": None if written is None else datetime.fromtimestamp(written, UTC).isoformat(timespec="seconds"),
        "ofThisBoot": found.of_this_boot,
        "byUs": found.by_us,
        "before": {
            "link": link(found.link),
            "settings": settings(found.settings),
            "representor": link(found.representor),
        },
        "bridge": _known(found.bridge),
        "asked": asked(found.asked),
    }


def asked(found: Asked) -> dict[str, Any]:
    """Return what a configuration asked for, null for what it did not."""
    return {
        "mac": found.mac,
        "mtu": found.mtu,
        "vlan": found.vlan,
        "vlanQoS": found.vlan_qos,
        "vlanProto": found.vlan_proto,
        "spoofchk": found.spoofchk,
        "trust": found.trust,
        "linkState": found.link_state,
        "minTxRate": found.min_tx_rate,
        "maxTxRate": found.max_tx_rate,
        "bridge": found.bridge,
        "trunk": None if found.trunk is None else list(found.trunk),
        "setUplinkVlan": found.set_uplink_vlan,
    }


def settings(found: Settings | None) -> dict[str, Any] | None:
    """Return a VF's entry at its PF, None for none."""
    if found is None:
        return None
    return {
        "mac": found.mac,
        "vlan": found.vlan,
        "vlanQoS": found.qos,
        "vlanProto": found.protocol,
        "spoofchk": found.spoofchk,
        "trust": found.trust,
        "linkState": found.link_state,
        "minTxRate": found.min_tx_rate,
        "maxTxRate": found.max_tx_rate,
    }


def link(found: LinkState | None) -> dict[str, Any] | None:
    """Return a link, None for none."""
    if found is None:
        return None
    return {
        "name": found.name,
        "index": found.index or None,
        "netns": _known(found.netns),
        "mac": _known(found.mac),
        "mtu": found.mtu or None,
        "up": found.up,
        "carrier": found.carrier,
        "master": _known(found.master),
        "alias": _known(found.alias),
        "parent": _known(found.parent),
        "kind": _known(found.kind),
        "altNames": list(found.altnames),
    }


def owner(found: Owner | None) -> dict[str, Any] | None:
    """Return whose a device is, None for nobody's."""
    if found is None:
        return None
    return {
        "source": found.source.value,
        "namespace": _known(found.pod.namespace),
        "pod": _known(found.pod.name),
        "uid": _known(found.pod.uid),
        "containerID": _known(found.container_id),
        "interface": _known(found.interface),
        "network": _known(found.network),
        "plugin": _known(found.plugin),
        "netns": _known(found.netns),
        "alive": found.alive,
        "program": _known(found.program),
    }


def _known(text: str) -> str | None:
    return text or None
