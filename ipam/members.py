"""Members of an IPAM configuration that nobody knows: a misspelt one has no effect, and nothing else would tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cni.linux.log import Logger
from cni.protocol.config import NetConf
from cni.protocol.limits import RANGE_SETS, RANGES
from cni.protocol.section import Section, shown

IPAM = (
    "type", "name", "ranges", "subnet", "rangeStart", "rangeEnd", "gateway", "routes", "resolvConf", "dataDir",
    "addresses", "dns", "daemonSocketPath", "priority", "provide", "request",
)  # fmt: skip
"""What the reference plugins host-local, static and dhcp know: a configuration may have been for another of them."""

RANGE = ("subnet", "rangeStart", "rangeEnd", "gateway")
ADDRESS = ("address", "gateway", "version")
ROUTE = ("dst", "gw", "mtu", "advmss", "priority", "table", "scope")
DNS = ("nameservers", "domain", "search", "options")

MOST = 8
"""How many unknown members are named: more of them tell nothing more."""

LONGEST = 40
"""Beyond this length a name resembles none."""


def warn_of_unknown(conf: NetConf, log: Logger) -> None:
    """Log a warning for each unknown member of the configuration of a built-in type, which was found to make sense."""
    found = list(_unknown_in(conf))
    for section, name, known in found[:MOST]:
        log.warning(sentence(section, name, known))
    if len(found) > MOST:
        log.warning(f"and {len(found) - MOST} more members that are not known")


def _unknown_in(conf: NetConf) -> Iterator[tuple[Section, str, Collection[str]]]:
    """Give each unknown member: where it is, its name, and the names that are known there."""
    ipam = conf.ipam
    if ipam is None:
        return
    yield from unknown(ipam, IPAM)
    for place, key in ((conf.runtime_config, "ipRanges"), (ipam, "ranges")):
        for group in place.section_lists(key, RANGE_SETS, RANGES):
            for section in group:
                yield from unknown(section, RANGE)
    for section in ipam.sections("addresses"):
        yield from unknown(section, ADDRESS)
    for section in ipam.sections("routes"):
        yield from unknown(section, ROUTE)
    yield from unknown(ipam.section("dns"), DNS)


def unknown(section: Section, known: Collection[str]) -> list[tuple[Section, str, Collection[str]]]:
    """Return each member whose name is none of those known, without regard to case, as `_unknown_in` gives it."""
    folded = {name.lower() for name in known}
    return [(section, name, known) for name in section.raw if name.lower() not in folded]


def sentence(section: Section, name: str, known: Collection[str]) -> str:
    """Return what to say of an unknown member. The nearest known name is looked for only here: that takes a while."""
    near = nearest(name, known)
    hint = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
    where = f" in {section.where}" if section.where else ""
    return f"member {shown(name)}{where} is not known and has no effect; {hint}"


def nearest(name: str, known: Collection[str]) -> str:
    """Return the known name that most resembles this one, empty when none does: for two of three letters of the longer
    one, in this order or with the words in another order (startRange).
    """
    if not name or len(name) > LONGEST:
        return ""
    distance, best = min((_distance_of_names(name, one), one) for one in known)
    return best if distance * 3 <= max(len(name), len(best)) else ""


def _distance_of_names(one: str, other: str) -> int:
    as_written = distance(one.lower(), other.lower())
    return min(as_written, distance(_words_sorted(one), _words_sorted(other)) + 1)


def _words_sorted(name: str) -> str:
    """Return the words of a name, such as rangeStart or range_start, in the order of the alphabet and joined."""
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in name)
    return "".join(sorted(spaced.replace("_", " ").replace("-", " ").lower().split()))


def distance(one: str, other: str) -> int:
    """Return how many letters have to be put in, taken out or replaced to make one text of the other (Levenshtein)."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, other_letter in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != other_letter))
    return row[-1]
