"""Bad input through the executables: the code of the specification, a message that names field and value, no effect."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import net, plugin
from tests.support.net import HOST
from tests.support.plugin import Outcome
from tests.support.untouched import untouched

INCOMPATIBLE_VERSION, BAD_ENVIRONMENT, DECODING_FAILURE, INVALID_CONFIG, GENERIC = 1, 4, 6, 7, 999
PLUGINS = ("host-device", "host-local", "static")
HOST_LOCAL = {"type": "host-local", "subnet": "10.77.0.0/24"}
STATIC = {"type": "static", "addresses": [{"address": "10.77.0.9/24"}]}


class Bench:
    """A device on the host and a pod to attach it to. Nothing that is tried here may change them."""

    def __init__(self) -> None:
        self.device, self._peer = net.new_device()
        HOST.ip("link", "set", self.device, "mtu", "1400", "alias", "of the administrator")
        self.pod = net.new_space()
        self.container_id = net.unique("container")

    def remove(self) -> None:
        """Delete both."""
        self.pod.delete()
        net.delete_device(self._peer)

    def conf(self, kind: str = "host-device", /, **changes: Any) -> dict[str, Any]:
        """Return a configuration for a plugin that would work, with changes; a value of None removes a key."""
        conf: dict[str, Any] = {"cniVersion": "1.1.0", "name": "bad-input", "type": kind}
        if kind == "host-device":
            conf |= {"device": self.device, "ipam": HOST_LOCAL}
        else:
            conf |= {"ipam": HOST_LOCAL if kind == "host-local" else STATIC}
        conf |= changes
        return {key: value for key, value in conf.items() if value is not None}

    def call(
        self,
        name: str = "host-device",
        command: str = "ADD",
        stdin: bytes | None = None,
        conf: dict[str, Any] | None = None,
        environ: dict[str, str | None] | None = None,
    ) -> Outcome:
        """Run a plugin with an environment that would work, but for the changes; None unsets a variable."""
        path = f"{plugin.DIST}:{plugin.REFERENCE}"
        variables: dict[str, str | None] = {
            **plugin.environment(command, self.container_id, self.pod.path, "net1", path=path),
            **(environ or {}),
        }
        if stdin is None:
            stdin = json.dumps(self.conf(name) if conf is None else conf).encode()
        given = {key: value for key, value in variables.items() if value is not None}
        return plugin.run(plugin.binary(name), stdin, given)

    def refused(self, outcome: Outcome, code: int, *fragments: str) -> None:
        """Assert that a plugin has failed as the specification wants it, in words that hold every fragment."""
        error = outcome.error(code)
        assert outcome.stdout.count("\n") > 0
        assert set(error) <= {"cniVersion", "code", "msg", "details"}
        said = f"{error['msg']}; {error.get('details', '')}"
        for fragment in fragments:
            assert fragment in said, said


@pytest.fixture(scope="module")
def module_bench() -> Iterator[Bench]:
    """One bench for all tests here: no test may change it."""
    bench = Bench()
    yield bench
    bench.remove()


@pytest.fixture
def bench(module_bench: Bench) -> Iterator[Bench]:
    """The bench, compared afterwards with what it was before the test."""
    with untouched(module_bench.pod):
        yield module_bench


def compact(value: Any) -> str:
    """Return a value as messages show it, or the beginning of it."""
    return json.dumps(value, separators=(",", ":"))[:40]


STDIN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "standard input is empty"),
    "blank": (b" \n\t", "standard input is empty"),
    "text": (b"hello", "not JSON"),
    "half an object": (b'{"cniVersion": "1.1.0",', "not JSON"),
    "trailing text": (b'{"cniVersion": "1.1.0"} and more', "not JSON"),
    "single quotes": (b"{'cniVersion': '1.1.0'}", "not JSON"),
    "not a number": (b'{"cniVersion": "1.1.0", "x": NaN}', "not JSON"),
    "control character": (b'{"cniVersion": "1.1\n.0"}', "not JSON"),
    "byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "zero bytes": (bytes(100), "not JSON"),
    "not UTF-8": (b'{"name": "\xff"}', "not UTF-8: byte 0xff at offset 10"),
    "UTF-16": ('{"cniVersion": "1.1.0"}'.encode("utf-16"), "not UTF-8: byte 0xff at offset 0"),
    "null": (b"null", "not a JSON object"),
    "list": (b'[{"cniVersion": "1.1.0"}]', "not a JSON object"),
    "string": (b'"1.1.0"', "not a JSON object"),
    "number": (b"1.1", "not a JSON object"),
    "nested lists": (b"[" * 200_000, "levels deep"),
    "nested objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "levels deep"),
    "nested in a field": (b'{"name": "x", "ipam": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "levels deep"),
    "2 MB": (json.dumps({"cniVersion": "1.1.0", "x": "y" * 2_000_000}).encode(), "longer than 1048576 bytes"),
    "2 MB of blanks": (b" " * 2_000_000 + b"{}", "longer than 1048576 bytes"),
}
"""What ADD does not take, and why not."""

STDIN_LATER: dict[str, tuple[bytes, str]] = {
    **{case: STDIN[case] for case in ("empty", "text", "not UTF-8", "null")},
    "nested lists": (b"[" * 200_000, "not JSON"),
    "5 MB": (json.dumps({"cniVersion": "1.1.0", "x": "y" * 5_000_000}).encode(), "longer than 4194304 bytes"),
}
"""What DEL, CHECK and GC do not take: more than ADD gives them a prevResult to read."""


@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize(("stdin", "message"), STDIN.values(), ids=STDIN)
def test_standard_input(bench: Bench, name: str, stdin: bytes, message: str) -> None:
    """Code 6, saying why it cannot be decoded."""
    bench.refused(bench.call(name, stdin=stdin), DECODING_FAILURE, "cannot decode", message)


@pytest.mark.parametrize("command", ["DEL", "CHECK", "GC", "STATUS"])
@pytest.mark.parametrize("case", STDIN_LATER)
def test_standard_input_of_other_commands(bench: Bench, command: str, case: str) -> None:
    """Every command that reads a configuration says the same."""
    stdin, message = STDIN_LATER[case]
    if command == "STATUS":  # like ADD
        message = {"5 MB": "longer than 1048576 bytes", "nested lists": "levels deep"}.get(case, message)
    elif command == "CHECK" and case == "nested lists":
        message = "levels deep"
    bench.refused(bench.call(command=command, stdin=stdin), DECODING_FAILURE, "cannot decode", message)


NO_STRING: tuple[Any, ...] = (5, 1.5, True, [], ["x"], {}, {"x": 1})
NO_OBJECT: tuple[Any, ...] = (5, "x", True, [], [{}])
NO_LIST: tuple[Any, ...] = (5, "x", True, {})
NO_INTEGER: tuple[Any, ...] = ("5", 1.5, True, [], {})


def placed(conf: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """Return the configuration with the member at a path such as `ipam.ranges[0][0].subnet` set, the rest as it is."""
    conf = json.loads(json.dumps(conf))
    place: Any = conf
    keys = field.replace("[0]", ".0").split(".")
    for key, following in itertools.pairwise(keys):
        empty: Any = [] if following == "0" else {}
        if key == "0":
            if not place:
                place.append(empty)
            place = place[0]
        else:
            place = place.setdefault(key, empty)
    place[keys[-1]] = value
    return conf


COMMON_TYPES = (
    *itertools.product(("name", "type", "ipam.type", "dns.domain"), NO_STRING),
    *itertools.product(("ipam", "runtimeConfig", "args", "args.cni", "dns", "prevResult"), NO_OBJECT),
    *itertools.product(("dns.nameservers", "dns.search", "dns.options"), (*NO_LIST, [5], [None], [["x"]])),
    ("prevResult.ips", 5),
    ("prevResult.ips", [5]),
    ("prevResult.ips[0].address", 5),
    ("prevResult.ips[0].address", "10.1.2.3"),
    ("prevResult.interfaces", {}),
    ("prevResult.interfaces[0].name", 5),
    ("prevResult.routes", "x"),
    ("prevResult.routes[0].dst", "x"),
    ("prevResult.dns", 5),
)
HOST_DEVICE_TYPES = tuple(
    itertools.product(("device", "hwaddr", "kernelpath", "pciBusID", "runtimeConfig.deviceID"), NO_STRING)
)
STATIC_TYPES = (
    *itertools.product(("ipam.addresses",), (*NO_LIST, [5], ["10.1.2.3/24"], [[]])),
    *itertools.product(
        ("ipam.addresses[0].address",), (5, [], "x", "", "10.1.2.3", "10.1.2.3/33", "10.1.2/24", "fd00::/129")
    ),
    *itertools.product(("ipam.addresses[0].gateway",), (5, [], "x", "10.1.2.3/24", "10.1.2.256", "fd00::g")),
    *itertools.product(("ipam.dns",), NO_OBJECT),
    *itertools.product(("ipam.dns.domain",), (5, [])),
    *itertools.product(("ipam.dns.nameservers", "ipam.dns.search", "ipam.dns.options"), (5, "x", [5])),
    *itertools.product(("runtimeConfig.ips", "args.cni.ips"), (5, "10.1.2.3/24", {}, [5])),
    ("runtimeConfig.ips", ["x"]),
    ("args.cni.ips", ["10.1.2.3/33"]),
)
ROUTE_TYPES = (
    *itertools.product(("ipam.routes",), (*NO_LIST, [5], ["0.0.0.0/0"])),
    *itertools.product(("ipam.routes[0].dst",), (5, [], "x", "", "0.0.0.0", "10.1.0.0/33")),
    *itertools.product(("ipam.routes[0].gw",), (5, [], "x", "10.1.2.3/24")),
    *itertools.product(
        tuple(f"ipam.routes[0].{key}" for key in ("mtu", "advmss", "priority", "table", "scope")),
        (*NO_INTEGER, -1, 1 << 40),
    ),
    ("ipam.routes[0].scope", 256),
)
RANGE_TYPES = tuple(
    itertools.product(
        (".subnet", ".rangeStart", ".rangeEnd", ".gateway"),
        (5, True, [], {}, "x", "10.77.0.0/33", "10.77.0.256", "fd00::g"),
    )
)
HOST_LOCAL_TYPES = (
    *((f"ipam{key}", value) for key, value in RANGE_TYPES),
    *((f"ipam.ranges[0][0]{key}", value) for key, value in RANGE_TYPES),
    *((f"runtimeConfig.ipRanges[0][0]{key}", value) for key, value in RANGE_TYPES),
    *itertools.product(("ipam.ranges", "runtimeConfig.ipRanges"), (*NO_LIST, [5], [{}], [[5]], ["10.77.0.0/24"])),
    *itertools.product(("ipam.dataDir", "ipam.resolvConf"), NO_STRING),
    *itertools.product(("runtimeConfig.ips", "args.cni.ips"), (5, "10.77.0.5", {}, [5], ["x"])),
)


def _cases(*tables: tuple[str, tuple[tuple[str, Any], ...]]) -> list[Any]:
    return [
        pytest.param(name, field, value, id=f"{name}: {field}={compact(value)}")
        for name, table in tables
        for field, value in table
    ]


def base_for(bench: Bench, name: str, field: str) -> dict[str, Any]:
    """Return a configuration that would work, in which the field is the only thing wrong."""
    conf = bench.conf(name)
    if field.startswith(("device", "hwaddr", "kernelpath", "pciBusID", "runtimeConfig.deviceID")):
        conf.pop("device")
    if field.startswith("ipam.ranges"):
        conf["ipam"] = {"type": "host-local"}
    if "anges[0][0]" in field and not field.endswith("subnet"):
        parent, _, key = field.partition("[")[0].partition(".")
        conf["ipam"] = {"type": "host-local"}
        conf[parent] = {**conf.get(parent, {}), key: [[{"subnet": "10.77.0.0/24"}]]}
    if field.startswith("ipam.routes[0]") and not field.endswith("dst"):
        conf["ipam"] = {**conf["ipam"], "routes": [{"dst": "192.168.0.0/16"}]}
    if field == "ipam.addresses[0].gateway":
        conf["ipam"] = {"type": "static", "addresses": [{"address": "10.1.2.3/24"}]}
    return conf


@pytest.mark.parametrize(
    ("name", "field", "value"),
    _cases(
        ("host-device", COMMON_TYPES),
        ("host-device", HOST_DEVICE_TYPES),
        ("static", STATIC_TYPES),
        ("static", ROUTE_TYPES),
        ("host-local", HOST_LOCAL_TYPES),
        ("host-local", ROUTE_TYPES),
    ),
)
def test_wrong_type_or_value(bench: Bench, name: str, field: str, value: Any) -> None:
    """Code 7, naming the whole path of the field and the value."""
    outcome = bench.call(name, conf=placed(base_for(bench, name, field), field, value))
    bench.refused(outcome, INVALID_CONFIG, field)
    # A wrong item of a list is named with its place, and its own value is shown.
    inner = value
    while isinstance(inner, list) and inner:
        inner = inner[0]
    said = outcome.json["msg"] + outcome.json.get("details", "")
    assert any(compact(shown).strip('"') in said for shown in (value, inner)), said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ipam.subnet", 5),
        ("ipam.subnet", "10.77.0.0"),
        ("ipam.routes", "x"),
        ("ipam.rangeStart", "10.78.0.1"),
        ("runtimeConfig.ipRanges", [5]),
    ],
)
def test_ipam_through_host_device(bench: Bench, field: str, value: Any) -> None:
    """What the built-in IPAM refuses is refused before the device is touched."""
    outcome = bench.call(conf=placed(bench.conf(), field, value))
    bench.refused(outcome, INVALID_CONFIG, field.removeprefix("ipam."), compact(value).strip('"[]'))


@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize("version", ["9.9.9", "1.2.0", "1.1", "v1.1.0", "1.1.0 ", "latest", "-1"])
def test_unknown_version(bench: Bench, name: str, version: str) -> None:
    """Code 1, with the versions that would do."""
    outcome = bench.call(name, conf=bench.conf(name, cniVersion=version))
    bench.refused(outcome, INCOMPATIBLE_VERSION, "incompatible CNI versions", "cniVersion", version, "0.4.0")


@pytest.mark.parametrize("value", NO_STRING, ids=compact)
def test_version_of_another_type(bench: Bench, value: Any) -> None:
    """Code 7: there is no version to disagree with."""
    bench.refused(bench.call(conf=bench.conf(cniVersion=value)), INVALID_CONFIG, "cniVersion", compact(value))


@pytest.mark.parametrize("command", ["ADD", "GC"])
@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize("network", [None, ""], ids=["none", "empty"])
def test_missing_name(bench: Bench, name: str, network: str | None, command: str) -> None:
    """Code 7, in the words of the reference."""
    conf = bench.conf(name, name=network)
    bench.refused(bench.call(name, command, conf=conf), INVALID_CONFIG, "missing network name")


@pytest.mark.parametrize("command", ["ADD", "GC"])
@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize(
    "network", ["../x", "a/b", "..", ".", ".hidden", "-x", "_x", "a b", "a\nb", "ä", "a\0b", "a:b"]
)
def test_unsafe_name(bench: Bench, name: str, network: str, command: str) -> None:
    """Code 7: the name becomes part of a path."""
    conf = bench.conf(name, name=network) | {"cni.dev/valid-attachments": []}
    bench.refused(bench.call(name, command, conf=conf), INVALID_CONFIG, "name", compact(network).strip('"'))


@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize("command", ["ADD", "DEL"])
@pytest.mark.parametrize("value", ["../x", "a/b", "-x", ".x", "_x", "a b", "a\nb", "ä", "a:b", "a;b", "%n"])
def test_container_id(bench: Bench, name: str, command: str, value: str) -> None:
    """Code 4, in the words of the reference, naming variable and value."""
    outcome = bench.call(name, command, environ={"CNI_CONTAINERID": value})
    bench.refused(outcome, BAD_ENVIRONMENT, "invalid characters in containerID", f"CNI_CONTAINERID={value!a}")


@pytest.mark.parametrize("command", ["ADD", "DEL"])
@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "CNI_IFNAME"),
        ("sixteen-bytes-xx", "too long"),
        ("ääääääää", "too long"),
        (".", ". or .."),
        ("..", ". or .."),
        ("a/b", "contains /"),
        ("../x", "contains /"),
        ("a:b", "contains / or :"),
        ("a b", "whitespace"),
        ("a\tb", "whitespace"),
        ("a\nb", "whitespace"),
        ("a\u00a0b", "whitespace"),
        ("net%d", "contains %"),
        ("%d", "contains %"),
        ("a\x7fb", "unprintable"),
        ("a\x01b", "unprintable"),
        (os.fsdecode(b"net\xff"), "unprintable"),
    ],
    ids=ascii,
)
def test_interface_name(bench: Bench, name: str, command: str, value: str, message: str) -> None:
    """Code 4, naming variable, value and what is wrong with it."""
    outcome = bench.call(name, command, environ={"CNI_IFNAME": value})
    shown = f"CNI_IFNAME={value!a}" if value else "[CNI_IFNAME] missing"
    bench.refused(outcome, BAD_ENVIRONMENT, message, shown)


@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize(
    ("command", "variables"),
    [
        ("ADD", ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH")),
        ("CHECK", ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH")),
        ("DEL", ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH")),
        ("GC", ("CNI_PATH",)),
        ("STATUS", ("CNI_PATH",)),
    ],
)
def test_missing_variables(bench: Bench, name: str, command: str, variables: tuple[str, ...]) -> None:
    """Code 4, naming the one that is missing; all at once when several are."""
    for variable in variables:
        for value in (None, ""):
            outcome = bench.call(name, command, environ={variable: value})
            bench.refused(outcome, BAD_ENVIRONMENT, f"required env variables [{variable}] missing")
    outcome = bench.call(name, command, environ=dict.fromkeys(variables))
    bench.refused(outcome, BAD_ENVIRONMENT, f"[{','.join(variables)}] missing")


@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize("command", ["add", "ADD ", "UPDATE", "\x1b[2J", os.fsdecode(b"\xff")], ids=ascii)
def test_unknown_command(bench: Bench, name: str, command: str) -> None:
    """Code 4, naming the command, without sending control characters to a terminal."""
    outcome = bench.call(name, command)
    bench.refused(outcome, BAD_ENVIRONMENT, "unknown CNI_COMMAND", ascii(command)[1:-1])


@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("COLOUR=blue", "unknown args 'COLOUR'"),
        ("IgnoreUnknown=0;COLOUR=blue", "unknown args 'COLOUR'"),
        ("K8S_POD_NAME=x;COLOUR=blue;SIZE=9", "unknown args 'COLOUR', 'SIZE'"),
        ("COLOUR", "invalid pair 'COLOUR'"),
        ("IgnoreUnknown=1;COLOUR", "invalid pair 'COLOUR'"),
        ("IgnoreUnknown=maybe;COLOUR=blue", "invalid value 'maybe' of IgnoreUnknown"),
    ],
)
def test_arguments(bench: Bench, name: str, args: str, message: str) -> None:
    """Code 4, naming the key; IgnoreUnknown=1 lets it pass."""
    outcome = bench.call(name, environ={"CNI_ARGS": args})
    bench.refused(outcome, BAD_ENVIRONMENT, "CNI_ARGS", message)


@pytest.mark.parametrize("args", ["IP=x", "IP=10.1.2.3/33", "IP=10.1.2.3/24;GATEWAY=x", "IP=10.1.2.3/24,y"])
def test_arguments_of_static(bench: Bench, args: str) -> None:
    """An address that is none is refused, naming the key and the value."""
    outcome = bench.call("static", environ={"CNI_ARGS": args})
    error = outcome.error()
    assert error["code"] in (BAD_ENVIRONMENT, INVALID_CONFIG)
    key, value = args.split(";")[-1].split("=")
    assert key in error["msg"]
    assert value.split(",")[-1] in error["msg"]


def _plain_file(folder: Path) -> str:
    (folder / "netns").touch()
    return str(folder / "netns")


def _fifo(folder: Path) -> str:
    os.mkfifo(folder / "netns")
    return str(folder / "netns")


NAMESPACES: dict[str, tuple[Callable[[Path], str], str]] = {
    "missing": (lambda folder: str(folder / "missing"), "No such file or directory"),
    "plain file": (_plain_file, "is not a namespace"),
    "FIFO": (_fifo, "is not a namespace"),
    "folder": (str, "is not a namespace"),
    "the host's": (lambda _: f"/proc/{os.getpid()}/ns/net", "the network namespace that the plugin itself runs in"),
    "the plugin's": (lambda _: "/proc/self/ns/net", "the network namespace that the plugin itself runs in"),
    "another kind": (lambda _: "/proc/self/ns/mnt", "not a network namespace"),
}


@pytest.mark.parametrize("command", ["ADD", "CHECK"])
@pytest.mark.parametrize(("make_path", "message"), NAMESPACES.values(), ids=NAMESPACES)
def test_namespace(bench: Bench, tmp_path: Path, command: str, make_path: Callable[[Path], str], message: str) -> None:
    """Code 4, naming the variable, its value and what is wrong with it."""
    path = make_path(tmp_path)
    # Without IPAM, which would have its own say in CHECK.
    conf = bench.conf(ipam=None, prevResult={"cniVersion": "1.1.0", "interfaces": [{"name": "net1", "sandbox": path}]})
    outcome = bench.call(command=command, conf=conf, environ={"CNI_NETNS": path})
    bench.refused(outcome, BAD_ENVIRONMENT, "CNI_NETNS", path, message)


@pytest.mark.parametrize(("make_path", "message"), NAMESPACES.values(), ids=NAMESPACES)
def test_namespace_of_delete(bench: Bench, tmp_path: Path, make_path: Callable[[Path], str], message: str) -> None:
    """DEL takes the pod for gone and leaves the host's links alone, even one that looks as if it were the pod's."""
    environ: dict[str, str | None] = {"CNI_NETNS": make_path(tmp_path), "CNI_IFNAME": bench.device}
    outcome = bench.call(command="DEL", environ=environ)
    assert outcome.ok() == {}
    assert message in outcome.stderr


@pytest.mark.parametrize("ifname", ["lo", "taken"])
def test_interface_that_exists(bench: Bench, ifname: str) -> None:
    """Code 4, naming interface and namespace; the pod's own is left alone."""
    if ifname != "lo":
        bench.pod.ip("link", "add", ifname, "type", "veth", "peer", "name", "other")
    try:
        with untouched(bench.pod):
            outcome = bench.call(environ={"CNI_IFNAME": ifname})
            bench.refused(outcome, BAD_ENVIRONMENT, "CNI_IFNAME", ifname, "exists", bench.pod.path)
    finally:
        if ifname != "lo":
            bench.pod.ip("link", "del", ifname)


SELECTORS = (
    ("device", "absent0", "failed to find host device"),
    ("device", "an-absent-alternative-name-of-some-length", "failed to find host device"),
    ("device", "../x", "must be the name of a network device"),
    ("device", "a/b", "must be the name of a network device"),
    ("device", "..", "must be the name of a network device"),
    ("device", "x" * 128, "must be the name of a network device"),
    ("device", "a\0b", "NUL"),
    ("hwaddr", "02:00:5e:99:99:99", "failed to find host device"),
    ("hwaddr", "02:00:5e:10:00", "must be a MAC address"),
    ("hwaddr", "02:00:5e:10:00:0g", "must be a MAC address"),
    ("hwaddr", "02:00:5e:10:00:01:02", "must be a MAC address"),
    ("hwaddr", "2:0:5e:10:0:1", "must be a MAC address"),
    ("hwaddr", "02005e100001", "must be a MAC address"),
    ("hwaddr", "../../x", "must be a MAC address"),
    ("hwaddr", "02:00:5e:10:00:01 ", "must be a MAC address"),
    ("pciBusID", "ffff:ff:1f.7", "failed to find host device"),
    ("pciBusID", "03:02.6", "must be a PCI address"),
    ("pciBusID", "0000:03:02.8", "must be a PCI address"),
    ("pciBusID", "0000:03:20.0", "must be a PCI address"),
    ("pciBusID", "../0000:03:02.6", "must be a PCI address"),
    ("pciBusID", "0000:03:02.6/../x", "must be a PCI address"),
    ("pciBusID", "..", "must be a PCI address"),
    ("pciBusID", "x", "must be a PCI address"),
    ("runtimeConfig.deviceID", "0000:03:02", "must be a PCI address"),
    ("runtimeConfig.deviceID", "../x.sf.4", "must be a PCI address"),
    ("runtimeConfig.deviceID", "mlx5_core.sf.4/..", "must be a PCI address"),
    ("runtimeConfig.deviceID", "mlx5_core.sf.99999", "failed to find host device"),
    ("runtimeConfig.deviceID", "fffe:ff:1f.7", "failed to find host device"),
    ("kernelpath", "sys/devices/x", "must be an absolute path"),
    ("kernelpath", "/etc/passwd", "must be an absolute path below /sys/devices/"),
    ("kernelpath", "/sys/class/net/lo", "must be an absolute path below /sys/devices/"),
    ("kernelpath", "/sys/devices/../class/net/lo", "must be an absolute path"),
    ("kernelpath", "/sys/devices/x/../../../etc", "must be an absolute path"),
    ("kernelpath", "/sys/devices/./x", "must be an absolute path"),
    ("kernelpath", "/sys/devices/", "must be an absolute path"),
    ("kernelpath", "/sys/devices/pci0000:00/absent", "failed to find host device"),
    ("kernelpath", "/sys/devices/system", "failed to find host device"),
)


@pytest.mark.parametrize(
    ("field", "value", "message"), SELECTORS, ids=[f"{field}={value[:30]!a}" for field, value, _ in SELECTORS]
)
def test_selectors(bench: Bench, field: str, value: str, message: str) -> None:
    """Code 7, naming the field, its value, and what would do."""
    conf = placed(bench.conf(device=None), field, value)
    outcome = bench.call(conf=conf)
    bench.refused(outcome, INVALID_CONFIG, message, compact(value).strip('"'))
    assert field in outcome.json["msg"] or (field == "runtimeConfig.deviceID" and "pciBusID" in outcome.json["msg"])


def test_no_selector(bench: Bench) -> None:
    """Code 7, naming the fields of which one is needed."""
    fields = ("device", "hwaddr", "kernelpath", "pciBusID")
    bench.refused(bench.call(conf=bench.conf(device=None)), INVALID_CONFIG, *fields)


@pytest.mark.parametrize("command", ["ADD", "CHECK", "GC", "STATUS"])
@pytest.mark.parametrize("kind", ["../host-local", "/usr/lib/cni/host-local", "a/b", ".", ".."])
def test_unsafe_ipam_type(bench: Bench, command: str, kind: str) -> None:
    """Code 7: the type becomes part of a path."""
    conf = bench.conf(ipam={"type": kind}) | {"cni.dev/valid-attachments": []}
    bench.refused(bench.call(command=command, conf=conf), INVALID_CONFIG, "ipam.type", kind)


@pytest.mark.parametrize("path", ["/nonexistent", f"{plugin.DIST}:{plugin.REFERENCE}", "::/", "relative"])
def test_ipam_type_that_is_nowhere(bench: Bench, path: str) -> None:
    """A type that no folder of CNI_PATH holds is found out before the device is touched."""
    outcome = bench.call(conf=bench.conf(ipam={"type": "no-such-ipam"}), environ={"CNI_PATH": path})
    error = outcome.error()
    for fragment in ("no-such-ipam", *filter(None, path.split(":"))):
        assert fragment in f"{error['msg']} {error.get('details', '')}"


RESULT = '{"cniVersion":"1.1.0","ips":[{"address":"10.9.9.9/24"}]}'
IPAM: dict[str, tuple[str, int | None, tuple[str, ...]]] = {
    "killed by SIGSEGV": ("kill -SEGV $$", GENERIC, ("SIGSEGV",)),
    "killed by SIGKILL after its result": (f"echo '{RESULT}'; kill -KILL $$", GENERIC, ("SIGKILL",)),
    "exits 1 without a word": ("exit 1", GENERIC, ("1",)),
    "exits 3 with a line on stderr": ("echo no more addresses >&2; exit 3", GENERIC, ("3", "no more addresses")),
    "exits 1 with garbage": ("echo oops; exit 1", GENERIC, ("oops",)),
    "prints garbage": ("echo oops", None, ("oops",)),
    "prints garbage that is not UTF-8": ("printf '\\377\\376'", None, ()),
    "prints nothing": ("true", None, ()),
    "prints a list": ("echo '[]'", None, ()),
    "prints null": ("echo null", None, ()),
    "prints two results": (f"echo '{RESULT}{RESULT}'", None, ()),
    "prints a result of another type": ("""echo '{"cniVersion":"1.1.0","ips":5}'""", None, ("ips", "5")),
    "prints an address that is none": (
        """echo '{"cniVersion":"1.1.0","ips":[{"address":"10.9.9.9"}]}'""",
        None,
        ("address", "10.9.9.9"),
    ),
    "prints an unknown version": ("""echo '{"cniVersion":"9.0.0","ips":[]}'""", None, ("9.0.0",)),
    "returns no address": ("""echo '{"cniVersion":"1.1.0","ips":[]}'""", None, ("missing IP config",)),
    "returns an empty object": ("""echo '{"cniVersion":"1.1.0"}'""", None, ("missing IP config",)),
    "returns an error": (
        """echo '{"cniVersion":"1.1.0","code":11,"msg":"the server is busy","details":"d"}'; exit 1""",
        11,
        ("the server is busy",),
    ),
    "returns an error with an odd code": ("""echo '{"code":"x","msg":"odd"}'; exit 1""", None, ("odd",)),
    "writes 1 MB to stderr and fails": (
        "i=0; while [ $i -lt 16384 ]; do echo ................................................................ >&2; "
        "i=$((i+1)); done; exit 1",
        GENERIC,
        (),
    ),
    "writes 2 MB to stdout": ("head -c 2000000 /dev/zero", None, ()),
    "closes its output and fails": ("exec >&- 2>&-; exit 7", GENERIC, ("7",)),
    "does not read its input": (f"exec <&-; echo '{RESULT}' | sed s/10.9.9.9/10.9.9.999/", None, ("10.9.9.999",)),
}


@pytest.mark.parametrize(("body", "code", "fragments"), IPAM.values(), ids=IPAM)
def test_failing_ipam(bench: Bench, tmp_path: Path, body: str, code: int | None, fragments: tuple[str, ...]) -> None:
    """The error names the plugin and what it did; the device is given back, and DEL is sent to the plugin."""
    script = tmp_path / "test-ipam"
    script.write_text(
        f'#!/bin/sh\necho $CNI_COMMAND >>{tmp_path}/commands\n[ "$CNI_COMMAND" = ADD ] || exit 0\n{body}\n'
    )
    script.chmod(0o755)
    conf = bench.conf(ipam={"type": "test-ipam"})
    outcome = bench.call(conf=conf, environ={"CNI_PATH": str(tmp_path)})
    error = outcome.error(code)
    said = f"{error['msg']}; {error.get('details', '')}"
    for fragment in fragments:
        assert fragment in said
    if code != 11 and "missing IP config" not in fragments:
        assert "test-ipam" in said
    assert (tmp_path / "commands").read_text().split() == ["ADD", "DEL"]


@pytest.mark.parametrize("mode", [0o644, 0o000], ids=oct)
def test_ipam_that_cannot_be_executed(bench: Bench, tmp_path: Path, mode: int) -> None:
    """A file that is not executable is as good as none, and so is one whose interpreter is missing."""
    script = tmp_path / "test-ipam"
    script.write_text("#!/bin/sh\n")
    script.chmod(mode)
    outcome = bench.call(conf=bench.conf(ipam={"type": "test-ipam"}), environ={"CNI_PATH": str(tmp_path)})
    assert "test-ipam" in outcome.error()["msg"]


def test_ipam_without_interpreter(bench: Bench, tmp_path: Path) -> None:
    """A script whose interpreter is missing cannot be started: that is said, and the device given back."""
    script = tmp_path / "test-ipam"
    script.write_text("#!/nonexistent/interpreter\n")
    script.chmod(0o755)
    outcome = bench.call(conf=bench.conf(ipam={"type": "test-ipam"}), environ={"CNI_PATH": str(tmp_path)})
    assert "test-ipam" in outcome.error()["msg"]


def _ranges(*sets: list[dict[str, str]]) -> dict[str, Any]:
    return {"ranges": list(sets)}


RANGES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "none": ({}, ("range",)),
    "no sets": ({"ranges": []}, ("range",)),
    "empty set": ({"ranges": [[]]}, ("range set 0", "empty")),
    "overlap in a set": (
        _ranges(
            [
                {"subnet": "10.77.0.0/24", "rangeStart": "10.77.0.10", "rangeEnd": "10.77.0.20"},
                {"subnet": "10.77.0.0/24", "rangeStart": "10.77.0.20", "rangeEnd": "10.77.0.30"},
            ]
        ),
        ("overlap", "10.77.0.10", "10.77.0.20", "10.77.0.30"),
    ),
    "overlap of sets": (
        _ranges([{"subnet": "10.77.0.0/24"}], [{"subnet": "10.77.0.128/25"}]),
        ("overlap", "10.77.0.1", "10.77.0.129"),
    ),
    "overlap of a range and the old form": (
        {"subnet": "10.77.0.0/24", **_ranges([{"subnet": "10.77.0.0/25"}])},
        ("overlap", "10.77.0.1"),
    ),
    "two families in a set": (
        _ranges([{"subnet": "10.77.0.0/24"}, {"subnet": "fd77::/64"}]),
        ("famil",),
    ),
    "start outside": (
        {"subnet": "10.77.0.0/24", "rangeStart": "10.78.0.5"},
        ("rangeStart", "10.78.0.5", "10.77.0.0/24"),
    ),
    "end outside": ({"subnet": "10.77.0.0/24", "rangeEnd": "10.78.0.5"}, ("rangeEnd", "10.78.0.5", "10.77.0.0/24")),
    "start of another family": ({"subnet": "10.77.0.0/24", "rangeStart": "fd77::5"}, ("rangeStart", "fd77::5")),
    "end before start": (
        {"subnet": "10.77.0.0/24", "rangeStart": "10.77.0.9", "rangeEnd": "10.77.0.5"},
        ("10.77.0.9", "10.77.0.5"),
    ),
    "host bits": ({"subnet": "10.77.0.1/24"}, ("10.77.0.1/24", "10.77.0.0")),
    "host bits in a link of two": ({"subnet": "10.77.0.1/31"}, ("10.77.0.1/31", "10.77.0.0")),
    "start outside of a single address": (
        {"subnet": "10.77.0.1/32", "rangeStart": "10.77.0.2"},
        ("rangeStart", "10.77.0.2", "10.77.0.1/32"),
    ),
    "host bits in IPv6": ({"subnet": "fd77::1/127"}, ("fd77::1/127", "fd77::/127")),
    "missing resolv.conf": ({**HOST_LOCAL, "resolvConf": "/nonexistent/resolv.conf"}, ("/nonexistent/resolv.conf",)),
}


@pytest.mark.parametrize("name", ["host-local", "host-device"])
@pytest.mark.parametrize(("ipam", "fragments"), RANGES.values(), ids=RANGES)
def test_ranges(bench: Bench, name: str, ipam: dict[str, Any], fragments: tuple[str, ...]) -> None:
    """Code 7, naming what does not fit."""
    outcome = bench.call(name, conf=bench.conf(name, ipam={"type": "host-local", **ipam}))
    bench.refused(outcome, INVALID_CONFIG, *fragments)


@pytest.mark.parametrize("name", ["host-local", "host-device"])
def test_exhausted_range(bench: Bench, name: str) -> None:
    """The words of the reference; nobody's address is taken away."""
    ipam = {"type": "host-local", "subnet": "10.77.1.0/30"}
    holder = {"CNI_CONTAINERID": net.unique("holder")}
    conf = bench.conf("host-local", ipam=ipam)
    bench.call("host-local", conf=conf, environ={**holder}).ok()
    try:
        with untouched(bench.pod):
            outcome = bench.call(name, conf=bench.conf(name, ipam=ipam))
            error = outcome.error()
            assert "no IP addresses available in range set: 10.77.1.1-10.77.1.2" in error["msg"]
    finally:
        bench.call("host-local", "DEL", conf=conf, environ={**holder}).ok()


@pytest.mark.parametrize("name", ["host-local", "host-device"])
@pytest.mark.parametrize(
    ("requested", "fragment"),
    [("10.77.0.1", "10.77.0.1"), ("10.99.0.5", "10.99.0.5"), ("fd00::5", "fd00::5")],
    ids=["gateway", "outside", "other family"],
)
def test_requested_address(bench: Bench, name: str, requested: str, fragment: str) -> None:
    """An address that cannot be given is named, and none is given in its stead."""
    outcome = bench.call(name, conf=bench.conf(name, runtimeConfig={"ips": [requested]}))
    assert fragment in outcome.error()["msg"]


@pytest.mark.parametrize("name", ["host-device", "static"])
def test_check_without_previous_result(bench: Bench, name: str) -> None:
    """Code 7, naming what is missing."""
    bench.refused(bench.call(name, "CHECK"), INVALID_CONFIG, "missing prevResult")


@pytest.mark.parametrize(
    ("version", "command"), [("0.3.1", "CHECK"), ("1.0.0", "GC"), ("1.0.0", "STATUS"), (None, "CHECK")]
)
@pytest.mark.parametrize("name", PLUGINS)
def test_command_of_a_later_version(bench: Bench, name: str, version: str | None, command: str) -> None:
    """Code 1: the configuration's version does not have the command."""
    outcome = bench.call(name, command, conf=bench.conf(name, cniVersion=version))
    bench.refused(outcome, INCOMPATIBLE_VERSION, f"does not allow {command}", version or "0.1.0")


@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize("key", ["cni.dev/valid-attachments", "cni.dev/attachments"])
@pytest.mark.parametrize(
    "value",
    [
        5,
        "x",
        {},
        [5],
        ["x"],
        [{}],
        [{"containerID": "x"}],
        [{"ifname": "net1"}],
        [{"containerID": 5, "ifname": "net1"}],
    ],
    ids=compact,
)
def test_gc_with_a_wrong_list(bench: Bench, name: str, key: str, value: Any) -> None:
    """A list that cannot be understood is refused as a whole."""
    bench.refused(bench.call(name, "GC", conf=bench.conf(name) | {key: value}), INVALID_CONFIG, key)
