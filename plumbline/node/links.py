"""Links, as rtnetlink tells them: the host's, with the VFs' entries at their PFs, and those of other namespaces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyroute2 import IPRoute, NetlinkError

from plumbline.node.model import LinkState, Settings

RTEXT_FILTER_VF = 1  # linux/rtnetlink.h
RTEXT_FILTER_SKIP_STATS = 8
IFF_UP = 1  # linux/if.h
IFF_LOWER_UP = 1 << 16
LINK_STATES = ("auto", "enable", "disable")  # IFLA_VF_LINK_STATE_*, linux/if_link.h
ETH_P_8021Q, ETH_P_8021AD = 0x8100, 0x88A8  # linux/if_ether.h
PROTOCOLS = {ETH_P_8021Q: "802.1Q", ETH_P_8021AD: "802.1ad"}
UNSUPPORTED = 0xFFFFFFFF
"""A VF's spoofchk and trust where its driver does not tell (net/core/rtnetlink.c, rtnl_fill_vfinfo)."""


def of_host() -> tuple[list[LinkState], dict[str, dict[int, Settings]]]:
    """Return the links of the calling thread's namespace, and of those that are PFs the entries of their VFs, by the
    PF's name and the VF's index. Raises OSError.
    """
    with IPRoute() as ip:
        messages = ip.get_links(ext_mask=RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS)
        tables = {message.get("ifname"): _table(message) for message in messages}
    return _links(messages, ""), {name: table for name, table in tables.items() if table}


def of_namespace(path: str) -> list[LinkState]:
    """Return the links of another namespace. Raises OSError, also where it is none or has gone."""
    try:
        with IPRoute(netns=path) as ip:
            return _links(ip.get_links(ext_mask=RTEXT_FILTER_SKIP_STATS), path)
    except NetlinkError as e:
        raise OSError(e.code, f"cannot list the links of {path}") from e


def addresses(link: LinkState) -> list[str]:
    """Return the addresses of a link, each with its prefix length. Raises OSError."""
    with IPRoute(netns=link.netns or None) as ip:
        found = ip.get_addr(index=link.index)
        return [f"{message.get_attr('IFA_ADDRESS')}/{message['prefixlen']}" for message in found]


def _links(messages: Iterable[Any], netns: str) -> list[LinkState]:
    messages = list(messages)
    names = {message["index"]: message.get_attr("IFLA_IFNAME") for message in messages}
    return [
        LinkState(
            name=message.get_attr("IFLA_IFNAME"),
            index=message["index"],
            mac=message.get_attr("IFLA_ADDRESS") or "",
            mtu=message.get_attr("IFLA_MTU") or 0,
            up=bool(message["flags"] & IFF_UP),
            carrier=bool(message["flags"] & IFF_LOWER_UP),
            netns=netns,
            master=names.get(message.get_attr("IFLA_MASTER"), ""),
            alias=message.get_attr("IFLA_IFALIAS") or "",
            altnames=_altnames(message),
            parent=message.get_attr("IFLA_PARENT_DEV_NAME") or "",
            kind=message.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") or "",
        )
        for message in messages
    ]


def _altnames(message: Any) -> tuple[str, ...]:
    properties = message.get_attr("IFLA_PROP_LIST")
    return tuple(properties.get_attrs("IFLA_ALT_IFNAME")) if properties is not None else ()


def _table(message: Any) -> dict[int, Settings]:
    entries = message.get_attr("IFLA_VFINFO_LIST")
    if entries is None:
        return {}
    found = (_settings(entry) for entry in entries.get_attrs("IFLA_VF_INFO"))
    return dict(found)


def _settings(entry: Any) -> tuple[int, Settings]:
    mac, vlan = entry.get_attr("IFLA_VF_MAC"), entry.get_attr("IFLA_VF_VLAN")
    state, rate = entry.get_attr("IFLA_VF_LINK_STATE"), entry.get_attr("IFLA_VF_RATE")
    vlans = entry.get_attr("IFLA_VF_VLAN_LIST")
    first = vlans.get_attr("IFLA_VF_VLAN_INFO") if vlans is not None else None
    protocol = first["proto"] if first else ETH_P_8021Q
    return mac["vf"], Settings(
        mac=mac["mac"],
        vlan=vlan["vlan"],
        qos=vlan["qos"],
        protocol=PROTOCOLS.get(protocol, f"{protocol:#06x}"),
        spoofchk=_switch(entry.get_attr("IFLA_VF_SPOOFCHK"), "spoofchk"),
        trust=_switch(entry.get_attr("IFLA_VF_TRUST"), "trust"),
        link_state=LINK_STATES[state["link_state"]] if state and state["link_state"] < len(LINK_STATES) else None,
        min_tx_rate=rate["min_tx_rate"] if rate else None,
        max_tx_rate=rate["max_tx_rate"] if rate else None,
    )


def _switch(attribute: Any, name: str) -> bool | None:
    if attribute is None or attribute[name] == UNSUPPORTED:
        return None
    return bool(attribute[name])
