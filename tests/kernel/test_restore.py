"""A link on the host gets its name back, whatever udev has done to it in the meantime."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cni.attach import restore
from cni.linux import netns
from cni.linux.netlink import link
from cni.linux.netns import NetNS
from tests.support.log import Lines
from tests.support.net import HOST, unique


@pytest.fixture
def host() -> Iterator[NetNS]:
    """The session's own namespace."""
    with netns.own() as own:
        yield own


@pytest.mark.parametrize("meanwhile", ["nothing", "renamed", "alternative name"])
def test_rename(meanwhile: str, host: NetNS, device: str) -> None:
    """It had the pod's name when it was looked at."""
    wanted, seen = unique("back"), link.get(host.netlink, name=device)
    assert seen is not None
    if meanwhile == "renamed":
        HOST.ip("link", "set", device, "name", wanted)
    elif meanwhile == "alternative name":
        HOST.ip("link", "property", "add", "dev", device, "altname", wanted)
    log = Lines()
    renamed = restore.rename(host, seen, wanted, log)
    assert (renamed.index, renamed.name, renamed.altnames) == (seen.index, wanted, [])
    assert HOST.settings(wanted)["altnames"] == []
    assert device not in HOST.links()
    assert log.text("warning") == ""


def test_rename_to_a_name_that_another_link_has(host: NetNS, device: str, make_device: Callable[..., str]) -> None:
    """Ours gets a free one that begins with it."""
    other, seen, log = make_device(), link.get(host.netlink, name=device), Lines()
    assert seen is not None
    assert restore.rename(host, seen, other, log).name == f"{other}_0"
    assert {other, f"{other}_0"} <= set(HOST.links())
    assert f"the name {other} is taken" in log.text("warning")
