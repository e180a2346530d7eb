"""What a binary says it was built of is what is there, and nothing else's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from program.version import described, described_with_libraries
from tests.support.plugin import REPOSITORY


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a commit."""
    root = tmp_path / "checkout"
    (root / "cni").mkdir(parents=True)
    (root / "cni/skel.py").write_text("pass\n")
    (root / "pyproject.toml").write_text('[project]\nname = "plumbline"\nversion = "7.8.9"\n')
    (root / ".gitignore").write_text("__pycache__/\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "one")
    return root


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", f"safe.directory={root}")
    return subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def commit(root: Path) -> str:
    return git(root, "rev-parse", "HEAD")[:12]


def test_a_checkout(checkout: Path) -> None:
    assert described(str(checkout)) == f"7.8.9, commit {commit(checkout)}"


CHANGES = {
    "a source is changed": ("cni/skel.py", "-dirty"),
    "a source is new": ("cni/new.py", "-dirty"),
    "the version is changed": ("pyproject.toml", "-dirty"),
    "a page is new": ("docs.md", ""),
    "a module was compiled": ("cni/__pycache__/skel.pyc", ""),
}


@pytest.mark.parametrize(("path", "mark"), CHANGES.values(), ids=CHANGES)
def test_changes(checkout: Path, path: str, mark: str) -> None:
    """Those of what has a say in what a binary is are told."""
    (checkout / path).parent.mkdir(exist_ok=True)
    with open(checkout / path, "a") as file:
        file.write("\n")
    assert described(str(checkout)) == f"7.8.9, commit {commit(checkout)}{mark}"


def test_a_staged_change(checkout: Path) -> None:
    (checkout / "cni/skel.py").write_text("\n")
    git(checkout, "add", ".")
    assert described(str(checkout)) == f"7.8.9, commit {commit(checkout)}-dirty"


def test_a_worktree(checkout: Path) -> None:
    git(checkout, "worktree", "add", "--quiet", "../other")
    assert described(str(checkout.parent / "other")) == f"7.8.9, commit {commit(checkout)}"


def test_no_checkout(tmp_path: Path) -> None:
    """As after unpacking an archive of the sources."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "7.8.9"\n')
    assert described(str(tmp_path)) == "7.8.9, commit unknown"


def test_in_a_checkout_of_something_else(checkout: Path) -> None:
    unpacked = checkout / "unpacked"
    unpacked.mkdir()
    (unpacked / "pyproject.toml").write_text('[project]\nversion = "1.1.1"\n')
    assert described(str(unpacked)) == "1.1.1, commit unknown"


def test_no_commit(checkout: Path) -> None:
    git(checkout, "update-ref", "-d", "HEAD")
    assert described(str(checkout)) == "7.8.9, commit unknown"


def test_no_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert described(str(checkout)) == "7.8.9, commit unknown"


def test_a_checkout_of_another_user(checkout: Path) -> None:
    """As root builds what a person has checked out."""
    for path in (checkout, checkout / ".git"):
        os.chown(path, 65534, 65534)
    assert described(str(checkout)) == f"7.8.9, commit {commit(checkout)}"


def test_in_a_hook_of_another_repository(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", f"{REPOSITORY}/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    said = described(str(checkout))
    monkeypatch.undo()
    assert said == f"7.8.9, commit {commit(checkout)}"


def test_what_runs_a_plugin_from_the_source() -> None:
    assert described_with_libraries().startswith(f"{described()}, CPython 3.")
