"""The examples in the documentation work: those of host-device here, those of plugins for VFs in tests/lab."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import examples, net
from tests.support.net import HOST, Space
from tests.support.plugin import REPOSITORY, Attachment

BY_HAND = "docs/architecture.md"
WITH_EXAMPLES = {"README.md", "docs/accelerated-bridge.md", "docs/host-device.md", "docs/ipam.md", "docs/sriov.md"}


@pytest.mark.parametrize("conf", examples.networks("host-device"))
def test_example_attaches_and_detaches(conf: dict[str, Any], pod: Space, make_device: Callable[..., str]) -> None:
    """ADD, CHECK and DEL with the example, on a device of the name that it uses."""
    device = make_device()
    HOST.ip("link", "set", device, "name", conf["device"])
    before = HOST.settings(conf["device"])
    attachment = Attachment(conf, net.unique("docs"), pod.path)

    result = attachment.add()
    examples.assert_answered(conf, result)
    examples.assert_addressed(result, pod)
    if conf["cniVersion"] != "0.3.1":  # CHECK came with 0.4.0
        attachment.check().ok()
    attachment.delete()

    assert HOST.settings(before["name"]) == before


def test_by_hand() -> None:
    """The commands of the architecture page do what they seem to."""
    (script,) = examples.blocks(BY_HAND, "sh")
    shown = net.run("sh", "-euc", script, cwd=REPOSITORY)
    added, record, back = shown.index('"name": "net1"'), shown.index('"network":"by-hand"'), shown.rindex("ens5")
    assert added < record < back
    assert "ens5" not in HOST.links()


def test_every_page_has_examples() -> None:
    """The patterns that find examples find some on each page that has some."""
    assert {name.rpartition("-")[0] for name in examples.examples()} >= WITH_EXAMPLES


def test_every_example_is_executed() -> None:
    """Each example is for one of the plugins whose examples are executed, and each of those has a test that does it.

    A configuration has one type, and each file takes those of one: none is executed twice, none is left out.
    """
    left_out = [name for name, conf in examples.examples().items() if conf.get("type") not in examples.EXECUTED]
    assert left_out == []
    for plugin, (file, line) in examples.EXECUTED.items():
        assert examples.read(file).splitlines().count(line) == 1
        assert examples.networks(plugin)


def test_the_path_on_a_node_fits_together() -> None:
    """The device plugin's resource, the annotation that names it, and what the pod asks for are the same one."""
    text = examples.read("README.md")
    (pools,) = (json.loads(found)["resourceList"] for found in examples.embedded("README.md", "config.json"))
    resources = [f"{pool['resourcePrefix']}/{pool['resourceName']}" for pool in pools]
    assert re.findall(r"k8s\.v1\.cni\.cncf\.io/resourceName: (\S+)", text) == resources
    assert set(re.findall(r'^ +(\S+/\S+): "1"$', text, re.MULTILINE)) == set(resources)


@pytest.mark.parametrize("page", ["docs/accelerated-bridge.md", "docs/sriov.md"])
def test_examples_show_every_parameter(page: str) -> None:
    """Each parameter in the table of a page is in an example of that page."""
    documented = set()
    for row in re.findall(r"^\| (`.*?) \|", examples.read(page).partition("### ")[0], re.MULTILINE):
        documented |= set(re.findall(r"`(.*?)`", row))
    used = set()
    for name, conf in examples.examples().items():
        if name.startswith(page):
            used |= set(conf) | {f"runtimeConfig.{key}" for key in conf.get("runtimeConfig", {})}
    assert documented - used == {"CNI_ARGS", "MAC=", "runtimeConfig.CNIDeviceInfoFile"}
    assert len(documented) > 20


def test_links_lead_somewhere() -> None:
    """Every link from page to page names a file that is there, and a heading in it."""
    broken = []
    for page in examples.pages():
        for target in re.findall(r"\]\(([^)\s]+)\)", examples.read(page)):
            path, _, anchor = target.partition("#")
            if ":" in path:
                continue
            file = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            if not os.path.exists(os.path.join(REPOSITORY, file)) or (anchor and anchor not in anchors(file)):
                broken.append(f"{page}: {target}")
    assert broken == []


def anchors(page: str) -> set[str]:
    """Return what the headings of a page can be linked by."""
    headings = re.findall(r"^#+ (.*)$", examples.read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
