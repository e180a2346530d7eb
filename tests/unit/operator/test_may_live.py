"""Nothing is taken from a pod of which nobody can tell whether it lives, be it that no more files can be opened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cni.attach.dead import Living
from cni.protocol.errors import CniError
from plumbline.cli import command
from plumbline.errors import VerbError
from tests.support import disk, net, schemas
from tests.support.net import Space
from tests.support.plugin import Attachment

BLUE = {"cniVersion": "1.1.0", "name": "blue"}


@pytest.fixture(params=[CniError(5, "failed to open netns", "errno 24"), OSError(24, "Too many open files")])
def container(request: pytest.FixtureRequest, device: str, pod: Space, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ID of the container of a pod that has a link by host-device."""

    def has(*_: object) -> bool:
        raise request.param

    disk.clear()
    one = Attachment({**BLUE, "type": "host-device", "device": device}, net.unique("container"), pod.path)
    one.add()
    monkeypatch.setattr(Living, "has", has)
    return one.container_id


def run(*arguments: str) -> Result:
    """Run a verb in this process, of whose modules one is another."""
    return CliRunner().invoke(command, arguments)


@pytest.mark.parametrize("option", [(), ("--dry-run",)])
def test_gc(option: tuple[str, ...], container: str, pod: Space) -> None:
    """It leaves the device alone, names it, and ends with 1."""
    done = CliRunner().invoke(command, ["gc", "--json", *option], standalone_mode=False)
    found = json.loads(done.stdout)
    schemas.check(found)
    assert (done.return_value, found["devices"], pod.links()) == (1, [], ["net1"])
    assert [container in text and pod.path in text for text in found["unknown"]] == [True]


def test_release(device: str, container: str, pod: Space) -> None:
    """It is refused without --force, as that of a pod that lives."""
    error = run("release", device).exception
    assert isinstance(error, VerbError)
    assert error.status == 4
    assert f"{container} has it as net1 in network blue, and may live" in error.message
    assert pod.links() == ["net1"]
    found = json.loads(run("release", "--force", "--json", device).stdout)
    schemas.check(found)
    assert (found["devices"][0]["owner"]["alive"], found["devices"][0]["outcome"]) == (None, "given back")
    assert pod.links() == []


def test_network_gc(container: str, tmp_path: Path) -> None:
    """The plugins are told that it is valid."""
    (tmp_path / "10.conflist").write_text(json.dumps({**BLUE, "plugins": [{"type": "host-device"}]}))
    done = run("network", "gc", "blue", "--dry-run", "--json", "--conf-dir", str(tmp_path))
    assert [x["containerID"] for x in json.loads(done.stdout)["valid"]] == [container]
