"""The MAC address that a NIC was made with: it tells a NIC from another one that has its address on the bus."""

from __future__ import annotations

from pyroute2 import IPRoute, NetlinkError

from plumbline.node.model import Pf


def mac(pf: Pf) -> str:
    """Return the permanent MAC address of a PF's link, empty where it has none or its driver does not tell."""
    if pf.link is None:
        return ""
    try:
        with IPRoute() as ip:
            (message,) = ip.link("get", index=pf.link.index)
    except NetlinkError:
        return ""
    return str(message.get_attr("IFLA_PERM_ADDRESS") or "")
