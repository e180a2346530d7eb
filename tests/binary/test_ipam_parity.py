"""Our host-local and static beside the reference ones: the same answers and the same files, and one store for both."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support import node, plugin
from tests.support.plugin import DIST, REFERENCE, Outcome, with_dns

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0")
"""What the reference 1.1.1 knows; 1.1.0 came with the plugins 1.5."""

BOTH_WAYS = pytest.mark.parametrize("we_begin", [False, True], ids=["theirs-then-ours", "ours-then-theirs"])


@pytest.fixture(autouse=True)
def allowed(tmp_path: Path) -> Iterator[None]:
    """The node's administrator allows stores, and a resolv.conf, in the folder of the test."""
    with node.configured(dataDirs=[str(tmp_path)], resolvConfDirs=[str(tmp_path)]):
        yield


class Ipam:
    """An IPAM plugin called as another plugin would call it. folder: whose executable."""

    def __init__(self, folder: str, ipam: dict[str, Any], version: str = "1.0.0", **top: Any) -> None:
        self.folder = folder
        self.conf = {"cniVersion": version, "name": "net", "type": "macvlan", "ipam": ipam, **top}

    def call(self, command: str, container_id: str = "c1", ifname: str = "net1", args: str = "", **top: Any) -> Outcome:
        """Give one command; `top` goes on top of the configuration."""
        variables = plugin.environment(command, container_id, "/run/netns/pod", ifname, args or None, "/nonexistent")
        stdin = json.dumps({**self.conf, **top}).encode()
        return plugin.run(plugin.binary(self.conf["ipam"]["type"], self.folder), stdin, variables)


class Pair:
    """Both implementations of host-local with the same configuration, each with a store of its own."""

    def __init__(self, reference: str, folder: Path, ipam: dict[str, Any], version: str = "1.0.0", **top: Any) -> None:
        self.their_store, self.our_store = str(folder / "theirs"), str(folder / "ours")
        self.theirs, self.ours = (
            Ipam(whose, {"type": "host-local", **ipam, "dataDir": store}, version, **top)
            for whose, store in ((reference, self.their_store), (DIST, self.our_store))
        )

    def same(self, command: str, *arguments: str, **top: Any) -> dict[str, Any] | None:
        """Give one command to both; assert that answers and stores are the same. Return the result, None on failure.

        Error codes differ on purpose: the reference answers 999 to nearly everything.
        """
        theirs, ours = self.theirs.call(command, *arguments, **top), self.ours.call(command, *arguments, **top)
        assert ours.status == theirs.status, (theirs, ours)
        if theirs.status == 0:
            assert ours.stdout.strip() == "" if theirs.stdout.strip() == "" else ours.json == with_dns(theirs.json)
        else:
            assert refusal(ours) == refusal(theirs)
        assert tree(self.our_store) == {path: self._ours(*entry) for path, entry in tree(self.their_store).items()}
        return (ours.json if ours.stdout.strip() else {}) if ours.status == 0 else None

    def _ours(self, mode: int, content: bytes) -> tuple[int, bytes]:
        """Return what we have for an entry of their store: their newest lets only root read."""
        return (0o644 if mode == 0o600 and self.theirs.folder != REFERENCE else mode, content)


def refusal(outcome: Outcome, code: int | None = None) -> str:
    """Assert failure, with the code if one is given, and return the message. (1.1.1 leaves cniVersion out.)"""
    assert outcome.status == 1, outcome
    assert code is None or outcome.json["code"] == code, outcome
    return str(outcome.json["msg"])


def tree(folder: str) -> dict[str, tuple[int, bytes]]:
    """Return everything below a folder with mode and content."""
    found = {}
    for root, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(root, name)
            content = b""
            if name in names:
                with open(path, "rb") as file:
                    content = file.read()
            found[os.path.relpath(path, folder)] = (stat.S_IMODE(os.lstat(path).st_mode), content)
    return found


def one_set(*ranges: dict[str, str]) -> dict[str, Any]:
    return {"ranges": [list(ranges)]}


SMALL = {"subnet": "10.1.0.0/29"}
DUAL = {"ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00:1::/64"}]]}
ROUTES = [{"dst": "0.0.0.0/0"}, {"dst": "10.9.0.0/16", "gw": "10.1.0.9"}, {"dst": "::/0", "gw": "fd00:1::9"}]

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "v4": {"subnet": "10.1.0.0/24"},
    "v4-smallest": {"subnet": "10.1.0.0/30"},
    "v4-bounds": {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.7", "rangeEnd": "10.1.0.9", "gateway": "10.1.0.8"},
    "v4-one-address": {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.251", "rangeEnd": "10.1.0.251"},
    "v4-mapped": {"subnet": "10.1.0.0/24", "rangeStart": "::ffff:10.1.0.9"},
    "v4-empty-strings": {"subnet": "10.1.0.0/24", "rangeStart": "", "rangeEnd": "", "gateway": ""},
    "v4-only-the-gateway": {"subnet": "10.1.0.0/30", "rangeStart": "10.1.0.1", "rangeEnd": "10.1.0.1"},
    "v6": {"subnet": "fd00:1::/64"},
    "v6-smallest": {"subnet": "fd00:1::/126"},
    "v6-spelling": {"subnet": "fd00:0:0:1:0:0:0:0/64", "rangeStart": "fd00:0:0:1:0:0:1:0", "gateway": "FD00:0:0:1::F"},
    "dual": {**DUAL, "routes": ROUTES},
    "two-ranges": one_set({"subnet": "10.1.0.0/30"}, {"subnet": "10.2.0.0/30"}),
    "two-sets": {"ranges": [[{"subnet": "10.1.0.0/29"}], [{"subnet": "10.2.0.0/28"}]]},
    "both-forms": {"subnet": "10.3.0.0/24", **DUAL},
    "large": {"subnet": "10.0.0.0/8", "rangeStart": "10.0.0.255"},
}


@pytest.mark.tried(
    "plugins", "host-local: the same answers and files through ADD, CHECK, DEL of some attachments, in every version"
)
@pytest.mark.differs(
    "host-local",
    theirs="the newest let only root read the store's files (0600)",
    ours="lets everybody (0644), as before",
    why="who watches a node's addresses does not need root for it",
)
@pytest.mark.parametrize("ipam", [pytest.param(value, id=name) for name, value in CONFIGURATIONS.items()])
def test_life_of_some_attachments(tmp_path: Path, ipam: dict[str, Any], reference: str) -> None:
    """ADDs until a small range is full, DELs, duplicates, CHECKs, and round again: always the same as the reference."""
    pair = Pair(reference, tmp_path, ipam)
    for container_id in ("c1", "c2", "c3"):
        pair.same("ADD", container_id)
    pair.same("ADD", "c1")
    pair.same("ADD", "c1", "net2")
    pair.same("CHECK", "c1")
    pair.same("CHECK", "c9")
    pair.same("DEL", "c1")
    pair.same("DEL", "c1")
    pair.same("CHECK", "c1")
    pair.same("ADD", "c4")
    for container_id in ("c2", "c3", "c4"):
        pair.same("DEL", container_id)
    pair.same("ADD", "c5")


@pytest.mark.differs(
    "host-local",
    theirs="the newest refuse a gateway that is not in the subnet, 1.1.1 takes it",
    ours="takes it",
    why="networks that were made with older plugins go on working",
)
def test_a_gateway_elsewhere(tmp_path: Path, reference: str) -> None:
    """It is the result's gateway, and none of the range's addresses is kept for it."""
    pair = Pair(reference, tmp_path, {"subnet": "10.1.0.0/24", "gateway": "10.2.0.1"})
    if reference == REFERENCE:
        pair.same("ADD")
        pair.same("DEL")
        return
    assert "gateway 10.2.0.1 not in network 10.1.0.0/24" in refusal(pair.theirs.call("ADD"))
    assert pair.ours.call("ADD").ok()["ips"] == [{"address": "10.1.0.1/24", "gateway": "10.2.0.1"}]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "ipam",
    [
        pytest.param({"subnet": "10.1.0.0/24", "routes": ROUTES[:2]}, id="v4"),
        pytest.param({"subnet": "fd00:1::/64", "routes": ROUTES[2:]}, id="v6"),
        pytest.param({**DUAL, "routes": ROUTES}, id="dual"),
        pytest.param(CONFIGURATIONS["two-sets"], id="two-sets"),
    ],
)
def test_versions(tmp_path: Path, version: str, ipam: dict[str, Any], reference: str) -> None:
    """Each has its own form of result; before 0.3.0 two addresses of a family are refused."""
    pair = Pair(reference, tmp_path, ipam, version)
    if pair.same("ADD") is not None:
        pair.same("DEL")


def test_no_version_means_the_oldest(tmp_path: Path, reference: str) -> None:
    pair = Pair(reference, tmp_path, {**DUAL, "routes": ROUTES}, "")
    del pair.theirs.conf["cniVersion"], pair.ours.conf["cniVersion"]
    result = pair.same("ADD")
    assert result is not None
    assert result["cniVersion"] == "0.1.0"


def test_current_version(tmp_path: Path) -> None:
    """1.1.0, which the Debian reference does not know, brings attributes of routes."""
    route = {
        "dst": "10.9.0.0/16",
        "gw": "10.1.0.9",
        "mtu": 1400,
        "advmss": 1360,
        "priority": 5,
        "table": 7,
        "scope": 253,
    }
    ipam = {"type": "host-local", "subnet": "10.1.0.0/24", "routes": [route], "dataDir": str(tmp_path)}
    assert Ipam(DIST, ipam, "1.1.0").call("ADD").ok() == {
        "cniVersion": "1.1.0",
        "ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"}],
        "routes": [route],
        "dns": {},
    }


@pytest.mark.parametrize(
    ("args", "top"),
    [
        pytest.param("IP=10.1.0.9", {}, id="CNI_ARGS"),
        pytest.param("IP=10.1.0.9/24", {}, id="CNI_ARGS-length"),
        pytest.param("IP=", {}, id="CNI_ARGS-empty"),
        pytest.param("IgnoreUnknown=1;X=y;IP=10.1.0.9", {}, id="CNI_ARGS-unknown"),
        pytest.param("", {"args": {"cni": {"ips": ["10.1.0.9"]}}}, id="args"),
        pytest.param("", {"args": {"cni": {"ips": []}}}, id="args-empty"),
        pytest.param("", {"args": {"cni": {"ips": ["fd00:1::9/64", "10.1.0.9/24"]}}}, id="args-dual"),
        pytest.param("", {"runtimeConfig": {"ips": ["10.1.0.9/16"]}}, id="runtime"),
        pytest.param("", {"runtimeConfig": {"ips": ["10.1.0.9", "10.1.0.9"]}}, id="runtime-twice"),
        pytest.param("IP=10.1.0.9", {"runtimeConfig": {"ips": ["fd00:1::9"]}}, id="two-places"),
        pytest.param("", {"runtimeConfig": {"ipRanges": [[{"subnet": "10.8.0.0/24"}]]}}, id="ipRanges"),
        pytest.param("IP=10.1.0.1", {}, id="gateway"),
    ],
)
def test_requested(tmp_path: Path, args: str, top: dict[str, Any], reference: str) -> None:
    """Requested addresses, and whoever asks for the same ones or for the next ones after that."""
    pair = Pair(reference, tmp_path, DUAL, **top)
    if args == "IP=10.1.0.1":  # the reference makes the folder before it refuses
        assert refusal(pair.ours.call("ADD", args=args)) == refusal(pair.theirs.call("ADD", args=args))
        return
    pair.same("ADD", "c1", "net1", args)
    pair.same("ADD", "c2", "net1", args)
    pair.same("DEL", "c1")
    pair.same("ADD", "c3", "net1", args)


def test_resolv_conf(tmp_path: Path, reference: str) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("#c\n;c\nnameserver 1.1.1.1 # x\n nameserver 2.2.2.2\ndomain a b\nsearch x y\nsearch z\n"
                    "options ndots:5 rotate\nnameserver\nfoo bar\n")  # fmt: skip
    pair = Pair(reference, tmp_path, {"subnet": "10.1.0.0/24", "resolvConf": str(path)})
    result = pair.same("ADD")
    assert result is not None
    assert result["dns"]["nameservers"] == ["1.1.1.1", "2.2.2.2"]


REFUSED: dict[str, dict[str, Any]] = {
    "no IP ranges specified": {},
    "invalid range set 0: empty range set": {"ranges": [[]]},
    "invalid range set 0: mixed address families": one_set({"subnet": "10.1.0.0/24"}, {"subnet": "fd00::/64"}),
    "invalid range set 0: subnets 10.1.0.1-10.1.0.254 and 10.1.0.1-10.1.255.254 overlap": one_set(
        {"subnet": "10.1.0.0/24"}, {"subnet": "10.1.0.0/16"}
    ),
    "range set 0 overlaps with 1": {"ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "10.1.0.0/16"}]]},
    "host bits set": {"subnet": "10.1.0.7/24"},
    "RangeStart 10.2.0.1 not in network 10.1.0.0/24": {"subnet": "10.1.0.0/24", "rangeStart": "10.2.0.1"},
    "RangeEnd 10.2.0.1 not in network 10.1.0.0/24": {"subnet": "10.1.0.0/24", "rangeEnd": "10.2.0.1"},
    "RangeStart fd00::1 not in network 10.1.0.0/24": {"subnet": "10.1.0.0/24", "rangeStart": "fd00::1"},
    "foo": {"subnet": "foo"},
    "bar": {"subnet": "10.1.0.0/24", "rangeStart": "bar"},
    "baz": {"subnet": "10.1.0.0/24", "gateway": "baz"},
    "qux": {"subnet": "10.1.0.0/24", "routes": [{"dst": "qux"}]},
    "quux": {"subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0", "gw": "quux"}]},
    "/nonexistent/resolv.conf": {"subnet": "10.1.0.0/24", "resolvConf": "/nonexistent/resolv.conf"},
}


@pytest.mark.differs(
    "host-local",
    theirs="answers nearly every error with code 999",
    ours="the codes of the specification; 999 where none fits",
    why="a runtime can tell a wrong configuration from one to try again",
)
@pytest.mark.parametrize("words", REFUSED)
def test_both_refuse(tmp_path: Path, words: str, reference: str) -> None:
    """With the same essential words. Ours has the specification's code, names the field, and leaves no file."""
    pair = Pair(reference, tmp_path, REFUSED[words])
    assert words in refusal(pair.theirs.call("ADD"), 999)
    assert words in refusal(pair.ours.call("ADD"), 7)
    assert not os.path.exists(pair.our_store)


@pytest.mark.differs(
    "host-local",
    theirs="refuses /31, /32, /127 and /128",
    ours="gives out their addresses",
    why="RFC 3021 and RFC 6164 have links of two addresses",
)
@pytest.mark.parametrize(
    ("subnet", "given"),
    [
        ("10.1.0.0/31", ["10.1.0.0/31", "10.1.0.1/31"]),
        ("10.1.0.1/32", ["10.1.0.1/32"]),
        ("fd00::/127", ["fd00::/127", "fd00::1/127"]),
        ("fd00::7/128", ["fd00::7/128"]),
    ],
)
def test_subnets_that_the_reference_refuses(tmp_path: Path, subnet: str, given: list[str], reference: str) -> None:
    """Both addresses of a link of two, and a pool of one (RFC 3021, RFC 6164): all are given out, without a gateway."""
    pair = Pair(reference, tmp_path, {"subnet": subnet, "routes": [{"dst": "0.0.0.0/0"}]})
    assert "too small to allocate from" in refusal(pair.theirs.call("ADD"), 999)
    for number, address in enumerate(given):
        result = pair.ours.call("ADD", f"c{number}").ok()
        assert result["ips"] == [{"address": address}]
        pair.ours.call("CHECK", f"c{number}", prevResult=result).ok()
    assert "no IP addresses available" in refusal(pair.ours.call("ADD", "more"), 999)


@pytest.mark.parametrize("args", ["IP=foo", "X=y", "IP=10.1.0.9;X=y", "IP"])
def test_both_refuse_cni_args(tmp_path: Path, args: str, reference: str) -> None:
    pair = Pair(reference, tmp_path, SMALL)
    refusal(pair.theirs.call("ADD", args=args), 999)
    assert "CNI_ARGS" in refusal(pair.ours.call("ADD", args=args), 4)
    assert not os.path.exists(pair.our_store)


def test_both_refuse_what_is_in_no_range(tmp_path: Path, reference: str) -> None:
    """We find out before anything is allocated; the reference allocates first and keeps its traces."""
    pair = Pair(reference, tmp_path, SMALL)
    theirs, ours = pair.theirs.call("ADD", args="IP=10.2.0.1"), pair.ours.call("ADD", args="IP=10.2.0.1")
    assert refusal(ours, 7) == refusal(theirs) == "failed to allocate all requested IPs: 10.2.0.1"
    assert not os.path.exists(pair.our_store)


def test_a_set_that_is_full_costs_the_other_nothing(tmp_path: Path, reference: str) -> None:
    """Both give the first set's address back; the reference has moved its round robin on by then, ours has not."""
    pair = Pair(reference, tmp_path, {"ranges": [[{"subnet": "10.1.0.0/29"}], [{"subnet": "10.2.0.0/30"}]]})
    pair.same("ADD", "c1")
    before = tree(pair.our_store)
    theirs, ours = pair.theirs.call("ADD", "c2"), pair.ours.call("ADD", "c2")
    assert refusal(ours) == refusal(theirs)
    assert "for range 1: no IP addresses available in range set: 10.2.0.1-10.2.0.2" in refusal(ours)
    assert tree(pair.our_store) == before


def test_exhausted_and_duplicate_keep_the_words_and_codes_that_alerts_look_for(tmp_path: Path, reference: str) -> None:
    pair = Pair(reference, tmp_path, {"subnet": "10.1.0.0/30"})
    pair.same("ADD", "c1")
    for whose in (pair.theirs, pair.ours):
        duplicate = refusal(whose.call("ADD", "c1"), 999)
        assert "10.1.0.2 has been allocated to c1, duplicate allocation is not allowed" in duplicate
        exhausted = refusal(whose.call("ADD", "c2"), 999)
        assert "no IP addresses available in range set: 10.1.0.1-10.1.0.2" in exhausted


# One store -----------------------------------------------------------------------------------------------------------


@pytest.mark.tried(
    "plugins", "host-local: one store for both, each releases what the other allocated; 200 at once, half by each"
)
@BOTH_WAYS
def test_each_finishes_what_the_other_began(tmp_path: Path, we_begin: bool, reference: str) -> None:
    first, second = (DIST, reference) if we_begin else (reference, DIST)
    ipam = {"type": "host-local", **DUAL, "dataDir": str(tmp_path)}
    one, other = Ipam(first, ipam), Ipam(second, ipam)
    result = one.call("ADD").ok()
    other.call("CHECK", prevResult=result).ok()
    assert "has been allocated to c1" in refusal(other.call("ADD"))
    assert other.call("ADD", "c2").ok()["ips"][0]["address"] == "10.1.0.3/24"
    assert one.call("ADD", "c3").ok()["ips"][1]["address"] == "fd00:1::4/64"
    for container_id in ("c1", "c2", "c3"):
        other.call("DEL", container_id).ok()
    assert sorted(os.listdir(tmp_path / "net")) == ["last_reserved_ip.0", "last_reserved_ip.1", "lock"]


def test_200_at_once_half_by_each(tmp_path: Path, reference: str) -> None:
    """No address twice and none lost; then each releases what the other allocated, again all at once."""
    ipam = {"type": "host-local", "subnet": "10.1.0.0/24", "dataDir": str(tmp_path)}
    both = (Ipam(reference, ipam), Ipam(DIST, ipam))
    attachments = [(f"c{number}", both[number % 2], both[1 - number % 2]) for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda one: one[1].call("ADD", one[0]), attachments))
        given = [outcome.ok()["ips"][0]["address"].split("/")[0] for outcome in outcomes]
        assert len(set(given)) == 200
        for address, (container_id, _, _) in zip(given, attachments, strict=True):
            assert (tmp_path / "net" / address).read_bytes() == f"{container_id}\r\nnet1".encode()
        assert len(os.listdir(tmp_path / "net")) == 202
        for outcome in pool.map(lambda one: one[2].call("DEL", one[0]), attachments):
            outcome.ok()
    assert sorted(os.listdir(tmp_path / "net")) == ["last_reserved_ip.0", "lock"]


@BOTH_WAYS
def test_files_of_old_versions(tmp_path: Path, we_begin: bool, reference: str) -> None:
    """The container ID alone: both know it as the container's and release it."""
    first, second = (DIST, reference) if we_begin else (reference, DIST)
    ipam = {"type": "host-local", **SMALL, "dataDir": str(tmp_path)}
    os.makedirs(tmp_path / "net")
    (tmp_path / "net" / "10.1.0.5").write_text("c1\n")
    assert "10.1.0.5 has been allocated to c1" in refusal(Ipam(first, ipam).call("ADD"))
    Ipam(second, ipam).call("CHECK").ok()
    Ipam(first, ipam).call("DEL").ok()
    assert os.listdir(tmp_path / "net") == ["lock"]


def test_the_reference_is_not_disturbed_by_our_unfinished_file(tmp_path: Path, reference: str) -> None:
    ipam = {"type": "host-local", **SMALL, "dataDir": str(tmp_path)}
    os.makedirs(tmp_path / "net")
    (tmp_path / "net" / ".tmp-10.1.0.2-4711").write_text("c1\r\nnet1")
    assert Ipam(reference, ipam).call("ADD", "c1").ok()["ips"][0]["address"] == "10.1.0.2/29"
    Ipam(DIST, ipam).call("DEL", "c1").ok()
    assert sorted(os.listdir(tmp_path / "net")) == ["last_reserved_ip.0", "lock"]


@pytest.mark.differs(
    "host-local",
    theirs="1.1.1 has no GC and no STATUS, STATUS of the newest is content with a range that is full",
    ours="STATUS says 50, with the range",
    why="the specification: STATUS is to fail when an ADD would",
)
def test_gc_and_status_with_the_references_files(tmp_path: Path, reference: str) -> None:
    ipam = {"type": "host-local", "subnet": "10.1.0.0/29", "dataDir": str(tmp_path)}
    theirs, ours = Ipam(reference, ipam), Ipam(DIST, ipam, "1.1.0")
    for number in range(5):
        ours.call("STATUS").ok()
        theirs.call("ADD", f"c{number}").ok()
    assert "10.1.0.1-10.1.0.6" in refusal(ours.call("STATUS"), 50)
    listed = [{"containerID": "c3", "ifname": "net1"}, {"containerID": "c1", "ifname": "net2"}]
    valid: dict[str, Any] = {"cni.dev/valid-attachments": listed}
    ours.call("GC").ok()  # without a list: what may belong to somebody who lives stays
    assert len(os.listdir(tmp_path / "net")) == 7
    ours.call("GC", **valid).ok()
    assert sorted(os.listdir(tmp_path / "net")) == ["10.1.0.5", "last_reserved_ip.0", "lock"]
    ours.call("STATUS").ok()


# static --------------------------------------------------------------------------------------------------------------

A4 = {"address": "10.1.0.5/24", "gateway": "10.1.0.1"}
A6 = {"address": "fd00:1::5/64", "gateway": "fd00:1::1"}
DNS = {"nameservers": ["1.1.1.1"], "domain": "d", "search": ["s", "t"], "options": ["o"]}
ARGS: dict[str, Any] = {"args": {"cni": {"ips": ["10.4.0.5/24"]}}}
RUNTIME: dict[str, Any] = {"runtimeConfig": {"ips": ["10.3.0.5/24", "fd00:3::5/64"]}}

STATIC = [
    pytest.param({"addresses": [A4]}, "", {}, id="v4"),
    pytest.param({"addresses": [A6]}, "", {}, id="v6"),
    pytest.param({"addresses": [A4, A6], "routes": ROUTES, "dns": DNS}, "", {}, id="dual-routes-dns"),
    pytest.param({"addresses": [A4, A4]}, "", {}, id="two-of-a-family"),
    pytest.param({}, "", {}, id="none"),
    pytest.param({"addresses": [{"address": "10.1.0.5/24", "gateway": "0.0.0.0"}]}, "", {}, id="gateway-0.0.0.0"),
    pytest.param({"addresses": [{"address": "10.1.0.5/24", "gateway": "10.9.0.1"}]}, "", {}, id="gateway-elsewhere"),
    pytest.param({"addresses": [{"address": "10.1.0.5/24", "gateway": ""}]}, "", {}, id="gateway-empty"),
    pytest.param({"addresses": [{"address": "::ffff:10.1.0.5/120"}]}, "", {}, id="mapped"),
    pytest.param({"addresses": [A4]}, "IP=10.2.0.5/24", {}, id="CNI_ARGS"),
    pytest.param({"addresses": [A4]}, "IP=10.2.0.5/24, fd00::3/64;GATEWAY=10.2.0.1, fd00::1", {}, id="CNI_ARGS-two"),
    pytest.param({"addresses": [A4]}, "GATEWAY=10.1.0.9", {}, id="GATEWAY-alone"),
    pytest.param({"addresses": [A4]}, "IP=;GATEWAY=", {}, id="CNI_ARGS-empty"),
    pytest.param({"addresses": [A4]}, "IP=10.2.0.5/24", ARGS, id="args"),
    pytest.param({"addresses": [A4]}, "", RUNTIME, id="runtime"),
    pytest.param({"addresses": [A4]}, "IP=10.2.0.5/24;GATEWAY=10.3.0.1", {**ARGS, **RUNTIME}, id="all"),
    pytest.param({"addresses": [{"address": "placeholder"}]}, "", RUNTIME, id="placeholder"),
    pytest.param({"addresses": [A4], "dns": {}}, "", {"dns": DNS}, id="dns-of-the-network"),
]


@pytest.mark.tried("plugins", "static: the same answers in every version")
@pytest.mark.differs(
    "static",
    theirs="the newest leave an empty `dns` out of the result",
    ours="writes `{}`, as all did; so do the other plugins",
    why="who reads a result finds the same as before",
)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("ipam", "args", "top"), STATIC)
def test_static(ipam: dict[str, Any], args: str, top: dict[str, Any], version: str, reference: str) -> None:
    both = [Ipam(folder, {"type": "static", **ipam}, version, **top) for folder in (reference, DIST)]
    theirs, ours = (one.call("ADD", args=args) for one in both)
    assert ours.status == theirs.status, (theirs, ours)
    if theirs.status == 0:
        assert ours.json == with_dns(theirs.json)
    else:
        assert refusal(ours) == refusal(theirs)
    for one in both:
        assert one.call("DEL").stdout.strip() == ""


@pytest.mark.parametrize(
    ("ipam", "args", "top", "code", "words"),
    [
        pytest.param(
            {"addresses": [{"address": "10.1.0.5"}]}, "", {}, 7, ["CIDR notation", "10.1.0.5"], id="no length"
        ),
        pytest.param({"addresses": [{"address": "foo"}]}, "", {}, 7, ["CIDR notation", "foo"], id="junk"),
        pytest.param({"addresses": [{}]}, "", {}, 7, ["address"], id="missing"),
        pytest.param({"addresses": [{**A4, "gateway": "foo"}]}, "", {}, 7, ["foo"], id="gateway"),
        pytest.param({"addresses": [A4], "routes": [{"dst": "foo"}]}, "", {}, 7, ["foo"], id="route"),
        pytest.param({}, "IP=10.2.0.5", {}, 4, ["CIDR notation", "10.2.0.5"], id="CNI_ARGS"),
        pytest.param({}, "IP=10.2.0.5/24;GATEWAY=foo", {}, 4, ["foo"], id="GATEWAY"),
        pytest.param({}, "", {"runtimeConfig": {"ips": ["10.2.0.5"]}}, 7, ["CIDR notation", "10.2.0.5"], id="runtime"),
        pytest.param({}, "", {"args": {"cni": {"ips": ["foo"]}}, **RUNTIME}, 7, ["CIDR notation", "foo"], id="args"),
    ],
)
def test_static_both_refuse(
    ipam: dict[str, Any], args: str, top: dict[str, Any], code: int, words: list[str], reference: str
) -> None:
    both = [Ipam(folder, {"type": "static", **ipam}, **top) for folder in (reference, DIST)]
    theirs, ours = (one.call("ADD", args=args) for one in both)
    assert [word for word in words if word not in refusal(theirs)] == [], theirs
    assert [word for word in words if word not in refusal(ours, code)] == [], ours


@pytest.mark.differs(
    "static",
    theirs="CHECK is content when an address is missing",
    ours="it is an error",
    why="CHECK is there to find that",
)
@pytest.mark.parametrize(
    ("ips", "both_fail"),
    [
        pytest.param([A4], False, id="there"),
        pytest.param([A6, A4], False, id="there-with-another"),
        pytest.param([{**A4, "gateway": "10.1.0.2"}], True, id="another-gateway"),
        pytest.param([{"address": A4["address"]}], True, id="no-gateway"),
    ],
)
def test_static_check(ips: list[dict[str, str]], both_fail: bool, reference: str) -> None:
    both = [Ipam(folder, {"type": "static", "addresses": [A4]}) for folder in (reference, DIST)]
    theirs, ours = (one.call("CHECK", prevResult={"cniVersion": "1.0.0", "ips": ips}) for one in both)
    if not both_fail:
        theirs.ok()
        ours.ok()
        return
    assert refusal(ours) == refusal(theirs) == "static: Failed to match addr 10.1.0.5 on interface net1"
