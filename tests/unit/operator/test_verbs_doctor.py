"""The verbs doctor, lint and report as a user types them: what they print, and their exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from plumbline.errors import Status
from tests.support import schemas

REPOSITORY = Path(__file__).parents[3]


def _run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plumbline", *words]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=environ)


def test_lint(tmp_path: Path) -> None:
    """Faults of all files, with their names; 1 for what a plugin refuses."""
    good, warned, bad = tmp_path / "good.conf", tmp_path / "warned.conf", tmp_path / "bad.conf"
    good.write_text('{"name": "x", "type": "sriov"}')
    warned.write_text('{"name": "x", "type": "sriov", "vlam": 3}')
    bad.write_text('{"name": "x", "type": "sriov",\n "vlan": 5000}')
    done = _run("lint", str(good), str(warned))
    assert (done.returncode, done.stderr) == (Status.GOOD, "")
    assert done.stdout.startswith(f'{warned}:1: warning: member "vlam" is not known')
    done = _run("lint", "--json", str(good), str(bad))
    assert done.returncode == Status.FAILURE
    whole = json.loads(done.stdout)
    schemas.check(whole)
    assert [(fault["file"], fault["line"]) for fault in whole["faults"]] == [(str(bad), 2)]


def test_lint_of_standard_input() -> None:
    """As `kubectl get net-attach-def -o yaml | plumbline lint -`, for one."""
    done = _run("lint", "-", stdin='{"name": "x", "type": "sriov"}')
    assert (done.returncode, done.stdout) == (Status.GOOD, "-: no fault\n")


def test_lint_without_a_file(tmp_path: Path) -> None:
    """Usage, and a file that cannot be read."""
    assert _run("lint").returncode == Status.USAGE
    done = _run("lint", str(tmp_path / "missing"))
    assert (done.returncode, done.stderr) == (
        Status.FAILURE,
        f"plumbline: cannot read {tmp_path}/missing: No such file or directory\n",
    )


def test_doctor() -> None:
    """Of this machine, whatever it is like: by the schema, and 1 if anything fails."""
    done = _run("doctor", "--json")
    whole = json.loads(done.stdout)
    schemas.check(whole)
    fails = whole["counts"]["fail"]
    assert done.returncode == (Status.FAILURE if fails else Status.GOOD)
    assert fails == sum(finding["level"] == "fail" for finding in whole["findings"])


def test_doctor_of_no_pf() -> None:
    """10, and which there are."""
    done = _run("doctor", "nosuchpf")
    assert done.returncode == Status.NO_DEVICE
    assert 'there is no PF "nosuchpf"' in done.stderr


def test_report(tmp_path: Path) -> None:
    """A file that only its owner may read; one that is there is left alone."""
    path = tmp_path / "report.tar.gz"
    done = _run("report", "-o", str(path))
    assert (done.returncode, done.stderr) == (Status.GOOD, "")
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as tar:
        assert len({member.name.partition("/")[0] for member in tar.getmembers()}) == 1
    before = path.read_bytes()
    done = _run("report", "-o", str(path))
    assert (done.returncode, path.read_bytes()) == (Status.FAILURE, before)
    assert "is there already, and was left as it is" in done.stderr
    done = _run("report", "-o", str(tmp_path / "missing/x"))
    assert (done.returncode, os.listdir(tmp_path)) == (Status.FAILURE, ["report.tar.gz"])
