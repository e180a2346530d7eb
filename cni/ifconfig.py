"""Give a link in a pod what a result says, and verify later that it still has it (ADD and CHECK)."""

from __future__ import annotations

import time

from cni import announcer, sysctl
from cni.announce import announce as send_announcements
from cni.announce import can_be_announced
from cni.errors import GENERIC, CniError
from cni.ip import IPAddress
from cni.netlink import addr, link, route
from cni.netlink.monitor import RTMGRP_IPV6_IFADDR, Monitor
from cni.netlink.socket import NetlinkError
from cni.netns import NetNS
from cni.result import IPConfig, Result, Route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.log import Logger

DAD_TIMEOUT_S = 5.0


class PodLink:
    """A link inside a pod: the open namespace, and the link's index and name there."""

    __slots__ = ("index", "name", "netns")

    def __init__(self, netns: NetNS, index: int, name: str) -> None:
        self.netns = netns
        self.index = index
        self.name = name


def add_addresses(pod: PodLink, result: Result, log: Logger) -> bool:
    """Put the result's addresses on the link; return whether the kernel will announce IPv4 ones if it comes up now.

    Addresses that name another interface than the first are not ours. Raises CniError naming the address that the
    kernel refused, or the setting; what was done before it stays for the caller's undo.
    """
    ours = addresses_of(result)
    if not ours:
        return False
    with pod.netns.entered():
        if any(ip.address.version == 6 for ip in ours):
            _prepare_ipv6(pod, log)
        # The kernel announces IPv4 addresses when the link comes up (net/ipv4/devinet.c, inetdev_event).
        announcing = _prefer(pod, "ipv4", "arp_notify", log)
    for ip in ours:
        try:
            addr.add(pod.netns.netlink, pod.index, ip.address)
        except NetlinkError as e:
            raise CniError(
                GENERIC, f"cannot add address {ip.address} to {pod.name}: {e.strerror}", f"errno {e.errno}"
            ) from e
    return announcing


def _prepare_ipv6(pod: PodLink, log: Logger) -> None:
    """Turn IPv6 on for the link, whose addresses are to be usable while duplicate address detection runs, and to stay
    when the link goes down. The calling thread is in the pod. Raises CniError when IPv6 cannot be turned on.
    """
    for name in ("lo", pod.name):
        if not sysctl.ensure(f"net/ipv6/conf/{name}/disable_ipv6", "0"):
            raise CniError(
                GENERIC,
                f"cannot give IPv6 addresses to {pod.name}: the kernel has no IPv6",
                f"net/ipv6/conf/{name}/disable_ipv6 does not exist",
            )
    for setting in ("optimistic_dad", "keep_addr_on_down"):
        _prefer(pod, "ipv6", setting, log)


def _prefer(pod: PodLink, family: str, setting: str, log: Logger) -> bool:
    """Turn on a setting of the link that is good to have, and no reason to fail; return whether it is on.

    The calling thread is in the pod.
    """
    try:
        if sysctl.ensure(f"net/{family}/conf/{pod.name}/{setting}", "1"):
            return True
        log.debug(f"this kernel has no {setting} for {pod.name}")
    except CniError as e:
        log.warning(str(e))
    return False


def add_routes(pod: PodLink, result: Result, log: Logger) -> None:
    """Add the result's routes through the link, which is up and has the addresses, when these are found to be unique.

    Raises CniError naming the address that another node has, or the route that the kernel refused; what was added
    before it stays for the caller's undo.
    """
    ours = addresses_of(result)
    if any(ip.address.version == 6 for ip in ours):
        _wait_for_dad(pod, log)
    for wanted in result.routes:
        gateway = gateway_of(wanted, ours)
        try:
            route.add(pod.netns.netlink, pod.index, wanted, gateway)
        except NetlinkError as e:
            raise CniError(
                GENERIC,
                f"cannot add route {describe(wanted, gateway)} through {pod.name}: {e.strerror}",
                f"errno {e.errno}",
            ) from e


def addresses_of(result: Result) -> list[IPConfig]:
    """Return the addresses that belong to the result's first interface, the one in the pod."""
    return [ip for ip in result.ips if ip.interface in (None, 0)]


def gateway_of(wanted: Route, ips: list[IPConfig]) -> IPAddress | None:
    """Return the gateway to use for a route, None for on-link.

    A route without `gw` takes the first gateway that an address of its family has (CNI specification, "routes"). The
    unspecified address, 0.0.0.0 or ::, means on-link.
    """
    gateway = wanted.gw
    if gateway is None:
        gateway = next(
            (ip.gateway for ip in ips if ip.gateway is not None and ip.gateway.version == wanted.dst.version), None
        )
    return None if gateway is None or gateway.is_unspecified else gateway


def describe(wanted: Route, gateway: IPAddress | None) -> str:
    """Return a route as `ip route` would say it."""
    return f"{wanted.dst} via {gateway}" if gateway is not None else f"{wanted.dst} (on-link)"


def _wait_for_dad(pod: PodLink, log: Logger) -> None:
    """Wait until duplicate address detection (RFC 4862, section 5.4) has finished on the link's IPv6 addresses.

    Without carrier it does not begin, so there is nothing to wait for. Raises CniError for an address that another
    node has.
    """
    deadline = time.monotonic() + DAD_TIMEOUT_S
    with pod.netns.entered():
        monitor = Monitor(RTMGRP_IPV6_IFADDR)
    with monitor:
        while True:
            addresses = addr.dump(pod.netns.netlink, pod.index, addr.family_of(6))
            for address in addresses:
                if address.flags & addr.IFA_F_DADFAILED:
                    raise CniError(
                        GENERIC,
                        f"address {address.interface} of {pod.name} is in use by another node on its link",
                        "duplicate address detection failed",
                    )
            tentative = [str(a.interface) for a in addresses if a.flags & addr.IFA_F_TENTATIVE]
            if not tentative:
                return
            if not has_carrier(pod):
                log.warning(f"{pod.name} has no carrier: {', '.join(tentative)} not checked for duplicates")
                return
            if not monitor.wait(deadline):
                log.warning(f"{', '.join(tentative)} on {pod.name} still tentative after {DAD_TIMEOUT_S:g} s")
                return


def has_carrier(pod: PodLink) -> bool:
    """Return whether the link has carrier at this moment."""
    current = link.get(pod.netns.netlink, index=pod.index)
    return current is not None and current.carrier


def kernel_announced(pod: PodLink) -> bool:
    """Return whether a link that has just come up had carrier then, and its kernel has announced its IPv4 addresses.

    The carrier of a physical link comes from its driver some time after the link is up, if only half a millisecond:
    that it is there now does not say that it was there then.
    """
    current = link.get(pod.netns.netlink, index=pod.index)
    return current is not None and current.carrier and bool(current.kind)


def announce(pod: PodLink, result: Result, kernel_did: bool, log: Logger) -> None:
    """Announce the addresses to the neighbours, or let a process do it when the link gets carrier.

    kernel_did: see `kernel_announced`. That saves the packet socket, whose closing waits for an RCU grace period of 5
    to 15 ms (net/packet/af_packet.c, packet_release). Never fails: a link without carrier has no neighbours, and an
    announcement is a courtesy.
    """
    addresses = [ip.address.ip for ip in addresses_of(result) if not (kernel_did and ip.address.version == 4)]
    if not addresses:
        return
    try:
        current = link.get(pod.netns.netlink, index=pod.index)
        if current is None or not can_be_announced(current.mac):
            return
        # A link that came up with carrier can send at once, others when the kernel has taken note of the carrier. It
        # may be so new that duplicate address detection has only just begun.
        can_send = current.carrier and (kernel_did or current.running)
        if can_send and not any(
            a.version == 6 and announcer.is_tentative(pod.netns.netlink, pod.index, a) for a in addresses
        ):
            with pod.netns.entered():
                send_announcements(current.name, current.mac, addresses)
        else:
            announcer.start(pod.netns, pod.index, pod.name, addresses, log)
    except (OSError, CniError) as e:
        log.warning(f"cannot announce the addresses of {pod.name}: {e}")


def verify(pod: PodLink, result: Result) -> None:
    """Check that the link still has the addresses and routes of the result (CHECK). Raises CniError naming the first
    that is missing. What is there beside them is the pod's own affair.
    """
    ours = addresses_of(result)
    present = {str(address.interface) for address in addr.dump(pod.netns.netlink, pod.index)} if ours else set()
    for ip in ours:
        if str(ip.address) not in present:
            raise CniError(
                GENERIC,
                f"address {ip.address} is missing on {pod.name}",
                f"it has {', '.join(sorted(present)) or 'no address'}",
            )
    routes: dict[int, list[Route]] = {}
    for wanted in result.routes:
        version = wanted.dst.version
        if version not in routes:
            routes[version] = route.dump(pod.netns.netlink, pod.index, version)
        gateway = gateway_of(wanted, ours)
        if not any(_matches(found, wanted, gateway) for found in routes[version]):
            raise CniError(
                GENERIC,
                f"route {describe(wanted, gateway)} through {pod.name} is missing",
                f"it has {', '.join(describe(found, found.gw) for found in routes[version]) or 'no route'}",
            )


def _matches(found: Route, wanted: Route, gateway: IPAddress | None) -> bool:
    if found.dst != wanted.dst or found.gw != gateway:
        return False
    # A plugin later in the chain (sbr, vrf) may have moved a route for which no table was asked to one of its own.
    if wanted.table and found.table != wanted.table:
        return False
    asked = ((wanted.priority, found.priority), (wanted.mtu, found.mtu), (wanted.advmss, found.advmss))
    return all(not want or want == have for want, have in asked)
