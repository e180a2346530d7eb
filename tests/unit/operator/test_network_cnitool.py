"""What cnitool 1.1.2 and 1.3.1 do, recorded from them: we give the same commands, and cache the same.

tests/golden/libcni/cnitool.json has the configurations, and of each command in turn the runs of plugins, with what
these got, and the cache after it. The plugins were such as `PLUGIN`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cni.linux.log import Logger
from plumbline.network import attachment, commands, configuration, known
from plumbline.network.attachment import Attachment
from plumbline.network.cache import Cache
from plumbline.network.commands import Network
from plumbline.network.configuration import NetworkList
from tests.support.plugin import REPOSITORY

GOLDEN = json.loads(Path(REPOSITORY, "tests/golden/libcni/cnitool.json").read_text())
NETNS = "/run/netns/golden"
KEYS = ("CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS")
WANTED = Attachment(
    attachment.derived_id(NETNS),
    NETNS,
    "net1",
    attachment.pairs("IgnoreUnknown=1;K8S_POD_NAME=router-0"),
    {"mac": "02:00:00:00:00:2a", "ips": ["10.1.2.3/24"], "note": {"z": "<", "a": 1}},
)

PLUGIN = """#!/bin/sh
# Writes down what it got, and answers to ADD.
stdin=$(cat)
for key in KEYS; do eval "printf '%s\\n' \\"\\$$key\\""; done >>"$LOG"
printf '%s\\n%s\\n' "${0##*/}" "$stdin" >>"$LOG"
[ "$CNI_COMMAND" = ADD ] || exit 0
version=$(printf '%s' "$stdin" | sed 's/.*"cniVersion":"\\([^"]*\\)".*/\\1/')
mtu= route= family=
[ "$version" = 1.1.0 ] && mtu=', "mtu": 1400' route=', "mtu": 1300'
[ "$version" = 0.3.1 ] && family=', "version": "4"'
cat <<END
{"cniVersion": "$version", "unknown": 1,
 "interfaces": [{"name": "net1", "mac": "02:00:00:00:00:2a", "sandbox": "/run/netns/golden"$mtu}],
 "ips": [{"address": "10.1.2.3/24", "gateway": "10.1.2.1", "interface": 0$family}],
 "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.2.1"$route}], "dns": {"nameservers": ["10.1.2.1"]}}
END
""".replace("KEYS", " ".join(KEYS))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """The configurations, the plugins and a log of their runs, each in its place below a folder."""
    for path, text in GOLDEN["configurations"].items():
        file = tmp_path / "conf" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "bin").mkdir()
    for name in ("first", "second"):
        plugin = tmp_path / "bin" / name
        plugin.write_text(PLUGIN)
        plugin.chmod(0o755)
    return tmp_path


def network_of(conf: NetworkList, folder: Path, cache: Cache) -> Network:
    """Return a network whose plugins write into the log."""
    environ = {"PATH": os.environ["PATH"], "LOG": str(folder / "log")}
    return Network(conf, [str(folder / "bin")], cache, environ=environ)


def runs(folder: Path) -> list[dict[str, Any]]:
    """Return what plugins have written down since the last time."""
    log = folder / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    each = len(KEYS) + 2
    found = []
    for start in range(0, len(lines), each):
        *values, plugin, stdin = lines[start : start + each]
        found.append({
            "plugin": plugin,
            "environ": dict(zip(KEYS, values, strict=True)),
            "stdin": json.loads(stdin),
        })  # fmt: skip
    return found


def give(command: str, network: Network) -> None:
    """Give a command as the verb does."""
    cached = known.find(network.conf.name, WANTED, network.cache)
    match command:
        case "add":
            commands.add(network, WANTED)
        case "check" if network.conf.is_at_least(commands.CHECK_SINCE) and not network.conf.disable_check:
            commands.check(network, WANTED, cached)
        case "del":
            commands.delete(network, WANTED, cached)
        case "status":
            commands.status(network)


def told_alike(recorded: str) -> dict[str, Any]:
    """Return a recorded cache file as ours is: with the namespace, which 1.1.2 did not write."""
    whole: dict[str, Any] = json.loads(recorded)
    whole.setdefault("netns", NETNS)
    return whole


def cases() -> list[Any]:
    """Return each network's commands, by version."""
    found = []
    for version, each in GOLDEN["cnitool"].items():
        networks = dict.fromkeys(case["network"] for case in each)
        found += [pytest.param(version, name, id=f"{name}-{version}") for name in networks]
    return found


@pytest.mark.parametrize(("version", "name"), cases())
def test_the_same_runs_and_the_same_cache(version: str, name: str, folders: Path) -> None:
    """Each command runs the same plugins in the same order with the same input, and leaves the same cache."""
    cache = Cache(str(folders / "cache"))
    network = network_of(configuration.load(str(folders / "conf"), name), folders, cache)
    told = [x for x in GOLDEN["cnitool"][version] if x["network"] == name and x["command"] != "gc"]
    assert [x["command"] for x in told][:3] == ["add", "check", "del"]
    for case in told:
        give(case["command"], network)
        assert runs(folders) == case["runs"], case["command"]
        files = {path.name: path.read_text() for path in (folders / "cache/results").glob("*")}
        assert {x: json.loads(y) for x, y in files.items()} == {x: told_alike(y) for x, y in case["cache"].items()}
        if version == "1.3.1":
            assert files == case["cache"]  # to the byte


def test_we_finish_what_cnitool_began(folders: Path) -> None:
    """By its cache alone: arguments, capabilities and the configuration are those of ADD, the folder's being gone."""
    cache = Cache(str(folders / "cache"))
    for version, each in GOLDEN["cnitool"].items():
        added, _, deleted = [case for case in each if case["network"] == "blue"]
        [(file, text)] = added["cache"].items()
        os.makedirs(cache.folder, exist_ok=True)
        Path(cache.folder, file).write_text(text)
        cached = known.find("blue", Attachment("", "/var/run/netns/../netns/golden", "net1"), cache)
        assert cached is not None, version
        assert (cached.attachment.args, cached.attachment.capabilities) == (WANTED.args, WANTED.capabilities)
        conf, has_changed = known.configuration_of("blue", str(folders / "none"), cached)
        assert has_changed
        wanted = Attachment(
            cached.attachment.container_id, NETNS, "net1", cached.attachment.args, cached.attachment.capabilities
        )
        commands.delete(network_of(conf, folders, cache), wanted, cached)
        assert runs(folders) == deleted["runs"]
        assert os.listdir(cache.folder) == []


def test_gc_deletes_what_cnitool_would_and_names_who_lives(folders: Path) -> None:
    """DEL goes to what is cached and has no namespace any more; GC is told of what lives, in both spellings."""
    [gc] = [case for case in GOLDEN["cnitool"]["1.3.1"] if case["command"] == "gc"]
    cache, log = Cache(str(folders / "cache")), Logger("error")
    network = network_of(configuration.load(str(folders / "conf"), "wide"), folders, cache)
    commands.add(network, WANTED)
    living = Attachment("alive", "/proc/self/ns/net", "net1")
    runs(folders)
    found = known.sort("wide", [cache], [living], log)
    assert ([x.attachment.container_id for x in found.stale], found.valid) == ([WANTED.container_id], [living])
    for cached in found.stale:
        commands.delete(network, cached.attachment, cached)
    commands.collect_garbage(network, found.valid)
    ran = runs(folders)
    listed = [ran[index]["stdin"].pop(key) for index in (2, 3) for key in commands.VALID]
    assert listed == [[{"containerID": "alive", "ifname": "net1"}]] * 4
    assert ran == gc["runs"]
