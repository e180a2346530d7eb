"""The examples in the documentation work: every JSON block is a network configuration, and it is executed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import net
from tests.support.net import HOST, Space
from tests.support.plugin import REPOSITORY, Attachment

PAGES = ("README.md", "docs/host-device.md", "docs/ipam.md")
BY_HAND = "docs/architecture.md"


def read(page: str) -> str:
    """Return the text of a page."""
    with open(os.path.join(REPOSITORY, page), encoding="utf-8") as file:
        return file.read()


def examples() -> Iterator[Any]:
    """Yield every network configuration of the pages: JSON blocks, and those inside a NetworkAttachmentDefinition."""
    for page in PAGES:
        text = read(page)
        blocks = re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            blocks += re.findall(r"^  config: \|\n((?:    .*\n)+)", block, re.MULTILINE)
        for number, block in enumerate(blocks, 1):
            yield pytest.param(json.loads(block), id=f"{page}-{number}")


def networks() -> list[Any]:
    """Return the examples that are network configurations of host-device."""
    return [example for example in examples() if example.values[0].get("type") == "host-device"]


@pytest.mark.parametrize("conf", networks())
def test_example_attaches_and_detaches(conf: dict[str, Any], pod: Space, make_device: Callable[..., str]) -> None:
    """ADD, CHECK and DEL with the example, on a device of the name that it uses."""
    device = make_device()
    HOST.ip("link", "set", device, "name", conf["device"])
    before = HOST.settings(conf["device"])
    attachment = Attachment(conf, net.unique("docs"), pod.path)

    result = attachment.add()
    assert result["cniVersion"] == conf["cniVersion"]
    assert pod.addresses("net1") == sorted(ip["address"] for ip in result.get("ips", []))
    assert result["dns"] == (conf.get("dns", {}) if "ipam" in conf else {})
    routes = {route["dst"] for family in ("-4", "-6") for route in pod.routes("net1", family, "all")}
    wanted = {route["dst"] for route in result.get("routes", [])}
    assert {"default" if dst in ("0.0.0.0/0", "::/0") else dst for dst in wanted} <= routes
    if conf["cniVersion"] != "0.3.1":  # CHECK came with 0.4.0
        attachment.check().ok()
    attachment.delete()

    assert HOST.settings(before["name"]) == before


def test_by_hand() -> None:
    """The commands of the architecture page do what they seem to."""
    (script,) = re.findall(r"^```sh\n(.*?)^```", read(BY_HAND), re.MULTILINE | re.DOTALL)
    shown = net.run("sh", "-euc", script, cwd=REPOSITORY)
    added, record, back = shown.index('"name": "net1"'), shown.index('"network":"by-hand"'), shown.rindex("ens5")
    assert added < record < back
    assert "ens5" not in HOST.links()


def test_every_page_has_examples() -> None:
    """The pattern that finds examples finds some on each page."""
    found = [str(example.id) for example in examples()]
    assert [page for page in PAGES if not any(name.startswith(page) for name in found)] == []
