"""Network configurations of a folder, and single runs of plugins: what is taken, and what is said of what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import Status, VerbError
from plumbline.network import attachment, configuration, invoke
from plumbline.network.attachment import NOBODY, Attachment
from plumbline.network.configuration import NetworkList, UnusableError

ONE = {"type": "sriov"}


def parsed(**members: Any) -> NetworkList:
    """Return a list of one plugin with more members; None takes one away."""
    whole = {"name": "blue", "plugins": [ONE], **members}
    return configuration.parse(json.dumps({key: value for key, value in whole.items() if value is not None}).encode())


@pytest.mark.parametrize(
    ("members", "version"),
    [
        ({}, ""),
        ({"cniVersion": "0.4.0"}, "0.4.0"),
        ({"cniVersion": "0.4.0", "cniVersions": ["1.0.0", "0.3.1"]}, "1.0.0"),
        ({"cniVersion": "1.1.0", "cniVersions": ["1.0.0"]}, "1.1.0"),
        ({"cniVersions": ["1.0.0", "9.9.9"]}, "1.0.0"),
        ({"cniVersion": "0.4.0", "cniVersions": []}, "0.4.0"),
    ],
)
def test_version(members: dict[str, Any], version: str) -> None:
    """Of several, the latest that is known."""
    assert parsed(**members).version == version


@pytest.mark.parametrize(
    ("version", "minimum", "is_at_least"),
    [("", "0.1.0", True), ("", "0.4.0", False), ("0.4.0", "0.4.0", True), ("1.1.0", "0.4.0", True),
     ("1.0.0", "1.1.0", False)],
)  # fmt: skip
def test_versions_compare(version: str, minimum: str, is_at_least: bool) -> None:
    """No version is 0.1.0."""
    assert parsed(cniVersion=version).is_at_least(minimum) is is_at_least


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"name": None}, "name is None"),
        ({"name": "../x"}, "name is '../x'"),
        ({"plugins": None}, "it has no plugins"),
        ({"plugins": {}}, "plugins is no list"),
        ({"plugins": [ONE, {}]}, "plugins[1].type is None"),
        ({"plugins": [{"type": "../../bin/sh"}]}, "plugins[0].type is '../../bin/sh'"),
        ({"cniVersion": 1}, "cniVersion is 1"),
        ({"cniVersion": "new", "cniVersions": ["1.0.0"]}, "'new' is no version"),
        ({"cniVersions": "1.0.0"}, "cniVersions is no list"),
        ({"disableCheck": "yes"}, "disableCheck is 'yes'"),
    ],
)
def test_refused(members: dict[str, Any], said: str) -> None:
    """The member and its value are named."""
    with pytest.raises(UnusableError) as e:
        parsed(**members)
    assert said in str(e.value)


def test_no_json() -> None:
    """It is said where."""
    with pytest.raises(UnusableError, match="line 1 column 2"):
        configuration.parse(b"{")


def test_a_folder(tmp_path: Path) -> None:
    """Lists come first; what cannot be read keeps nobody from its network, and is named where none is found."""
    for name, whole in {
        "00.conf": {"name": "both", "type": "single"},
        "10.conflist": {"name": "both", "plugins": [{"type": "listed"}]},
        "20.json": {"name": "only", "type": "single", "cniVersion": "1.0.0"},
        "30.conflist": {"name": "no plugins"},
        "40.txt": {"name": "text", "type": "x"},
    }.items():
        (tmp_path / name).write_text(json.dumps(whole))
    (tmp_path / "05.conflist").write_text("{")
    assert configuration.load(str(tmp_path), "both").plugins == ({"type": "listed"},)
    single = configuration.load(str(tmp_path), "only")
    assert (single.version, [x["type"] for x in single.plugins]) == ("1.0.0", ["single"])
    with pytest.raises(VerbError) as e:
        configuration.load(str(tmp_path), "text")
    assert e.value.status is Status.FAILURE
    assert "05.conflist: it is not JSON" in e.value.hint
    assert "both" in e.value.hint


def test_a_device_for_the_first_plugin() -> None:
    """As Multus names it, in what is cached as well."""
    found = parsed(plugins=[ONE, {"type": "tuning"}]).with_device("0000:01:10.0")
    named = {"type": "sriov", "deviceID": "0000:01:10.0", "pciBusID": "0000:01:10.0"}
    assert found.plugins == (named, {"type": "tuning"})
    assert configuration.parse(found.source).plugins == found.plugins


@pytest.mark.parametrize(("text", "found"), [("", ()), ("A=1", (("A", "1"),)), ("A=1;B=x", (("A", "1"), ("B", "x")))])
def test_args(text: str, found: attachment.Pairs) -> None:
    """As in CNI_ARGS."""
    assert attachment.pairs(text) == found


@pytest.mark.parametrize("text", ["A", "A=", "=1", "A=1;", "A=1=2"])
def test_no_args(text: str) -> None:
    """cnitool refuses these."""
    with pytest.raises(ValueError, match="is no KEY=VALUE"):
        attachment.pairs(text)


@pytest.mark.parametrize(
    ("text", "path"), [("pod", "/run/netns/pod"), ("/var/run/netns/pod", "/var/run/netns/pod"), ("/a/../b", "/b")]
)
def test_namespaces(text: str, path: str) -> None:
    """By name, or by path as it is spelt: cnitool makes the container ID of that."""
    assert attachment.netns_path(text) == path


@pytest.mark.parametrize(
    ("script", "command", "code", "told"),
    [
        ('echo \'{"code": 11, "msg": "busy", "details": "wait"}\'; exit 1', "DEL", 11, "busy; wait"),
        ('echo \'{"code": 0, "msg": "odd"}\'; exit 1', "DEL", 999, "odd"),
        ("echo oops; exit 3", "DEL", 999, "exit status 3, without an error that can be understood; it wrote 'oops'"),
        ("kill -9 $$", "DEL", 999, "killed by signal 9"),
        ("exit 0", "ADD", 6, "its result makes no sense"),
        ("echo '[]'", "ADD", 6, "it is no JSON object; it wrote '[]"),
        ('echo \'{"cniVersion": "1.0.0", "ips": [{}]}\'', "ADD", 6, "its result makes no sense: ips[0]: {}"),
        ('echo \'{"cniVersion": "1.0.0"}\'', "ADD", 0, ""),
        ("exit 0", "DEL", 0, ""),
    ],
)
def test_a_run(script: str, command: str, code: int, told: str, tmp_path: Path) -> None:
    """Code, message and details are the plugin's, or say how it ended; what it says beside is kept."""
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\ncat >/dev/null\necho beside >&2\n{script}\n")
    plugin.chmod(0o755)
    ran = invoke.run({"type": "plugin", "cniVersion": "1.0.0"}, command, NOBODY, [str(tmp_path)], {})
    assert (ran.code, ran.said) == (code, "beside")
    assert told in str(ran)
    assert ran.is_good is (code == 0)


def test_a_plugin_that_cannot_be_run(tmp_path: Path) -> None:
    """It is said what the kernel says."""
    plugin = tmp_path / "plugin"
    plugin.write_bytes(b"\x7fELF, but no more")
    plugin.chmod(0o755)
    ran = invoke.run({"type": "plugin"}, "DEL", Attachment("c", "", "net1"), [str(tmp_path)], {})
    assert "Exec format error" in str(ran)


def test_no_plugin(tmp_path: Path) -> None:
    """The folders are named; a file that may not be executed is none."""
    (tmp_path / "plugin").write_text("")
    with pytest.raises(VerbError, match=f"there is no executable plugin in {tmp_path}"):
        invoke.find("plugin", [str(tmp_path)])


@pytest.mark.parametrize(
    ("own", "is_frozen", "given"),
    [
        ({"A": "1", "LD_LIBRARY_PATH": "/mine"}, False, {"A": "1", "LD_LIBRARY_PATH": "/mine"}),
        ({"A": "1", "LD_LIBRARY_PATH": "/tmp/_MEI1", "_PYI_ARCHIVE_FILE": "/x"}, True, {"A": "1"}),
        ({"LD_LIBRARY_PATH": "/tmp/_MEI1", "LD_LIBRARY_PATH_ORIG": "/mine"}, True, {"LD_LIBRARY_PATH": "/mine"}),
    ],
)
def test_environment(own: dict[str, str], is_frozen: bool, given: dict[str, str]) -> None:
    """A plugin gets none of the libraries that are in our own file."""
    assert invoke.environment(own, is_frozen) == given
