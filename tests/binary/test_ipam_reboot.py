"""The reboot rule of docs/ipam.md through the executable: a boot ID mounted over the kernel's plays the reboot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import node
from tests.support.plugin import DIST, REFERENCE, Attachment

BOOT_ID = "/proc/sys/kernel/random/boot_id"


@pytest.fixture(autouse=True)
def allowed(tmp_path: Path) -> Iterator[None]:
    """The node's administrator allows stores, and a resolv.conf, in the folder of the test."""
    with node.configured(dataDirs=[str(tmp_path)], resolvConfDirs=[str(tmp_path)]):
        yield


@pytest.fixture
def reboot(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A function that gives the session's machine a new boot ID, until the end of the test."""
    mounted: list[Path] = []

    def give() -> None:
        path = tmp_path / f"boot-{len(mounted)}"
        path.write_text(f"00000000-0000-4000-8000-{len(mounted):012d}\n")
        subprocess.run(["mount", "--bind", str(path), BOOT_ID], check=True)
        mounted.append(path)

    yield give
    for _ in mounted:
        subprocess.run(["umount", BOOT_ID], check=True)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder that survives a reboot, on a file system with extended attributes."""
    try:
        os.setxattr(tmp_path, "user.plumbline.test", b"1")
    except OSError as e:
        pytest.fail(f"{tmp_path} takes no extended attributes ({e.strerror}); set TMPDIR to a folder that does")
    return tmp_path / "networks"


def pod(data_dir: Path, container_id: str, folder: str = DIST) -> Attachment:
    ipam: dict[str, Any] = {"type": "host-local", "subnet": "10.1.0.0/29", "rangeEnd": "10.1.0.3"}
    conf = {"cniVersion": "1.0.0", "name": "net", "type": "host-local", "ipam": {**ipam, "dataDir": str(data_dir)}}
    return Attachment(conf, container_id, "/run/netns/pod", folder=folder)


def address(attachment: Attachment) -> str:
    return str(attachment.add()["ips"][0]["address"])


def test_addresses_of_before_are_taken_when_there_are_no_others(data_dir: Path, reboot: Callable[[], None]) -> None:
    reboot()
    assert address(pod(data_dir, "old1")) == "10.1.0.2/29"
    reboot()
    assert address(pod(data_dir, "new1")) == "10.1.0.3/29"
    assert address(pod(data_dir, "new2")) == "10.1.0.2/29"
    assert "no IP addresses available" in pod(data_dir, "new3").call("ADD").error(999)["msg"]
    pod(data_dir, "old1").delete()
    assert "no IP addresses available" in pod(data_dir, "new3").call("ADD").error(999)["msg"]
    pod(data_dir, "new1").call("CHECK", prevResult={"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.3/29"}]}).ok()


def test_the_references_addresses_are_taken_one_boot_after_they_were_seen(
    data_dir: Path, reboot: Callable[[], None]
) -> None:
    assert address(pod(data_dir, "seen", REFERENCE)) == "10.1.0.2/29"
    reboot()
    assert address(pod(data_dir, "new1")) == "10.1.0.3/29"
    assert "no IP addresses available" in pod(data_dir, "new2").call("ADD").error(999)["msg"]
    reboot()
    assert address(pod(data_dir, "new2")) == "10.1.0.2/29"
    assert address(pod(data_dir, "new3")) == "10.1.0.3/29"


def test_the_reference_goes_on_with_a_store_that_has_labels(data_dir: Path, reboot: Callable[[], None]) -> None:
    pod(data_dir, "one").add()
    reboot()
    assert address(pod(data_dir, "two", REFERENCE)) == "10.1.0.3/29"
    pod(data_dir, "one", REFERENCE).delete()
    assert sorted(os.listdir(data_dir / "net")) == ["10.1.0.3", "last_reserved_ip.0", "lock"]
