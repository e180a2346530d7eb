"""Which links of a real kernel's are needed: by default routes and by a session."""

from __future__ import annotations

from collections.abc import Callable

from plumbline.node.look import look
from plumbline.node.roots import Roots
from plumbline.prepare import session
from tests.support.net import HOST


def test_needed(make_device: Callable[..., str]) -> None:
    """Both ways of a route with two, in either family; the link of the server's address, and a bridge's port."""
    first, second, third, fourth = (make_device() for _ in range(4))
    HOST.batch(
        *(f"link set {name} up" for name in (first, second, third, fourth)),
        f"addr add 192.0.2.1/30 dev {first}",
        f"addr add 192.0.2.5/30 dev {second}",
        "link add bridge7 up type bridge",
        f"link set {third} master bridge7",
        "addr add 2001:db8::1/64 dev bridge7 nodad",
        f"addr add 198.51.100.1/24 dev {fourth}",
        "route add default table 100 nexthop via 192.0.2.2 nexthop via 192.0.2.6",
        "route add ::/0 via 2001:db8::2",
        "route add unreachable default table 200",
    )
    try:
        told = {session.SSH: "198.51.100.9 40000 198.51.100.1 22"}
        needed = session.needed(look(), told, Roots())
    finally:
        HOST.batch("link del bridge7", "route flush table 200", check=False)
    route = "carries the default route"
    assert needed == {
        first: route,
        second: route,
        "bridge7": route,
        third: f"is below bridge7, which {route}",
        fourth: "carries your SSH session",
    }
