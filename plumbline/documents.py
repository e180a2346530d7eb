"""What the verbs print with --json. The form is docs/schema/node.json, and has a version: members are only ever added
to one. What is not known is null.
"""

from __future__ import annotations

from typing import Any

from plumbline.node.model import LinkState, Node, Owner, Pf, Vf

NODE_SCHEMA = "plumbline/node/1"


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
        "vfsUsed": sum(x.owner is not None for x in found.vfs),
        "numaNode": found.numa,
        "driversAutoprobe": found.autoprobe,
        "vfs": [vf(x) for x in found.vfs],
    }


def vf(found: Vf) -> dict[str, Any]:
    """Return a VF."""
    settings, vdpa = found.settings, found.vdpa
    return {
        "pf": found.pf,
        "index": found.index,
        "address": found.address,
        "state": found.state.value,
        "driver": _known(found.driver),
        "link": link(found.link),
        "settings": settings
        and {
            "mac": settings.mac,
            "vlan": settings.vlan,
            "vlanQoS": settings.qos,
            "vlanProto": settings.protocol,
            "spoofchk": settings.spoofchk,
            "trust": settings.trust,
            "linkState": settings.link_state,
            "minTxRate": settings.min_tx_rate,
            "maxTxRate": settings.max_tx_rate,
        },
        "representor": link(found.representor),
        "vdpa": vdpa and {"name": vdpa.name, "driver": _known(vdpa.driver), "path": _known(vdpa.path)},
        "rdma": _known(found.rdma),
        "iommuGroup": found.iommu_group,
        "owner": owner(found.owner),
    }


def link(found: LinkState | None) -> dict[str, Any] | None:
    """Return a link, None for none."""
    if found is None:
        return None
    return {
        "name": found.name,
        "index": found.index,
        "netns": _known(found.netns),
        "mac": _known(found.mac),
        "mtu": found.mtu,
        "up": found.up,
        "carrier": found.carrier,
        "master": _known(found.master),
        "alias": _known(found.alias),
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
