"""Fixtures of the IPAM tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ipam.host_local.boot import Boot
from tests.support.plugin import REPOSITORY


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[str]:
    """A folder on a file system with extended attributes: /tmp may be a tmpfs of a kernel before 6.6."""
    for base in (str(tmp_path), "/var/tmp", REPOSITORY):
        made = tempfile.mkdtemp(prefix="host-local-", dir=base)
        try:
            os.setxattr(made, "user.plumbline.test", b"1")
        except OSError:
            os.rmdir(made)
            continue
        yield made
        shutil.rmtree(made)
        return
    pytest.fail("no folder takes extended attributes: the reboot rule cannot be tested here")


@pytest.fixture
def boot_of(tmp_path: Path) -> Callable[..., Boot]:
    """A function that makes the boot of a name, on a machine of a name."""

    def make(boot_id: str, machine_id: str = "machine") -> Boot:
        (tmp_path / f"boot-{boot_id}").write_text(f"{boot_id}\n")
        (tmp_path / f"machine-{machine_id}").write_text(f"{machine_id}\n")
        return Boot(str(tmp_path / f"boot-{boot_id}"), str(tmp_path / f"machine-{machine_id}"))

    return make
