"""The commands of a network whose plugins fail: which ones are executed after that, and what stays in the cache."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import VerbError
from plumbline.network import commands, configuration, invoke
from plumbline.network.attachment import Attachment
from plumbline.network.cache import Cache, Cached
from plumbline.network.commands import Network
from tests.support.command import plumbline

WANTED = Attachment("c0ffee", "/run/netns/nobody", "net1")
RESULT = '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.2.3/24"}]}'
ERROR = '{"code": 11, "msg": "no luck"}'
PLUGINS = ("first", "second", "third")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three plugins that write down that they were executed, and fail as $FAILING says: COMMAND:PLUGIN."""
    (tmp_path / "bin").mkdir()
    for name in PLUGINS:
        plugin = tmp_path / "bin" / name
        plugin.write_text(
            f"#!/bin/sh\ncat >/dev/null\necho $CNI_COMMAND:{name} >>{tmp_path}/log\n"
            f"case ,$FAILING, in *,$CNI_COMMAND:{name},*) echo '{ERROR}'; exit 1;; esac\n"
            f"[ $CNI_COMMAND != ADD ] || echo '{RESULT}'\n"
        )
        plugin.chmod(0o755)
    return tmp_path


def network(folder: Path, *plugins: str, failing: str = "", **members: Any) -> Network:
    """Return the network of these plugins, by itself of all, and write its configuration. failing: see `folder`."""
    whole = {"cniVersion": "1.1.0", "name": "blue", "plugins": [{"type": x} for x in plugins or PLUGINS], **members}
    (folder / "10.conflist").write_text(json.dumps(whole))
    conf = configuration.load(str(folder), "blue")
    environ = {"PATH": os.environ["PATH"], "FAILING": failing}
    return Network(conf, [str(folder / "bin")], Cache(str(folder)), environ=environ)


def executed(folder: Path) -> list[str]:
    """Return which plugins have been executed since the last time."""
    log = folder / "log"
    found = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return found


def in_cache(folder: Path) -> list[str]:
    """Return the names of libcni's files."""
    return sorted(path.name for path in (folder / "results").glob("*"))


def test_add_ends_and_is_undone(folder: Path) -> None:
    """No plugin after the one that failed; then DEL goes to all, also past one that fails."""
    given = network(folder, failing="ADD:second,DEL:second")
    ran = commands.add(given, WANTED)
    assert (ran.plugin, ran.code, ran.msg) == ("second", 11, "no luck")
    assert (executed(folder), in_cache(folder)) == (["ADD:first", "ADD:second"], [])
    assert [x.plugin for x in commands.undo(given, WANTED)] == ["second"]
    assert executed(folder) == ["DEL:third", "DEL:second", "DEL:first"]


def test_del_ends_and_is_repeated(folder: Path) -> None:
    """What is cached stays until all have succeeded (specification 1.1.0, section 3, "Deleting an attachment")."""
    given = network(folder)
    assert commands.add(given, WANTED).is_good
    cached = given.cache.load("blue", WANTED)
    executed(folder)
    failed = commands.delete(network(folder, failing="DEL:second"), WANTED, cached)
    assert failed is not None
    assert (executed(folder), in_cache(folder)) == (["DEL:third", "DEL:second"], ["blue-c0ffee-net1"])
    assert commands.delete(given, WANTED, cached) is None
    assert (executed(folder), in_cache(folder)) == (["DEL:third", "DEL:second", "DEL:first"], [])


@pytest.mark.parametrize(
    ("result", "version"),
    [({"ips": 1}, "1.1.0"), ({"cniVersion": "9.9.9"}, "1.1.0"), (None, "1.1.0"), ({"cniVersion": "1.0.0"}, "0.3.1")],
)
def test_del_without_a_result(result: dict[str, Any] | None, version: str, folder: Path) -> None:
    """One that makes no sense keeps nothing attached; before 0.4.0 there is none for DEL."""
    given = network(folder, "first", cniVersion=version)
    plugin = folder / "bin/first"
    plugin.write_text(f"#!/bin/sh\ncat >{folder}/stdin\n")
    given.cache.save(Cached("blue", WANTED, b"", result))
    assert commands.delete(given, WANTED, given.cache.load("blue", WANTED)) is None
    assert "prevResult" not in json.loads((folder / "stdin").read_text())
    assert in_cache(folder) == []


def test_check_and_status_end_with_the_first_failure(folder: Path) -> None:
    """GC goes on."""
    given = network(folder, failing="CHECK:second,STATUS:second,GC:first")
    checked = commands.check(given, WANTED, None)
    assert executed(folder) == ["CHECK:first", "CHECK:second"]
    asked = commands.status(given)
    assert executed(folder) == ["STATUS:first", "STATUS:second"]
    assert [x and x.plugin for x in (checked, asked)] == ["second", "second"]
    assert [x.plugin for x in commands.collect_garbage(given, [])] == ["first"]
    assert executed(folder) == ["GC:first", "GC:second", "GC:third"]


def test_nothing_is_executed_where_one_is_missing(folder: Path) -> None:
    """It is found out before."""
    with pytest.raises(VerbError, match="no executable absent"):
        network(folder, "first", "absent").find_all()
    assert executed(folder) == []


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_a_result_without_addresses(version: str) -> None:
    """The oldest versions have no form for it, and plugins give it all the same."""
    assert invoke.as_version({"cniVersion": version, "dns": {}}, version) == {"cniVersion": version, "dns": {}}


def test_gc_goes_on_and_says_what_is_left(folder: Path) -> None:
    """An attachment whose DEL fails, and one whose plugin is missing, keep nobody from being taken off."""
    given = network(folder, "first")
    absent = given.conf.source.replace(b"first", b"absent")
    for container_id, config in (("a", given.conf.source), ("b", absent), ("c", b"")):
        given.cache.save(Cached("blue", Attachment(container_id, "/run/netns/nobody", "net1"), config))
    options = ("--conf-dir", str(folder), "--bin-dir", str(folder / "bin"), "--cache-dir", str(folder))
    said = plumbline("network", "gc", "blue", *options, FAILING="GC:first").ended(1)
    assert [x for x in executed(folder) if "VERSION" not in x] == ["DEL:first", "DEL:first", "GC:first"]
    assert in_cache(folder) == ["blue-b-net1"]
    assert "net1 of b failed, and is to be done again: there is no executable absent" in said.stdout
    assert "net1 of c: /run/netns/nobody is gone: taken off blue" in said.stdout
    assert "GC of first failed" in said.stdout
    network(folder, "first", disableGC=True)
    assert "disableGC: nothing was done" in plumbline("network", "gc", "blue", *options).ended(0).stdout
    assert executed(folder) == []


@pytest.mark.parametrize(
    ("answer", "is_refused"),
    [
        ('{"cniVersion": "1.1.0", "supportedVersions": ["0.4.0", "1.0.0"]}', True),
        ('{"cniVersion": "1.1.0", "supportedVersions": ["0.4.0", "1.1.0"]}', False),
        ('{"cniVersion": "1.1.0"}', False),
        ("no JSON", False),
    ],
)
def test_a_version_that_a_plugin_does_not_speak(answer: str, is_refused: bool, folder: Path) -> None:
    """It is found out before any ADD; a plugin that does not tell is asked to ADD."""
    given = network(folder)
    (folder / "bin/second").write_text(f"#!/bin/sh\n[ $CNI_COMMAND = VERSION ] && echo '{answer}'\n")
    if not is_refused:
        given.require_versions()
        return
    with pytest.raises(VerbError, match=r"bin/second does not speak version 1\.1\.0 of network blue"):
        given.require_versions()


def test_what_plugins_say_is_shown_as_it_is(folder: Path) -> None:
    """Square brackets are no markup, and nothing moves the cursor."""
    network(folder, "first", cniVersion="1.0.0")
    said = r'{"code": 7, "msg": "ips[0] [bold]is wrong[/bold] \u001b[2J"}'
    script = f"#!/bin/sh\nprintf 'beside \\033[2J\\n' >&2\necho '{said}'\nexit 1\n"
    (folder / "bin/first").write_text(script)
    cached = Cached("blue", Attachment("c", "/run/netns/nobody", "net1"))
    Cache(str(folder)).save(cached)
    options = ("--conf-dir", str(folder), "--bin-dir", str(folder / "bin"), "--cache-dir", str(folder))
    found = plumbline("network", "gc", "blue", *options).ended(1)
    assert r"ips[0] [bold]is wrong[/bold] \x1b[2J" in found.stdout
    assert found.stderr == "first: beside \\x1b[2J\n"
    assert "\x1b" not in found.stdout
