"""Typed reading of JSON objects, with errors that name the field: "ipam.ranges[0][1].subnet"."""

from __future__ import annotations

from cni.protocol import ip
from cni.protocol.errors import CniError, invalid_config
from cni.protocol.jsontext import beginning
from cni.protocol.limits import ADDRESSES, ATTACHMENTS, LIST_ITEMS, NOTED_WARNINGS, ROUTES, SHOWN_CHARACTERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from cni.protocol.ip import IPAddress, IPInterface, IPNetwork

    T = TypeVar("T")


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
    (code 7) when the value has the wrong type or is out of bounds. at_most: how many entries a list
    may have, if not as many as MOST_ITEMS says.
    """

    __slots__ = ("_folded", "raw", "where")

    def __init__(self, raw: dict[str, object], where: str = "") -> None:
        self.raw = raw
        self.where = where
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

    def string(self, key: str, default: str = "") -> str:
        """Return a string. NUL is refused, since no path or name in the kernel can hold it."""
        value = self.get(key)
        return default if value is None else _string(self.name_of(key), value)

    def boolean(self, key: str, default: bool = False) -> bool:
        """Return true or false."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise refused(self.name_of(key), value, "true or false")
        return value

    def integer(self, key: str, default: int = 0, minimum: int | None = None, maximum: int | None = None) -> int:
        """Return an integer within the bounds, which are inclusive; `default` need not be."""
        value = self.optional_integer(key, minimum, maximum)
        return default if value is None else value

    def optional_integer(self, key: str, minimum: int | None = None, maximum: int | None = None) -> int | None:
        """Return an integer within the bounds, which are inclusive, or None when it is absent."""
        value = self.get(key)
        if value is None:
            return None
        return _integer(self.name_of(key), value, minimum, maximum)

    def integers(self, key: str, minimum: int | None = None, maximum: int | None = None) -> list[int]:
        """Return a list of integers within the bounds, which are inclusive, empty when absent."""
        return [_integer(field, item, minimum, maximum) for field, item in self._items(key, "integers")]

    def strings(self, key: str, at_most: int = 0) -> list[str]:
        """Return a list of strings, empty when absent."""
        return [_string(field, item) for field, item in self._items(key, "strings", at_most)]

    def section(self, key: str) -> Section:
        """Return an object, an empty one when absent."""
        value = self.get(key)
        return self._child({} if value is None else _object(self.name_of(key), value), self.name_of(key))

    def sections(self, key: str, at_most: int = 0) -> list[Section]:
        """Return a list of objects, empty when absent."""
        return [self._child(_object(field, item), field) for field, item in self._items(key, "objects", at_most)]

    def section_lists(self, key: str, at_most: int = 0, each: int = 0) -> list[list[Section]]:
        """Return a list of lists of objects, empty when absent. each: how many objects a list of them may have."""
        lists = []
        for field, value in self._items(key, "lists of objects", at_most):
            items = _list(field, value, "objects", each or LIST_ITEMS)
            lists.append([self._child(_object(name, item), name) for name, item in items])
        return lists

    def _child(self, raw: dict[str, object], where: str) -> Section:
        return Section(raw, where)

    def _items(self, key: str, wanted: str, at_most: int = 0) -> list[tuple[str, object]]:
        value = self.get(key)
        return (
            [] if value is None else _list(self.name_of(key), value, wanted, at_most or MOST_ITEMS.get(key, LIST_ITEMS))
        )

    def address(self, key: str) -> IPAddress | None:
        """Return an IP address without prefix length, None when absent or an empty string."""
        text = self.string(key)
        if not text:
            return None
        try:
            return ip.parse_address(text)
        except ValueError:
            raise refused(self.name_of(key), text, "an IP address such as 10.1.2.3 or fd00::1") from None

    def interface(self, key: str) -> IPInterface | None:
        """Return an IP address with its prefix length, None when absent."""
        if not self.has(key):
            return None
        text = self.string(key)
        try:
            return ip.parse_interface(text)
        except ValueError:
            wanted = "an address with prefix length such as 10.1.2.3/24 or fd00::1/64"
            raise refused(self.name_of(key), text, wanted) from None

    def network(self, key: str) -> IPNetwork | None:
        """Return a subnet, None when absent. Bits right of the prefix are cleared."""
        if not self.has(key):
            return None
        text = self.string(key)
        try:
            return ip.parse_network(text)
        except ValueError:
            raise refused(self.name_of(key), text, "a subnet such as 10.1.2.0/24 or fd00::/64") from None


class LenientSection(Section):
    """The same, for commands that have to succeed whatever stands there: what a Section would refuse counts as absent,
    and that is noted. So it is with the objects inside.

    warnings: takes what was noted, in words.
    """

    __slots__ = ("_warnings",)

    def __init__(self, raw: dict[str, object], where: str, warnings: list[str]) -> None:
        super().__init__(raw, where)
        self._warnings = warnings

    def _or(self, otherwise: T, read: Callable[..., T], *arguments: object) -> T:
        try:
            return read(*arguments)
        except CniError as e:
            note(self._warnings, e)
            return otherwise

    def string(self, key: str, default: str = "") -> str:
        """As Section does, or the default."""
        return self._or(default, super().string, key, default)

    def boolean(self, key: str, default: bool = False) -> bool:
        """As Section does, or the default."""
        return self._or(default, super().boolean, key, default)

    def optional_integer(self, key: str, minimum: int | None = None, maximum: int | None = None) -> int | None:
        """As Section does, or None."""
        return self._or(None, super().optional_integer, key, minimum, maximum)

    def integers(self, key: str, minimum: int | None = None, maximum: int | None = None) -> list[int]:
        """As Section does, or nothing."""
        return self._or([], super().integers, key, minimum, maximum)

    def strings(self, key: str, at_most: int = 0) -> list[str]:
        """As Section does, or nothing."""
        return self._or([], super().strings, key, at_most)

    def section(self, key: str) -> Section:
        """As Section does, or an empty one."""
        return self._or(self._child({}, self.name_of(key)), super().section, key)

    def sections(self, key: str, at_most: int = 0) -> list[Section]:
        """As Section does, or nothing."""
        return self._or([], super().sections, key, at_most)

    def section_lists(self, key: str, at_most: int = 0, each: int = 0) -> list[list[Section]]:
        """As Section does, or nothing."""
        return self._or([], super().section_lists, key, at_most, each)

    def address(self, key: str) -> IPAddress | None:
        """As Section does, or None."""
        return self._or(None, super().address, key)

    def interface(self, key: str) -> IPInterface | None:
        """As Section does, or None."""
        return self._or(None, super().interface, key)

    def network(self, key: str) -> IPNetwork | None:
        """As Section does, or None."""
        return self._or(None, super().network, key)

    def _child(self, raw: dict[str, object], where: str) -> Section:
        return LenientSection(raw, where, self._warnings)


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


def _integer(field: str, value: object, minimum: int | None, maximum: int | None) -> int:
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


def _object(field: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise refused(field, value, "an object")
    return value


def _list(field: str, value: object, wanted: str, at_most: int = LIST_ITEMS) -> list[tuple[str, object]]:
    """Return each item with its name. at_most: how many there may be."""
    if not isinstance(value, list):
        raise refused(field, value, f"a list of {wanted}")
    if len(value) > at_most:
        raise too_many(field, len(value), at_most)
    return [(f"{field}[{index}]", item) for index, item in enumerate(value)]
