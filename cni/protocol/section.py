"""Typed reading of JSON objects, with errors that name the field: "ipam.ranges[0][1].subnet"."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cni.protocol import ip
from cni.protocol.errors import CniError, invalid_config
from cni.protocol.ip import IPAddress, IPInterface, IPNetwork
from cni.protocol.jsontext import beginning
from cni.protocol.limits import ADDRESSES, ATTACHMENTS, LIST_ITEMS, NOTED_WARNINGS, ROUTES, SHOWN_CHARACTERS

T = TypeVar("T")
U = TypeVar("U")

VALID_ATTACHMENTS = "cni.dev/valid-attachments"
VALID_ATTACHMENTS_ONCE = "cni.dev/attachments"
"""What the text of the specification calls that list; libcni sends both."""

MOST_ITEMS = {
    "routes": ROUTES,
    "ips": ADDRESSES,
    "addresses": ADDRESSES,
    VALID_ATTACHMENTS: ATTACHMENTS,
    VALID_ATTACHMENTS_ONCE: ATTACHMENTS,
}
"""Lists, wherever they stand, that have a limit of their own; LIST_ITEMS for the others."""

ADDRESS = "an IP address such as 10.1.2.3 or fd00::1"
INTERFACE = "an address with prefix length in CIDR notation, such as 10.1.2.3/24 or fd00::1/64"
NETWORK = "a subnet such as 10.1.2.0/24 or fd00::/64"


def shown(value: object) -> str:
    """Return the JSON value for an error message: on one line, in ASCII, shortened."""
    text = beginning(value, SHOWN_CHARACTERS).replace("\x7f", "\\u007f")
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."


def refused(field: str, value: object, wanted: str) -> CniError:
    """Return the error (code 7) for a field whose value is not what is wanted, such as "an integer"."""
    return invalid_config(f"{field}: {shown(value)} is not allowed; it must be {wanted}")


def too_many(field: str, number: int, at_most: int) -> CniError:
    """Return the error (code 7) for a list that has more entries than its limit (`cni.protocol.limits`)."""
    return invalid_config(f"{field}: {number} entries are not allowed; the limit is {at_most}")


class Section:
    """One JSON object and where it stands in the configuration.

    A key is looked up as it is written, then without regard to case, as the Go plugins do. null counts as absent.
    No conversion between types takes place: a boolean is not an integer, nor is 1.0, nor "1". A getter raises CniError
    (code 7) when the value has the wrong type or is out of bounds; bounds are inclusive. at_most: how many entries a
    list may have, if not as many as MOST_ITEMS says.

    warnings: for commands that have to succeed whatever stands there. What would be refused counts as absent then, in
    the objects inside as well, and that is noted here.
    """

    __slots__ = ("_folded", "_warnings", "raw", "where")

    def __init__(self, raw: dict[str, object], where: str = "", warnings: list[str] | None = None) -> None:
        self.raw = raw
        self.where = where
        self._warnings = warnings
        self._folded: dict[str, object] | None = None

    def name_of(self, key: str) -> str:
        """Return the full name of a member, for messages."""
        return f"{self.where}.{key}" if self.where else key

    def get(self, key: str) -> object:
        """Return the member's value as it is, None when it is absent."""
        if key in self.raw:
            return self.raw[key]
        if self._folded is None:  # of a configuration with thousands of members, each is looked at once
            self._folded = {}
            for name, value in self.raw.items():
                self._folded.setdefault(name.lower(), value)
        return self._folded.get(key.lower())

    def has(self, key: str) -> bool:
        """Return whether the member is there and not null."""
        return self.get(key) is not None

    def lacks(self, key: str) -> CniError:
        """Return the error (code 7) for an object without a member that it needs."""
        return refused(self.where, self.raw, f'an object with "{key}"')

    def string(self, key: str, default: str = "") -> str:
        """Return a string. NUL is refused, since no path or name in the kernel can hold it."""
        return self._read(key, _string, default)

    def boolean(self, key: str, default: bool = False) -> bool:
        """Return true or false."""
        return self._read(key, _boolean, default)

    def integer(self, key: str, default: int = 0, minimum: int | None = None, maximum: int | None = None) -> int:
        """Return an integer within the bounds; `default` need not be."""
        return self._read(key, _integer(minimum, maximum), default)

    def optional_integer(self, key: str, minimum: int | None = None, maximum: int | None = None) -> int | None:
        """Return an integer within the bounds, or None when it is absent."""
        return self._read(key, _integer(minimum, maximum), None)

    def integers(self, key: str, minimum: int | None = None, maximum: int | None = None) -> list[int]:
        """Return a list of integers within the bounds, empty when absent."""
        return self._items(key, _integer(minimum, maximum), "integers")

    def strings(self, key: str, at_most: int = 0) -> list[str]:
        """Return a list of strings, empty when absent."""
        return self._items(key, _string, "strings", at_most)

    def section(self, key: str) -> Section:
        """Return an object, an empty one when absent."""
        return self._read(key, self._child, self._child(self.name_of(key), {}))

    def sections(self, key: str, at_most: int = 0) -> list[Section]:
        """Return a list of objects, empty when absent."""
        return self._items(key, self._child, "objects", at_most)

    def section_lists(self, key: str, at_most: int = 0, each: int = 0) -> list[list[Section]]:
        """Return a list of lists of objects, empty when absent. each: how many objects a list of them may have."""
        return self._items(key, _list_of(self._child, "objects", each or LIST_ITEMS), "lists of objects", at_most)

    def address(self, key: str) -> IPAddress | None:
        """Return an IP address without prefix length, None when absent or an empty string."""
        return self.parsed(key, lambda text: ip.parse_address(text) if text else None, ADDRESS)

    def interface(self, key: str) -> IPInterface | None:
        """Return an IP address with its prefix length, None when absent."""
        return self.parsed(key, ip.parse_interface, INTERFACE)

    def network(self, key: str) -> IPNetwork | None:
        """Return a subnet, None when absent. Bits right of the prefix are cleared."""
        return self.parsed(key, ip.parse_network, NETWORK)

    def parsed(self, key: str, parse: Callable[[str], T], wanted: str) -> T | None:
        """Return what `parse` makes of a string, None when absent. Where it raises ValueError, the error says what is
        wanted.
        """
        return self._read(key, _parsed(parse, wanted), None)

    def parsed_items(self, key: str, parse: Callable[[str], T], wanted: str, at_most: int = 0) -> list[T]:
        """Return the same of each string of a list, which is empty when absent."""
        return self._items(key, _parsed(parse, wanted), "strings", at_most)

    def _items(self, key: str, read: Callable[[str, object], T], wanted: str, at_most: int = 0) -> list[T]:
        return self._read(key, _list_of(read, wanted, at_most or MOST_ITEMS.get(key, LIST_ITEMS)), [])

    def _read(self, key: str, read: Callable[[str, object], T], otherwise: U) -> T | U:
        """Return what is read of a member, `otherwise` when it is absent. read: takes its full name and its value."""
        value = self.get(key)
        try:
            return otherwise if value is None else read(self.name_of(key), value)
        except CniError as e:
            if self._warnings is None:
                raise
            note(self._warnings, e)
            return otherwise

    def _child(self, where: str, value: object) -> Section:
        if not isinstance(value, dict):
            raise refused(where, value, "an object")
        return Section(value, where, self._warnings)


def note(warnings: list[str], error: CniError) -> None:
    """Note that something was not read, unless it is noted already, or so much else."""
    text = f"not read: {error}"
    if len(warnings) < NOTED_WARNINGS and text not in warnings:
        warnings.append(text)


def _string(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise refused(field, value, "a string")
    if "\0" in value:
        raise refused(field, value, "a string without NUL characters")
    return value


def _boolean(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise refused(field, value, "true or false")
    return value


def _integer(minimum: int | None, maximum: int | None) -> Callable[[str, object], int]:
    """Return what reads an integer within bounds."""

    def read(field: str, value: object) -> int:
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or (minimum is not None and value < minimum)
            or (maximum is not None and value > maximum)
        ):
            lower = "" if minimum is None else f" from {minimum}"
            upper = "" if maximum is None else f" up to {maximum}"
            raise refused(field, value, f"an integer{lower}{upper}")
        return value

    return read


def _list_of(read: Callable[[str, object], T], wanted: str, at_most: int) -> Callable[[str, object], list[T]]:
    """Return what reads a list. read: one item; it takes its name and its value. at_most: how many there may be."""

    def read_all(field: str, value: object) -> list[T]:
        if not isinstance(value, list):
            raise refused(field, value, f"a list of {wanted}")
        if len(value) > at_most:
            raise too_many(field, len(value), at_most)
        return [read(f"{field}[{index}]", item) for index, item in enumerate(value)]

    return read_all


def _parsed(parse: Callable[[str], T], wanted: str) -> Callable[[str, object], T]:
    """Return what reads a string and parses it."""

    def read(field: str, value: object) -> T:
        text = _string(field, value)
        try:
            return parse(text)
        except ValueError:
            raise refused(field, text, wanted) from None

    return read
