"""Give a link in a pod what a result says, and verify later that it still has it (ADD and CHECK)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from cni.attach import announcer
from cni.attach.announce import announce as send_announcements
from cni.attach.announce import can_be_announced
from cni.attach.step import trying
from cni.linux import sysctl
from cni.linux.log import Logger
from cni.linux.netlink import addr, link, route
from cni.linux.netlink.addr import Address
from cni.linux.netlink.monitor import RTMGRP_IPV6_IFADDR, Monitor
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError
from cni.protocol.ip import IPAddress, IPNetwork
from cni.protocol.limits import SHOWN_ITEMS
from cni.protocol.result import IPConfig, Result, Route

Sought = tuple[IPNetwork, IPAddress | None, tuple[int | None, ...]]

DAD_TIMEOUT_S = 5.0


@dataclass(slots=True)
class PodLink:
    """A link inside a pod: the open namespace, and the link's index and name there."""

    netns: NetNS
    index: int
    name: str


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
        with trying(f"add address {ip.address} to {pod.name}"):
            addr.add(pod.netns.netlink, pod.index, ip.address)
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
    gateways = gateways_of(ours)
    if any(ip.address.version == 6 for ip in ours):
        _wait_for_dad(pod, log)
    for wanted in result.routes:
        gateway = gateway_of(wanted, gateways)
        with trying(f"add route {describe(wanted, gateway)} through {pod.name}"):
            route.add(pod.netns.netlink, pod.index, wanted, gateway)


def addresses_of(result: Result) -> list[IPConfig]:
    """Return the addresses that belong to the result's first interface, the one in the pod."""
    return [ip for ip in result.ips if ip.interface in (None, 0)]


def gateways_of(ips: list[IPConfig]) -> dict[int, IPAddress]:
    """Return the first gateway that an address has, by IP version: the one for routes without `gw`."""
    gateways: dict[int, IPAddress] = {}
    for ip in ips:
        if ip.gateway is not None:
            gateways.setdefault(ip.gateway.version, ip.gateway)
    return gateways


def gateway_of(wanted: Route, gateways: dict[int, IPAddress]) -> IPAddress | None:
    """Return the gateway to use for a route, None for on-link. gateways: as `gateways_of`.

    A route without `gw` takes the first gateway that an address of its family has (CNI specification, "routes"). The
    unspecified address, 0.0.0.0 or ::, means on-link.
    """
    gateway = wanted.gw if wanted.gw is not None else gateways.get(wanted.dst.version)
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
            current = link.get(pod.netns.netlink, index=pod.index)
            if current is None or not current.carrier:
                log.warning(f"{pod.name} has no carrier: {', '.join(tentative)} not checked for duplicates")
                return
            if not monitor.wait(deadline):
                log.warning(f"{', '.join(tentative)} on {pod.name} still tentative after {DAD_TIMEOUT_S:g} s")
                return


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
    that is missing. What is there beside them is the pod's own affair, and may be any number: no more is kept of it
    than what is looked for.
    """
    ours = addresses_of(result)
    if ours:
        _verify_addresses(pod, [str(ip.address) for ip in ours])
    gateways = gateways_of(ours)
    for version in (4, 6):
        routes = [(wanted, gateway_of(wanted, gateways)) for wanted in result.routes if wanted.dst.version == version]
        if routes:
            _verify_routes(pod, routes, version)


def _verify_addresses(pod: PodLink, wanted: list[str]) -> None:
    def look(present: Iterator[Address]) -> tuple[set[str], str]:
        missing = set(wanted)
        listed = Listed()
        for address in present:
            text = str(address.interface)
            missing.discard(text)
            listed.add(text)
        return missing, str(listed)

    missing, present = addr.collect(pod.netns.netlink, pod.index, 0, look)
    for address in wanted:
        if address in missing:
            details = f"it has {present or 'no address'}"
            raise CniError(GENERIC, f"address {address} is missing on {pod.name}", details)


def _verify_routes(pod: PodLink, wanted: list[tuple[Route, IPAddress | None]], version: int) -> None:
    def look(present: Iterator[Route]) -> tuple[set[Sought], str]:
        sought = {_sought(one, gateway) for one, gateway in wanted}
        kinds = {_kind(one) for one in sought}
        listed = Listed()
        for found in present:
            for kind in kinds:
                sought.discard(_as_sought(found, kind))
            listed.add(describe(found, found.gw))
        return sought, str(listed)

    missing, present = route.collect(pod.netns.netlink, pod.index, version, look)
    for one, gateway in wanted:
        if _sought(one, gateway) in missing:
            details = f"it has {present or 'no route'}"
            raise CniError(GENERIC, f"route {describe(one, gateway)} through {pod.name} is missing", details)


class Listed:
    """Texts for an error, the first of them, and how many there are besides."""

    __slots__ = ("_count", "_first")

    def __init__(self) -> None:
        self._first: list[str] = []
        self._count = 0

    def add(self, text: str) -> None:
        """Add one."""
        self._count += 1
        if len(self._first) < SHOWN_ITEMS:
            self._first.append(text)

    def __str__(self) -> str:
        more = self._count - len(self._first)
        return ", ".join(sorted(self._first)) + (f" and {more} more" if more else "")


def _sought(wanted: Route, gateway: IPAddress | None) -> Sought:
    """Return what a route must be like. What was not asked for is None, and may be anything: the table, too, since a
    plugin later in the chain (sbr, vrf) may have moved the route to one of its own.
    """
    return wanted.dst, gateway, tuple(value or None for value in _settings(wanted))


def _kind(sought: Sought) -> tuple[bool, ...]:
    """Return which settings are asked for: there are few combinations, however many routes."""
    return tuple(value is not None for value in sought[2])


def _as_sought(found: Route, kind: tuple[bool, ...]) -> Sought:
    """Return a route that is there as one which asks for these settings would be sought."""
    settings = zip(_settings(found), kind, strict=True)
    return found.dst, found.gw, tuple(value if is_asked else None for value, is_asked in settings)


def _settings(one: Route) -> tuple[int | None, ...]:
    return one.table, one.priority, one.mtu, one.advmss
