"""Links, as rtnetlink tells them: those of a namespace, and the entries of VFs at their PFs.

The plugins' own messages are used (cni.linux.netlink): a node has hundreds of links, which they read some ten times as
fast as pyroute2 does, a pod may call its links by any bytes, and where a namespace has gone pyroute2 makes a new one.
"""

from __future__ import annotations

from cni.linux import netns
from cni.linux.netlink import addr, codec, link, vf
from cni.linux.netlink.link import IFINFOMSG, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS, RTM_GETLINK
from cni.linux.netlink.socket import NetlinkSocket
from cni.protocol.errors import CniError
from plumbline.node.model import LinkState, Settings

PROTOCOLS = {vf.ETH_P_8021Q: "802.1Q", vf.ETH_P_8021AD: "802.1ad"}


def of_host() -> list[LinkState]:
    """Return the links of the calling thread's namespace. Raises OSError."""
    with NetlinkSocket() as socket:
        return _links(link.dump(socket), "")


def of_namespace(path: str) -> list[LinkState]:
    """Return the links of another namespace. Raises OSError, also where it is none or has gone."""
    try:
        with netns.of_pod(path) as other:
            return _links(link.dump(other.netlink), path)
    except CniError as e:
        raise OSError(f"cannot list the links of {path}: {e}") from e


def table(pf: LinkState) -> dict[int, Settings]:
    """Return the entries of a PF's VFs by their indices, none where its driver tells nothing. pf: its link, on the
    host. Raises OSError.
    """
    mask = codec.u32(IFLA_EXT_MASK, vf.RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS)
    with NetlinkSocket() as socket:
        body = socket.get(RTM_GETLINK, IFINFOMSG.pack(0, 0, pf.index, 0, 0) + mask, f"look up the VFs of {pf.name}")
    mac_bytes = len(pf.mac.split(":"))
    tables = (value for kind, value in codec.attributes(body, IFINFOMSG.size) if kind == vf.IFLA_VFINFO_LIST)
    entries = (vf.parse(entry, mac_bytes) for whole in tables for _, entry in codec.attributes(whole))
    return {entry.index: settings(entry) for entry in entries}


def settings(entry: vf.VF) -> Settings:
    """Return what an entry holds."""
    return Settings(
        mac=entry.mac,
        vlan=entry.vlan,
        qos=entry.qos,
        protocol=protocol(entry.protocol),
        spoofchk=entry.spoofchk,
        trust=entry.trust,
        link_state=entry.link_state,
        min_tx_rate=entry.min_tx_rate,
        max_tx_rate=entry.max_tx_rate,
    )


def protocol(number: int) -> str:
    """Return what a VLAN's protocol is called. number: its EtherType."""
    return PROTOCOLS.get(number, f"{number:#06x}")


def addresses(found: LinkState) -> list[str]:
    """Return the addresses of a link, each with its prefix length. Raises OSError, also where it has gone."""
    if not found.netns:
        with NetlinkSocket() as socket:
            return _addresses(socket, found)
    try:
        with netns.of_pod(found.netns) as other:
            return _addresses(other.netlink, found)
    except CniError as e:
        raise OSError(f"cannot list the addresses of {found.name} in {found.netns}: {e}") from e


def _addresses(socket: NetlinkSocket, found: LinkState) -> list[str]:
    return [str(address.interface) for address in addr.dump(socket, found.index)]


def _links(found: list[link.Link], path: str) -> list[LinkState]:
    names = {one.index: one.name for one in found}
    return [
        LinkState(
            name=one.name,
            index=one.index,
            mac=one.mac,
            mtu=one.mtu,
            up=one.up,
            carrier=one.up and one.carrier,  # one that is down may remember its carrier
            netns=path,
            master=names.get(one.master, ""),
            alias=one.alias,
            altnames=tuple(one.altnames),
            parent=one.parent,
            kind=one.kind,
        )
        for one in found
    ]
