"""The examples in the documentation: every JSON block of every page is a network configuration, and it is executed.

Each is executed once, by the test of the plugin that it is for: those of `sriov` and `accelerated-bridge` need VFs and
run in the lab (vf_page.py), those of `host-device` outside of it. Blocks that are no network configuration are not
marked as JSON.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from tests.support.net import Space
from tests.support.plugin import REPOSITORY, Outcome

EXECUTED = {
    "accelerated-bridge": ("tests/lab/accelerated_bridge/test_docs.py", "class TestPage(Described):"),
    "host-device": ("tests/binary/test_docs.py", '@pytest.mark.parametrize("conf", examples.networks("host-device"))'),
    "sriov": ("tests/lab/test_docs.py", "class TestPage(Described):"),
}
"""Plugin, the file that executes its examples, and the line there that does it."""


def pages() -> list[str]:
    """Return the paths of all pages, from the repository's root."""
    folder = os.path.join(REPOSITORY, "docs")
    return ["README.md", *sorted(f"docs/{name}" for name in os.listdir(folder) if name.endswith(".md"))]


def read(page: str) -> str:
    """Return the text of a page."""
    with open(os.path.join(REPOSITORY, page), encoding="utf-8") as file:
        return file.read()


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", read(page), re.MULTILINE | re.DOTALL)


def embedded(page: str, key: str) -> list[str]:
    """Return the JSON texts that YAML blocks hold under a key with `|`."""
    pattern = rf"^  {re.escape(key)}: \|\n((?:    .*\n)+)"
    return [text for block in blocks(page, "yaml") for text in re.findall(pattern, block, re.MULTILINE)]


def examples() -> dict[str, dict[str, Any]]:
    """Return every network configuration by page and number: JSON blocks, and those in NetworkAttachmentDefinitions."""
    found = {}
    for page in pages():
        for number, text in enumerate(blocks(page, "json") + embedded(page, "config"), 1):
            found[f"{page}-{number}"] = json.loads(text)
    return found


def networks(plugin: str) -> list[Any]:
    """Return the examples for one plugin, as parameters of a test."""
    return [pytest.param(conf, id=name) for name, conf in examples().items() if conf.get("type") == plugin]


def assert_answered(conf: dict[str, Any], result: dict[str, Any]) -> None:
    """A result is of the version that an example asks for, and has its name servers if it asks for addresses."""
    assert result["cniVersion"] == conf["cniVersion"]
    assert result["dns"] == (conf.get("dns", {}) if "ipam" in conf else {})


def assert_addressed(result: dict[str, Any], pod: Space) -> None:
    """The pod's link has the addresses and routes of the result."""
    assert pod.addresses("net1") == sorted(ip["address"] for ip in result.get("ips", []))
    routes = {route["dst"] for family in ("-4", "-6") for route in pod.routes("net1", family, "all")}
    wanted = {route["dst"] for route in result.get("routes", [])}
    assert {"default" if dst in ("0.0.0.0/0", "::/0") else dst for dst in wanted} <= routes


def messages(page: str) -> dict[str, int]:
    """Return the error messages in the table of a page, as they stand there, and their codes."""
    rows = re.findall(r"^\| `(.*?)` \| (\d+) \|", read(page), re.MULTILINE)
    return {message: int(code) for message, code in rows}


def assert_listed(page: str, part: str, outcome: Outcome) -> None:
    """A page has one message with this part, and it is the one that came, with its code."""
    message, code = listed(page, part)
    error = outcome.error(code)
    assert is_like(message, error), f"{message}: {error}"


def listed(page: str, part: str) -> tuple[str, int]:
    """Return the one error message of a page with this part, and its code."""
    (found,) = ((message, code) for message, code in messages(page).items() if part in message)
    return found


def is_like(message: str, error: dict[str, Any]) -> bool:
    """Return whether an error is a message from a page. What varies is in angle brackets there."""
    pieces = re.split(r"(<[^>]+>)", message)
    pattern = "".join(".+" if piece.startswith("<") else re.escape(piece) for piece in pieces)
    return re.fullmatch(pattern, error["msg"]) is not None
