"""A netlink socket that keeps what is sent instead of sending it, and pyroute2's reading of it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from cni.linux.netlink.socket import NetlinkSocket

HEADER_BYTES = 16

T = TypeVar("T")


class Recorder(NetlinkSocket):
    """Stands where functions expect a socket. sent: (message type, body, flags) of every request; answers: for get and
    dump, to give out in order.
    """

    def __init__(self, *answers: bytes) -> None:
        self.sent: list[tuple[int, bytes, int]] = []
        self.answers = list(answers)
        self.parts = 1

    def change(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Keep the request."""
        self.sent.append((kind, body, flags))

    def change_once(self, kind: int, body: bytes) -> None:
        """Keep the request."""
        self.sent.append((kind, body, 0))

    def get(self, kind: int, body: bytes, question: str) -> bytes:
        """Keep the request and give out the next answer."""
        self.sent.append((kind, body, 0))
        return self.answers.pop(0)

    def collect(self, kind: int, body: bytes, question: str, read: Callable[[Iterator[bytes]], T]) -> T:
        """Keep the request and give out all answers."""
        self.sent.append((kind, body, 0))
        return read(iter(self.answers))


def decode(codec: Any, sent: tuple[int, bytes, int]) -> Any:
    """Read a request with one of pyroute2's message classes."""
    kind, body, flags = sent
    message = codec(struct.pack("=IHHII", HEADER_BYTES + len(body), kind, flags, 1, 0) + body)
    message.decode()
    return message


def encode(codec: Any, fields: dict[str, Any], attributes: list[tuple[str, Any]]) -> bytes:
    """Return the body of a message that one of pyroute2's message classes makes, without its header."""
    message = codec()
    for key, value in fields.items():
        message[key] = value
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data)[HEADER_BYTES:]


def attributes_of(message: Any) -> dict[str, Any]:
    """Return the attributes of a message as a dictionary; nested ones too."""
    found = {}
    for entry in message["attrs"]:
        value = entry[1]
        found[entry[0]] = attributes_of(value) if hasattr(value, "keys") and "attrs" in value else value
    return found
