"""Delegation: in-process or executed, and what becomes of an executable's answers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cni.linux.lock import DEPTH
from cni.protocol.config import NetConf
from cni.protocol.errors import DECODING_FAILURE, GENERIC, INVALID_CONFIG, CniError
from cni.protocol.request import Request
from ipam.delegate import NOT_IPAM, Delegate
from tests.unit.ipam.calls import Log, addresses, conf

METHODS = {"ADD": "add", "DEL": "delete", "CHECK": "check", "GC": "gc", "STATUS": "status"}


class Node:
    """A folder of plugins, a configuration of the node, and calls of delegates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.delegate = Delegate(str(folder / "node.json"))
        self.log = Log()

    def plugin(self, body: str, name: str = "other") -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def configure(self, text: str) -> None:
        (self.folder / "node.json").write_text(text)

    def request(self, command: str = "ADD", stdin: bytes = b"{}") -> Request:
        environ = {"CNI_COMMAND": command, "CNI_IFNAME": "net1", "PATH": "/usr/bin:/bin"}
        return Request(command, "c1", "/run/netns/x", "net1", "", ["/nonexistent", str(self.folder)], environ, stdin)

    def call(self, command: str, parsed: NetConf | None = None, **options: Any) -> Any:
        parsed = parsed or conf({"type": "other"})
        return getattr(self.delegate, METHODS[command])(self.request(**options), parsed, self.log.logger)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


STATIC = {"type": "static", "addresses": [{"address": "10.1.0.5/24"}]}


def test_static_in_process(node: Node) -> None:
    assert addresses(node.call("ADD", conf(STATIC))) == ["10.1.0.5/24"]
    node.call("DEL", conf(STATIC))


def test_host_local_in_process(node: Node) -> None:
    nothing: dict[str, Any] = {"cni.dev/valid-attachments": []}
    node.configure(json.dumps({"dataDirs": [str(node.folder)]}))
    parsed = conf({"type": "host-local", "subnet": "10.1.0.0/29", "dataDir": str(node.folder)}, **nothing)
    assert addresses(node.call("ADD", parsed)) == ["10.1.0.2/29"]
    node.call("CHECK", parsed)
    node.call("STATUS", parsed)
    node.call("GC", parsed)
    assert sorted(path.name for path in (node.folder / "net").iterdir()) == ["last_reserved_ip.0", "lock"]
    node.call("DEL", parsed)


@pytest.mark.parametrize(
    ("text", "in_process"),
    [
        pytest.param(None, True, id="no file"),
        pytest.param("{}", True, id="empty"),
        pytest.param('{"builtinIPAM": true}', True, id="on"),
        pytest.param('{"builtinIPAM": false}', False, id="off"),
    ],
)
def test_the_administrator_decides(node: Node, text: str | None, in_process: bool) -> None:
    if text is not None:
        node.configure(text)
    node.plugin("""echo '{"cniVersion":"1.1.0","ips":[{"address":"10.9.0.9/24"}]}'""", "static")
    parsed = conf(STATIC)
    assert node.delegate.is_built_in(parsed) is in_process
    assert addresses(node.call("ADD", parsed)) == (["10.1.0.5/24"] if in_process else ["10.9.0.9/24"])


def test_a_node_configuration_that_makes_no_sense(node: Node) -> None:
    node.configure("nonsense")
    with pytest.raises(CniError, match=r"node\.json"):
        node.delegate.validate(node.request(), conf(STATIC))


@pytest.mark.parametrize(
    ("ipam", "code", "words"),
    [
        pytest.param({"type": "other"}, GENERIC, 'failed to find plugin "other" in path [/nonexistent', id="not found"),
        pytest.param({"type": "static", "addresses": [{}]}, INVALID_CONFIG, "ipam.addresses[0]", id="static"),
        pytest.param({"type": "host-local"}, INVALID_CONFIG, "no IP ranges specified", id="host-local"),
        pytest.param(
            {"type": "host-local", "subnet": "10.1.0.0/24", "resolvConf": "/nonexistent"}, INVALID_CONFIG,
            "/nonexistent", id="resolvConf",
        ),
    ],
)  # fmt: skip
def test_validate(node: Node, ipam: dict[str, Any], code: int, words: str) -> None:
    with pytest.raises(CniError) as caught:
        node.delegate.validate(node.request(), conf(ipam))
    assert caught.value.code == code
    assert words in caught.value.msg


def test_validate_what_is_good(node: Node) -> None:
    node.plugin("exit 1")
    for parsed in (conf(STATIC), conf({"type": "other"}), conf({})):
        node.delegate.validate(node.request(), parsed)


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_add_understands_results_of_all_versions(node: Node, version: str) -> None:
    answer: dict[str, Any] = {"ips": [{"version": "4", "address": "10.1.0.5/24"}], "routes": [{"dst": "0.0.0.0/0"}]}
    if version in ("0.1.0", "0.2.0"):
        answer = {"ip4": {"ip": "10.1.0.5/24", "routes": [{"dst": "0.0.0.0/0"}]}}
    node.plugin(f"echo '{json.dumps({'cniVersion': version, **answer})}'")
    result = node.call("ADD", conf({"type": "other"}, version))
    assert addresses(result) == ["10.1.0.5/24"]
    assert [str(route.dst) for route in result.routes] == ["0.0.0.0/0"]


def test_add_without_addresses_is_the_callers_business(node: Node) -> None:
    node.plugin("""echo '{"cniVersion":"1.1.0"}'""")
    assert addresses(node.call("ADD")) == []


@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK", "GC", "STATUS"])
def test_the_executable_gets_command_environment_and_input(node: Node, command: str) -> None:
    """As the undo of ADD, DEL is called with the request of ADD."""
    record = node.folder / "record"
    node.plugin(f"""(echo "$CNI_COMMAND $CNI_IFNAME"; cat) > {record}; echo '{{"ips":[]}}'; echo hint >&2""")
    node.call(command, stdin=b'{ "as": "it is" }\n')
    assert record.read_text() == f'{command} net1\n{{ "as": "it is" }}\n'
    assert "other: hint" in node.log.text


@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK", "GC", "STATUS"])
def test_the_executables_error_is_ours(node: Node, command: str) -> None:
    node.plugin("""echo '{"cniVersion":"1.1.0","code":11,"msg":"later","details":"busy"}'; exit 1""")
    with pytest.raises(CniError) as caught:
        node.call(command)
    assert (caught.value.code, caught.value.msg, caught.value.details) == (11, "later", "busy")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("echo oops >&2; exit 3", ["other failed at DEL", "exit status 3", "oops"], id="exit status"),
        pytest.param("kill -9 $$", ["other failed at DEL", "SIGKILL"], id="killed"),
        pytest.param("echo hello; exit 1", ["exit status 1", "hello"], id="garbage"),
        pytest.param("echo '[1]'; exit 1", ["exit status 1"], id="no object"),
        pytest.param("""echo '{"code":0,"msg":""}'; exit 1""", ["exit status 1"], id="empty error"),
        pytest.param("printf '\\377'; exit 1", ["exit status 1"], id="not UTF-8"),
    ],
)
def test_failures_without_an_error_object(node: Node, body: str, words: list[str]) -> None:
    node.plugin(body)
    with pytest.raises(CniError) as caught:
        node.call("DEL")
    assert caught.value.code == GENERIC
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("", ["other", "(empty)"], id="nothing"),
        pytest.param("echo hello", ["other", "hello"], id="garbage"),
        pytest.param("printf '\\377'", ["other"], id="not UTF-8"),
        pytest.param("echo '[]'", ["other", "object"], id="no object"),
        pytest.param("""echo '{"ips":[{"address":"x"}]}'""", ["other", "ips[0].address", "x"], id="bad address"),
        pytest.param("""echo '{"cniVersion":"9.9.9"}'""", ["other", "9.9.9"], id="unknown version"),
        pytest.param("head -c 2000000 /dev/zero", ["other", "longer than"], id="endless"),
    ],
)
def test_results_that_are_none(node: Node, body: str, words: list[str]) -> None:
    node.plugin(body)
    with pytest.raises(CniError) as caught:
        node.call("ADD")
    assert caught.value.code == DECODING_FAILURE
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize(
    ("value", "executes"),
    [pytest.param(None, True), pytest.param("", True), pytest.param("0", True), ("1", False), ("x", False)],
)
@pytest.mark.parametrize("command", list(METHODS))
def test_one_level_of_executables(node: Node, command: str, value: str | None, executes: bool) -> None:
    """What is executed is told so, and executes nothing in turn."""
    record = node.folder / "record"
    node.plugin(f"echo $PLUMBLINE_DEPTH >> {record}; echo '{{}}'")
    asking = node.request(command)
    asking.environ = {**asking.environ, **({} if value is None else {DEPTH: value})}
    if executes:
        getattr(node.delegate, METHODS[command])(asking, conf({"type": "other"}), node.log.logger)
        assert record.read_text() == "1\n"
        return
    with pytest.raises(CniError, match=r'ipam\.type: "other" is not executed') as caught:
        getattr(node.delegate, METHODS[command])(asking, conf({"type": "other"}), node.log.logger)
    assert caught.value.code == INVALID_CONFIG
    with pytest.raises(CniError, match=r'ipam\.type: "other" is not executed'):
        node.delegate.validate(asking, conf({"type": "other"}))
    assert not record.exists()
    assert addresses(node.delegate.add(asking, conf(STATIC), node.log.logger)) == ["10.1.0.5/24"]


@pytest.mark.parametrize("kind", sorted(NOT_IPAM))
def test_types_that_are_no_ipam(node: Node, kind: str) -> None:
    node.plugin("exit 1", kind)
    for call in (node.delegate.check, node.delegate.gc, node.delegate.status, node.delegate.add):
        with pytest.raises(CniError, match=f'ipam.type: "{kind}" is not allowed') as caught:
            call(node.request(), conf({"type": kind}), node.log.logger)
        assert caught.value.code == INVALID_CONFIG
    node.call("DEL", conf({"type": kind}))
    assert kind in node.log.text


def test_a_missing_executable_where_nothing_is_known_to_be_attached(node: Node) -> None:
    """It is a warning then; one that is there is executed all the same, and its failure is one."""
    parsed = conf({"type": "other"})
    node.delegate.delete(node.request("DEL"), parsed, node.log.logger, attached=False)
    assert 'failed to find plugin "other"' in node.log.text
    node.plugin("exit 3")
    with pytest.raises(CniError, match="exit status 3"):
        node.delegate.delete(node.request("DEL"), parsed, node.log.logger, attached=False)


def test_the_index_of_an_address_is_the_callers_to_say(node: Node) -> None:
    node.plugin("""echo '{"cniVersion":"1.1.0","ips":[{"address":"10.1.0.5/24","interface":3}]}'""")
    assert [ip.interface for ip in node.call("ADD").ips] == [None]


# What a record remembers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ipam", "expected"),
    [
        ({}, {}),
        (STATIC, {"type": "static"}),
        ({"type": "dhcp", "dataDir": "/x"}, {"type": "dhcp"}),
        ({"type": "host-local", "subnet": "10.1.0.0/24"}, {"type": "host-local"}),
        ({"type": "host-local", "dataDir": ""}, {"type": "host-local"}),
        ({"type": "host-local", "dataDir": "/var/lib/cni/networks/"}, {"type": "host-local"}),
        ({"type": "host-local", "dataDir": "/srv/x"}, {"type": "host-local", "dataDir": "/srv/x"}),
        ({"type": "host-local", "datadir": "/srv/x"}, {"type": "host-local", "dataDir": "/srv/x"}),
        ({"type": "host-local", "dataDir": 5}, {"type": "host-local"}),
    ],
)
def test_remember(ipam: dict[str, Any], expected: dict[str, Any]) -> None:
    assert Delegate().remember(conf(ipam)) == expected


class Store:
    """A network's store elsewhere, allowed or not, in which c1 and another attachment have an address."""

    def __init__(self, node: Node, allowed: bool) -> None:
        self.node = node
        self.data_dir = str(node.folder / "store")
        self.folder = node.folder / "store" / "net"
        self.folder.mkdir(parents=True)
        (self.folder / "lock").touch()
        (self.folder / "10.1.0.2").write_bytes(b"c1\r\nnet1")
        (self.folder / "10.1.0.3").write_bytes(b"c2\r\nnet1")
        if allowed:
            node.configure(json.dumps({"dataDirs": [str(node.folder)]}))

    def has(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def remembered(self) -> dict[str, object]:
        return {"type": "host-local", "dataDir": self.data_dir}


@pytest.fixture(params=[True, False], ids=["allowed", "not allowed"])
def store(node: Node, request: pytest.FixtureRequest) -> Store:
    return Store(node, request.param)


LATER: dict[str, dict[str, Any]] = {
    "no ipam": {},
    "type only": {"type": "host-local"},
    "another type": STATIC,
    "another store": {"type": "host-local", "dataDir": "/var/lib/cni/networks/another"},
    "not to be executed": {"type": "macvlan"},
}


@pytest.mark.parametrize("ipam", LATER.values(), ids=list(LATER))
def test_delete_releases_what_is_remembered(node: Node, store: Store, ipam: dict[str, Any]) -> None:
    parsed = conf(ipam)
    node.delegate.delete(node.request("DEL"), parsed, node.log.logger, remembered=store.remembered())
    assert store.has() == ["10.1.0.3", "lock"]


def test_delete_releases_what_is_remembered_when_the_rest_fails(node: Node, store: Store) -> None:
    node.plugin("exit 3")
    with pytest.raises(CniError, match="exit status 3"):
        node.delegate.delete(
            node.request("DEL"), conf({"type": "other"}), node.log.logger,
            remembered=store.remembered(),
        )  # fmt: skip
    assert store.has() == ["10.1.0.3", "lock"]


def test_delete_without_ipam_and_without_memory(node: Node) -> None:
    node.delegate.delete(node.request("DEL"), conf({}), node.log.logger)
    node.delegate.delete(node.request("DEL"), conf({}), node.log.logger, remembered={})
    assert node.log.text == ""


@pytest.mark.parametrize("ipam", [{}, {"type": "static"}, {"type": "other", "x": 1}])
def test_a_remembered_executable_is_executed(node: Node, ipam: dict[str, Any]) -> None:
    """With its type in the input, and the rest of it as it is. One that the configuration has is executed once, as it
    came.
    """
    record = node.folder / "record"
    node.plugin(f"echo $CNI_COMMAND >> {record}; cat >> {record}")
    parsed = conf(ipam, extra=5)
    memory = {"type": "other"}
    node.delegate.delete(node.request("ADD"), parsed, node.log.logger, remembered=memory)
    command, stdin = record.read_text().split("\n", 1)
    assert command == "DEL"
    assert json.loads(stdin) == ({} if ipam.get("type") == "other" else {**parsed.raw, "ipam": memory})


def test_a_remembered_store_with_the_built_in_types_off(node: Node) -> None:
    """The executable of that name is told where the store is."""
    node.configure('{"builtinIPAM": false}')
    node.plugin(f"cat > {node.folder}/record", "host-local")
    memory = {"type": "host-local", "dataDir": "/srv/x"}
    node.delegate.delete(node.request("DEL"), conf({}), node.log.logger, remembered=memory)
    assert json.loads((node.folder / "record").read_text())["ipam"] == memory


NONSENSE: tuple[Any, ...] = (
    5, "x", [], {"type": 5}, {"dataDir": "/x"}, {"type": "../x"}, {"type": "a/b"}, {"type": ".."},
    {"type": "host-local", "dataDir": 5}, {"type": "host-local", "dataDir": "/x\0y"},
)  # fmt: skip


@pytest.mark.parametrize("memory", NONSENSE)
def test_a_record_that_makes_no_sense(node: Node, memory: Any) -> None:
    """It is said, and nothing is done for it."""
    node.delegate.delete(node.request("DEL"), conf({}), node.log.logger, remembered=memory)
    node.delegate.release_recorded(memory, ("c1", "net1", "net"), node.log.logger)
    assert node.log.text.count("makes no sense") == 2


@pytest.mark.parametrize(
    ("memory", "network"),
    [
        ({"type": "host-local", "dataDir": "relative"}, "net"),
        ({"type": "host-local"}, "../net"),
        ({"type": "host-local"}, ""),
        ({"type": "host-local", "dataDir": "/none/at/all"}, "net"),
        ({"type": "host-local"}, "none"),
        ({"type": "host-local"}, "n" * 300),
        ({"type": "dhcp"}, "net"),
    ],
)
def test_release_recorded_creates_nothing(node: Node, memory: dict[str, object], network: str) -> None:
    node.delegate.release_recorded(memory, ("c1", "net1", network), node.log.logger)
    assert not os.path.exists("/none")
    assert not os.path.exists("/var/lib/cni/networks")


def test_release_recorded(node: Node, store: Store) -> None:
    """Only what is the attachment's: container and interface."""
    for container_id, ifname in (("c1", "net2"), ("c", "net1"), ("c1", "net"), ("", "")):
        node.delegate.release_recorded(store.remembered(), (container_id, ifname, "net"), node.log.logger)
    assert store.has() == ["10.1.0.2", "10.1.0.3", "lock"]
    node.delegate.release_recorded(store.remembered(), ("c1", "net1", "net"), node.log.logger)
    assert store.has() == ["10.1.0.3", "lock"]


@pytest.mark.parametrize("command", list(METHODS))
def test_a_missing_executable_is_an_error(node: Node, command: str) -> None:
    with pytest.raises(CniError, match='failed to find plugin "other"'):
        node.call(command)
