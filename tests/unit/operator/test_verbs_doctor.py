"""The verbs doctor, lint and report as a user types them: what they print, and their exit status."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

from plumbline.errors import Status
from tests.support.command import plumbline


def test_lint(tmp_path: Path) -> None:
    """Faults of all files, with their names; 1 for what a plugin refuses."""
    good, warned, bad = tmp_path / "good.conf", tmp_path / "warned.conf", tmp_path / "bad.conf"
    good.write_text('{"name": "x", "type": "sriov"}')
    warned.write_text('{"name": "x", "type": "sriov", "vlam": 3}')
    bad.write_text('{"name": "x", "type": "sriov",\n "vlan": 5000}')
    done = plumbline("lint", str(good), str(warned))
    assert (done.status, done.stderr) == (Status.GOOD, "")
    assert done.stdout.startswith(f'{warned}:1: warning: member "vlam" is not known')
    done = plumbline("lint", "--json", str(good), str(bad))
    assert done.status == Status.FAILURE
    whole = done.document
    assert [(fault["file"], fault["line"]) for fault in whole["faults"]] == [(str(bad), 2)]


def test_lint_of_standard_input() -> None:
    """As `kubectl get net-attach-def -o yaml | plumbline lint -`, for one."""
    done = plumbline("lint", "-", stdin='{"name": "x", "type": "sriov"}')
    assert (done.status, done.stdout) == (Status.GOOD, "-: no fault\n")


def test_lint_without_a_file(tmp_path: Path) -> None:
    """Usage, and a file that cannot be read."""
    assert plumbline("lint").status == Status.USAGE
    done = plumbline("lint", str(tmp_path / "missing"))
    assert (done.status, done.stderr) == (
        Status.FAILURE,
        f"plumbline: cannot read {tmp_path}/missing: No such file or directory\n",
    )


def test_doctor() -> None:
    """Of this machine, whatever it is like: by the schema, and 1 if anything fails."""
    done = plumbline("doctor", "--json")
    whole = done.document
    fails = whole["counts"]["fail"]
    assert done.status == (Status.FAILURE if fails else Status.GOOD)
    assert fails == sum(finding["level"] == "fail" for finding in whole["findings"])


def test_doctor_of_no_pf() -> None:
    """10, and which there are."""
    done = plumbline("doctor", "nosuchpf")
    assert done.status == Status.NO_DEVICE
    assert 'there is no PF "nosuchpf"' in done.stderr


def test_report(tmp_path: Path) -> None:
    """A file that only its owner may read; one that is there is left alone."""
    path = tmp_path / "report.tar.gz"
    done = plumbline("report", "-o", str(path))
    assert (done.status, done.stderr) == (Status.GOOD, "")
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as tar:
        assert len({member.name.partition("/")[0] for member in tar.getmembers()}) == 1
    before = path.read_bytes()
    done = plumbline("report", "-o", str(path))
    assert (done.status, path.read_bytes()) == (Status.FAILURE, before)
    assert "is there already, and was left as it is" in done.stderr
    done = plumbline("report", "-o", str(tmp_path / "missing/x"))
    assert (done.status, os.listdir(tmp_path)) == (Status.FAILURE, ["report.tar.gz"])
