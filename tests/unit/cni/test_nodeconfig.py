"""The node's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni.protocol.errors import INVALID_CONFIG, CniError
from ipam.nodeconfig import load


def test_absent(tmp_path: Path) -> None:
    assert load(str(tmp_path / "node.json")).builtin_ipam is True
    assert load(str(tmp_path / "none" / "node.json")).builtin_ipam is True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", True),
        ('{"builtinIPAM": null}', True),
        ('{"builtinIPAM": true}', True),
        ('{"builtinIPAM": false}', False),
        ('{"builtinipam": false, "other": 1}', False),
    ],
)
def test_allowed(tmp_path: Path, text: str, expected: bool) -> None:
    path = tmp_path / "node.json"
    path.write_text(text)
    assert load(str(path)).builtin_ipam is expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no text"),
        (b"[]", "not a JSON object"),
        (b"\xff", "utf-8"),
        (b'{"dataDirs": "/a"}', "dataDirs"),
        (b'{"dataDirs": ["/a", "b"]}', "dataDirs[1]"),
        (b'{"dataDirs": ["/"]}', "dataDirs[0]"),
        (b'{"dataDirs": ["/a/../b"]}', "dataDirs[0]"),
        (b'{"resolvConfDirs": ["/a//b"]}', "resolvConfDirs[0]"),
        (b'{"builtinIPAM": 0}', "builtinIPAM: 0 is not allowed; it must be true or false"),
    ],
)
def test_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "node.json"
    path.write_bytes(data)
    with pytest.raises(CniError) as caught:
        load(str(path))
    assert caught.value.code == INVALID_CONFIG
    assert caught.value.msg.startswith(f"cannot understand {path}: ")
    assert message in caught.value.msg


def test_folders(tmp_path: Path) -> None:
    """Also where the file is a link, as tools that distribute configuration make it."""
    (tmp_path / "real.json").write_text('{"dataDirs": ["/srv/a/", "/srv/b"], "resolvConfDirs": ["/srv/dns"]}')
    (tmp_path / "node.json").symlink_to("real.json")
    found = load(str(tmp_path / "node.json"))
    assert (found.data_dirs, found.resolv_conf_dirs) == (["/srv/a", "/srv/b"], ["/srv/dns"])
    assert load(str(tmp_path / "none")).data_dirs == []
