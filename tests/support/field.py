"""What tests of faults from the field do and see with VFs, whichever plugin it is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.support import disk, links, properties, vfs
from tests.support.links import Netns
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import VF

ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=router-0;K8S_POD_UID=5e3f;K8S_POD_INFRA_CONTAINER_ID=x"
"""CNI_ARGS as Multus has them."""


def state(vf: VF) -> dict[str, Any]:
    """Return what the kernel says of a VF's link on the host, attribute by attribute, and what rtnetlink does not tell.

    Without its queueing discipline, as in `vfs.shown`.
    """
    host = Netns.own()
    try:
        index = index_in(host, vf.name)
        found = {**properties.link(host, index).state(), "features": links.features(host, vf.name)}
        found["classifiers"] = links.classifiers(host, index)
        return {key: value for key, value in found.items() if key != "qdisc"}
    finally:
        host.forget()


def index_in(space: Netns, name: str = "net1") -> int:
    """Return the index of a link of a namespace."""
    return next(link.index for link in space.links() if link.name == name)


@contextmanager
def held(pod: Space) -> Iterator[None]:
    """Delete a pod's namespace, and keep it from dying, without a process in it: as slow as the kernel can be."""
    fd = os.open(pod.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pod.delete()
        inode = os.fstat(fd).st_ino
        # An announcer notices within half a second that the pod is gone.
        vfs.wait_for(lambda: inode not in _namespaces_of_processes(), "namespace without a process")
        yield
    finally:
        os.close(fd)


def _namespaces_of_processes() -> set[int]:
    """Return the inodes of the network namespaces in which processes are."""
    found = set()
    for process in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            found.add(os.stat(f"/proc/{process}/ns/net").st_ino)
    return found


def set_up_with_carrier(name: str) -> None:
    """Set a link of the host up that gets its carrier some time later."""
    HOST.ip("link", "set", name, "up")
    vfs.wait_for(lambda: (HOST.link(name) or {})["operstate"] == "UP", f"carrier of {name}")


def record(one: Attachment) -> str:
    """Return the path of an attachment's record, empty when there is none."""
    folder = f"{disk.CNI}/{one.conf['type']}"
    found = [path for path in disk.files(folder) if one.container_id in path]
    return f"{folder}/{found[0]}" if found else ""


def recorded(one: Attachment) -> dict[str, Any]:
    """Return an attachment's record."""
    with open(record(one)) as file:
        return dict(json.load(file))


def falsify(one: Attachment, where: tuple[str, ...], value: object) -> None:
    """Write a value into an attachment's record. where: the member, from the outermost on."""
    written = recorded(one)
    inner = written
    for key in where[:-1]:
        inner = inner[key]
    assert where[-1] in inner, f"no {where[-1]} in {inner}"
    inner[where[-1]] = value
    with open(record(one), "w") as file:
        json.dump(written, file)


def make_decoys() -> list[str]:
    """Make the files that `../x` may lead to from where a plugin has its files; return their paths."""
    paths = [f"{disk.CNI}/x", f"{os.path.dirname(disk.CNI)}/x"]
    for path in paths:
        with open(path, "w"):
            pass
    return paths


def assert_untouched(decoys: list[str]) -> None:
    """Assert that these files are there, and take them away."""
    assert [path for path in decoys if os.path.exists(path)] == decoys
    for path in decoys:
        os.unlink(path)


def assert_other_network_is_refused(one: Attachment, other: Attachment) -> None:
    """Assert that ADD to another network under the name of a live attachment changes nothing on disk nor of that.

    other: with the same container ID and interface name.
    """
    before = disk.files(disk.CNI)
    error = other.call("ADD").error(4)
    assert f'"{one.conf["name"]}"' in error["msg"]
    assert disk.files(disk.CNI) == before
    one.check().ok()


def assert_named(one: Attachment) -> None:
    """Give ADD with ARGS and the most talkative log; assert that record and every line of the log tell the pod."""
    one.args, one.conf["logLevel"] = ARGS, "debug"
    outcome = one.call("ADD")
    outcome.ok()
    ours = recorded(one)["plumbline"]
    assert (ours["K8S_POD_NAMESPACE"], ours["K8S_POD_NAME"], ours["K8S_POD_UID"]) == ("default", "router-0", "5e3f")
    lines = outcome.stderr.splitlines()
    assert lines
    assert all(f"[{one.container_id} net1 default/router-0]" in line for line in lines), lines
