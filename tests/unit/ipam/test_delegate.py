"""Delegation: in-process or executed, and what becomes of an executable's answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni.config import NetConf
from cni.errors import DECODING_FAILURE, GENERIC, INVALID_CONFIG, CniError
from cni.request import Request
from ipam import delegate
from tests.unit.ipam.calls import Log, addresses, conf

COMMANDS: dict[str, Callable[..., Any]] = {
    "ADD": delegate.add,
    "DEL": delegate.delete,
    "CHECK": delegate.check,
    "GC": delegate.gc,
    "STATUS": delegate.status,
}


class Node:
    """A folder of plugins, a configuration of the node, and calls of delegates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node_config = str(folder / "node.json")
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
        return COMMANDS[command](self.request(**options), parsed, self.log.logger, self.node_config)


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
    assert delegate.is_built_in(parsed, node.node_config) is in_process
    assert addresses(node.call("ADD", parsed)) == (["10.1.0.5/24"] if in_process else ["10.9.0.9/24"])


def test_a_node_configuration_that_makes_no_sense(node: Node) -> None:
    node.configure("nonsense")
    with pytest.raises(CniError, match=r"node\.json"):
        delegate.validate(node.request(), conf(STATIC), node.node_config)


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
        delegate.validate(node.request(), conf(ipam), node.node_config)
    assert caught.value.code == code
    assert words in caught.value.msg


def test_validate_what_is_good(node: Node) -> None:
    node.plugin("exit 1")
    for parsed in (conf(STATIC), conf({"type": "other"}), conf({})):
        delegate.validate(node.request(), parsed, node.node_config)


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


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_missing_executable_is_an_error(node: Node, command: str) -> None:
    with pytest.raises(CniError, match='failed to find plugin "other"'):
        node.call(command)
