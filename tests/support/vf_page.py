"""What the page of a plugin for VFs says: its examples are executed, and its error messages are those that come. A rig
is what each plugin has of its own; the tests are the same.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import pytest

from tests.support import disk, examples, net
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


class Rig(ABC):
    """A VF and a pod, and what is around them.

    page: what is tried. folder: of the plugin's records. by_configuration: a part of each message on the page that a
    configuration provokes, and that configuration; by_state: the same of the states of the VF, in which ADD asks for
    what is in asked; others: parts of the messages that are not provoked by either.
    """

    page: Page
    folder: str
    by_configuration: dict[str, dict[str, Any]]
    by_state: dict[str, Place]
    others: tuple[str, ...]
    asked: ClassVar[dict[str, Any]]

    def __init__(self, vf: VF, pod: Space) -> None:
        self.vf = vf
        self.pod = pod

    @contextmanager
    def suitable(self, conf: dict[str, Any]) -> Iterator[None]:
        """Make the VF one that the example can be tried on. That of a DPDK program gets a VF on vfio-pci."""
        if conf["name"] == "dpdk":
            self.vf.bind("vfio-pci")
        yield

    @abstractmethod
    def snapshot(self) -> object:
        """Return all that has to be as before in the end."""

    @abstractmethod
    def assert_attached(self, conf: dict[str, Any]) -> None:
        """What is around the VF, and its entry at the PF, are as the example asks for."""


class Described:
    """The tests, which are the same for each plugin; its class has the class of its rigs, and its module the fixture
    `rig`, which gives one.
    """

    rigs: type[Rig]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Try every example of the plugin, and every state."""
        if "conf" in metafunc.fixturenames:
            metafunc.parametrize("conf", examples.networks(self.rigs.page.conf["type"]))
        if "part" in metafunc.fixturenames:
            metafunc.parametrize("part", self.rigs.by_state)

    def test_example_attaches_and_detaches(self, conf: dict[str, Any], rig: Rig) -> None:
        """ADD, CHECK and DEL with the example; the VF is put in where Multus puts it in, and where the example has
        one.
        """
        with rig.suitable(conf):
            before = rig.snapshot()
            one = Attachment(example(conf, rig.vf), net.unique("docs"), rig.pod.path)
            result = one.add()
            examples.assert_answered(conf, result)
            rig.assert_attached(conf)
            if rig.vf.driver == "igbvf":
                _assert_link(conf, result, rig.pod)
            else:
                assert rig.pod.links() == []
                assert [x["pciID"] for x in result["interfaces"]] == [rig.vf.address]
                assert [x["address"] for x in result["ips"]] == [x["address"] for x in conf["ipam"]["addresses"]]
            one.check().ok()
            one.delete()
            assert rig.snapshot() == before
        assert disk.records(rig.folder) == []
        assert disk.reserved(conf["name"]) == {}

    def test_messages_about_the_configuration(self, rig: Rig) -> None:
        """What the page lists is what comes, and all is as it was."""
        before = rig.snapshot()
        rig.page.assert_provoked_by_configuration(rig.vf, rig.pod, rig.by_configuration)
        assert rig.snapshot() == before

    def test_message_about_the_state(self, part: str, rig: Rig) -> None:
        """What the page lists is what comes."""
        with rig.by_state[part](rig.vf):
            outcome = rig.page.answer(rig.vf, rig.pod, **rig.asked)
        rig.page.assert_listed(part, outcome)

    def test_every_message_is_provoked(self) -> None:
        """But for the few that are said not to be."""
        rigs = self.rigs
        rigs.page.assert_all_known(*rigs.by_configuration, *rigs.by_state, *rigs.others)


def _assert_link(conf: dict[str, Any], result: dict[str, Any], pod: Space) -> None:
    """The link in the pod has what the example asks for, and what the result says."""
    link = pod.link("net1")
    assert link is not None
    assert "UP" in link["flags"]
    assert link["mtu"] == conf.get("mtu", 1500)
    assert link["address"] == result["interfaces"][0]["mac"]
    assert link["address"] == asked_mac(conf, link["address"])
    examples.assert_addressed(result, pod)


def asked_mac(conf: dict[str, Any], otherwise: str) -> str:
    """Return the address that an example asks for; `otherwise` if it asks for none."""
    return str(conf.get("runtimeConfig", {}).get("mac", conf.get("mac", otherwise)))
