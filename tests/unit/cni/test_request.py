"""The environment: which variables each command needs and which values are allowed."""

from __future__ import annotations

import pytest

from cni.protocol.errors import BAD_ENVIRONMENT, CniError
from cni.protocol.request import parse, parse_args

FULL = {
    "CNI_CONTAINERID": "c1",
    "CNI_NETNS": "/run/netns/a",
    "CNI_IFNAME": "eth0",
    "CNI_PATH": "/opt/cni/bin::/usr/lib/cni",
    "CNI_ARGS": "A=1",
}


def test_every_member() -> None:
    environ = {**FULL, "CNI_COMMAND": "ADD"}
    request = parse(environ)
    assert (request.command, request.container_id, request.netns) == ("ADD", "c1", "/run/netns/a")
    assert (request.ifname, request.args, request.path) == ("eth0", "A=1", ["/opt/cni/bin", "/usr/lib/cni"])
    assert (request.environ, request.stdin) == (environ, b"")


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("ADD", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"),
        ("CHECK", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"),
        ("DEL", "CNI_CONTAINERID,CNI_IFNAME,CNI_PATH"),
        ("GC", "CNI_PATH"),
        ("STATUS", "CNI_PATH"),
    ],
)
@pytest.mark.parametrize("rest", [{}, {variable: "" for variable in FULL}], ids=["absent", "empty"])
def test_missing(command: str, missing: str, rest: dict[str, str]) -> None:
    with pytest.raises(CniError) as caught:
        parse({"CNI_COMMAND": command, **rest})
    assert caught.value.code == BAD_ENVIRONMENT
    assert caught.value.msg == f"required env variables [{missing}] missing"


def test_del_without_namespace() -> None:
    assert parse({**FULL, "CNI_COMMAND": "DEL", "CNI_NETNS": ""}).netns == ""


def test_version_needs_nothing() -> None:
    assert parse({"CNI_COMMAND": "VERSION", "CNI_IFNAME": "/"}).command == "VERSION"


def test_unknown_command() -> None:
    with pytest.raises(CniError, match=r"^unknown CNI_COMMAND: \\x1bFOO; known: ADD, DEL") as caught:
        parse({"CNI_COMMAND": "\x1bFOO"})
    assert caught.value.code == BAD_ENVIRONMENT


@pytest.mark.parametrize("ifname", ["e", "eth0.5", "a-b_c", "123456789012345", "é", "...", "@x"])
def test_interface_names(ifname: str) -> None:
    assert parse({**FULL, "CNI_COMMAND": "ADD", "CNI_IFNAME": ifname}).ifname == ifname


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("CNI_CONTAINERID", "-a", "invalid characters in containerID"),
        ("CNI_CONTAINERID", "../a", "invalid characters in containerID"),
        ("CNI_CONTAINERID", "a b", "invalid characters in containerID"),
        ("CNI_CONTAINERID", "é", "invalid characters in containerID"),
        ("CNI_CONTAINERID", "a\n", "invalid characters in containerID"),
        ("CNI_IFNAME", ".", "interface name is . or .."),
        ("CNI_IFNAME", "..", "interface name is . or .."),
        ("CNI_IFNAME", "1234567890123456", "interface name is too long"),
        ("CNI_IFNAME", "éééééééé", "interface name is too long"),
        ("CNI_IFNAME", "a/b", "interface name contains / or : or whitespace characters"),
        ("CNI_IFNAME", "a:b", "interface name contains / or : or whitespace characters"),
        ("CNI_IFNAME", "a b", "interface name contains / or : or whitespace characters"),
        ("CNI_IFNAME", "a\n", "interface name contains / or : or whitespace characters"),
        ("CNI_IFNAME", "eth%d", "interface name contains % or unprintable characters"),
        ("CNI_IFNAME", "a\x1b", "interface name contains % or unprintable characters"),
        ("CNI_IFNAME", "a\udcff", "interface name contains % or unprintable characters"),
    ],
)
def test_refused(variable: str, value: str, message: str) -> None:
    with pytest.raises(CniError) as caught:
        parse({**FULL, "CNI_COMMAND": "DEL", variable: value})
    assert caught.value.code == BAD_ENVIRONMENT
    assert message in caught.value.msg
    assert caught.value.details == f"{variable}={value!a}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("IP=10.0.0.1", {"IP": "10.0.0.1"}),
        ("IP=10.0.0.1;GATEWAY=", {"IP": "10.0.0.1", "GATEWAY": ""}),
        ("IP=1;IP=2", {"IP": "2"}),
        ("K8S_POD_NAME=p;K8S_POD_UID=u", {"K8S_POD_NAME": "p", "K8S_POD_UID": "u"}),
        ("IgnoreUnknown=1;FOO=1;IP=1", {"IgnoreUnknown": "1", "IP": "1"}),
        ("FOO=1;IgnoreUnknown=True", {"IgnoreUnknown": "True"}),
        ("IgnoreUnknown=false", {"IgnoreUnknown": "false"}),
    ],
)
def test_args(text: str, expected: dict[str, str]) -> None:
    assert parse_args(text, frozenset(("IP", "GATEWAY"))) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FOO=1", "unknown args 'FOO'; known are IgnoreUnknown, IP,"),
        ("ip=1", "unknown args 'ip'"),
        ("FOO=1;B\x1b=2", r"unknown args 'FOO', 'B\x1b'"),
        ("IgnoreUnknown=0;FOO=1", "unknown args 'FOO'"),
        ("IgnoreUnknown=yes;FOO=1", "invalid value 'yes' of IgnoreUnknown"),
        ("IP", "invalid pair 'IP'"),
        ("IP=1;", "invalid pair ''"),
        ("IP=1=2", "invalid pair 'IP=1=2'"),
        ("IgnoreUnknown=1;FOO", "invalid pair 'FOO'"),
    ],
)
def test_args_refused(text: str, message: str) -> None:
    with pytest.raises(CniError) as caught:
        parse_args(text, frozenset(("IP",)))
    assert caught.value.code == BAD_ENVIRONMENT
    assert caught.value.msg.startswith("CNI_ARGS: ")
    assert message in caught.value.msg
