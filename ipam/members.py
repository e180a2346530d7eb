"""Members of an IPAM configuration that nobody knows: a misspelt one has no effect, and nothing else would tell."""

from __future__ import annotations

from collections.abc import Collection

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
    ipam = conf.ipam or Section({})
    groups = conf.runtime_config.section_lists("ipRanges", RANGE_SETS, RANGES)
    groups += ipam.section_lists("ranges", RANGE_SETS, RANGES)
    places = [
        ([ipam], IPAM), *((group, RANGE) for group in groups), (ipam.sections("addresses"), ADDRESS),
        (ipam.sections("routes"), ROUTE), ([ipam.section("dns")], DNS),
    ]  # fmt: skip
    found = [
        (section, name, known) for sections, known in places for section in sections for name in unknown(section, known)
    ]
    for section, name, known in found[:MOST]:
        log.warning(sentence(section, name, known))
    if len(found) > MOST:
        log.warning(f"and {len(found) - MOST} more members that are not known")


def unknown(section: Section, known: Collection[str]) -> list[str]:
    """Return the names of members that are none of those known, without regard to case."""
    folded = {name.lower() for name in known}
    return [name for name in section.raw if name.lower() not in folded]


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
    best_distance, best = min(
        (min(distance(name.lower(), one.lower()), distance(_words_sorted(name), _words_sorted(one)) + 1), one)
        for one in known
    )
    return best if best_distance * 3 <= max(len(name), len(best)) else ""


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
