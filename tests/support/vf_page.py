"""A page of a plugin for VFs: its examples, made one for a VF that there is, and what provokes its error messages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.support import examples, net
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome
from tests.support.vfs import VF

Place = Callable[[VF], AbstractContextManager[Any]]


class Page:
    """path: of the page. conf: what every configuration here has besides the VF."""

    def __init__(self, path: str, conf: dict[str, Any]) -> None:
        self.path = path
        self.conf = {"cniVersion": "1.0.0", "name": "docs", **conf}

    def answer(self, vf: VF, pod: Space, ifname: str = "net1", **extra: Any) -> Outcome:
        """Return how ADD ends. extra: goes on top of the configuration."""
        conf = {**self.conf, "deviceID": vf.address, **extra}
        return Attachment(conf, net.unique("docs"), pod.path, ifname).call("ADD")

    @contextmanager
    def attached(self, vf: VF) -> Iterator[None]:
        """Have the VF attached to another pod."""
        other = net.new_space("other")
        one = Attachment({**self.conf, "name": "other", "deviceID": vf.address}, net.unique("docs"), other.path)
        try:
            one.add()
            yield
            one.delete()
        finally:
            other.delete()

    def assert_listed(self, part: str, outcome: Outcome) -> None:
        """Assert that an error is the one of the page that has this part."""
        examples.assert_listed(self.path, part, outcome)

    def assert_provoked_by_configuration(self, vf: VF, pod: Space, cases: dict[str, dict[str, Any]]) -> None:
        """Assert that what the page lists is what comes. cases: a part of a message, and what provokes it."""
        for part, extra in cases.items():
            self.assert_listed(part, self.answer(vf, pod, **extra))

    def assert_all_known(self, *parts: str) -> None:
        """Assert that the page lists messages, and none but those that have one of the parts."""
        messages = examples.messages(self.path)
        assert messages
        assert [x for x in messages if not any(part in x for part in parts)] == []


BY_CONFIGURATION: dict[str, dict[str, Any]] = {
    "VF pci addr is required": {"deviceID": ""},
    "there is no such PCI device": {"deviceID": "0000:ff:1f.7"},
    "it is a physical function": {"deviceID": "0000:01:00.0"},
    "cannot set MTU": {"mtu": 65535},
    "exists already in": {"ifname": "lo"},
    "are different devices": {"runtimeConfig": {"deviceID": "0000:ff:1f.7"}},
}
"""A part of a message that either page lists, and the configuration that provokes it."""


def example(conf: dict[str, Any], vf: VF) -> dict[str, Any]:
    """Return an example with a VF put in where Multus puts it in, and where the example has one."""
    whole = {**conf, "deviceID": vf.address, "pciBusID": vf.address}
    if "deviceID" in conf.get("runtimeConfig", {}):
        whole["runtimeConfig"] = {**conf["runtimeConfig"], "deviceID": vf.address}
    return whole


@contextmanager
def without_pf(vf: VF) -> Iterator[None]:
    """Have the VF look as in a virtual machine: its folder in sysfs is covered with one that knows no PF."""
    folder, driver, name = os.path.realpath(vf.folder), os.path.realpath(f"{vf.folder}/driver"), vf.name
    net.run("mount", "-t", "tmpfs", "tmpfs", folder)
    try:
        os.symlink(driver, f"{folder}/driver")
        os.makedirs(f"{folder}/net/{name}")
        yield
    finally:
        net.run("umount", folder)


@contextmanager
def unbound(vf: VF) -> Iterator[None]:
    """Have the VF bound to no driver."""
    vf.bind("")
    yield
    vf.bind("igbvf")


@contextmanager
def pf_unbound(vf: VF) -> Iterator[None]:
    """Have the PF without a link: its folder in sysfs is covered with one that has none."""
    folder = os.path.realpath(vf.pf.folder)
    net.run("mount", "-t", "tmpfs", "tmpfs", folder)
    try:
        os.symlink(os.path.realpath(vf.folder), f"{folder}/virtfn{vf.index}")
        yield
    finally:
        net.run("umount", folder)


@contextmanager
def astray(vf: VF) -> Iterator[None]:
    """Have the VF's link in a namespace that nobody knows of."""
    stray = net.new_space("stray")
    HOST.ip("link", "set", vf.name, "netns", str(stray.name))
    try:
        yield
    finally:
        stray.ip("link", "set", stray.links()[0], "netns", "1")
        stray.delete()


BY_STATE: dict[str, Place] = {
    "bound to no driver": unbound,
    "its physical function <address> has no link": pf_unbound,
    "though it is bound to": astray,
}
"""The same, with the state of the VF that provokes it."""
