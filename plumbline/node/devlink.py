"""Devlink (Documentation/networking/devlink): a device is named by its bus and its address there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST
from pyroute2.netlink.devlink import devlinkcmd
from pyroute2.netlink.generic import GenericNetlinkSocket

Attributes = tuple[tuple[str, object], ...]


class Devlink:
    """A connection to devlink, while it is open."""

    def __init__(self, socket: GenericNetlinkSocket) -> None:
        self._socket = socket

    def request(self, command: int, bus: str, address: str, attributes: Attributes = ()) -> list[Any]:
        """Return the answers to a command about a device. attributes: besides its name. Raises NetlinkError."""
        message = devlinkcmd()
        message["cmd"] = command
        message["attrs"] = [("DEVLINK_ATTR_BUS_NAME", bus), ("DEVLINK_ATTR_DEV_NAME", address), *attributes]
        flags = NLM_F_REQUEST | NLM_F_ACK
        return list(self._socket.nlm_request(message, msg_type=self._socket.prid, msg_flags=flags))


@contextmanager
def connected() -> Iterator[Devlink]:
    """Give a connection. Raises NetlinkError: ENOENT where the kernel has no devlink."""
    # pyroute2's DL leaves an event loop open where there is no devlink, which complains at the end.
    with GenericNetlinkSocket() as socket:
        socket.bind("devlink", devlinkcmd)
        yield Devlink(socket)
