"""`plumbline network list`: what is attached to networks."""

from __future__ import annotations

import click

from plumbline import output
from plumbline.network.attachment import Attachment
from plumbline.network.cache import Cache, Cached
from plumbline.network.configuration import Document
from plumbline.output import Column
from plumbline.verbs.network.options import Places, places
from plumbline.verbs.network.runs import SCHEMA
from plumbline.verbs.options import json_option
from plumbline.verbs.saying import say


@click.command("list")
@places
@json_option
def show_all(places: Places, as_json: bool) -> None:
    """Show what is attached to networks, by libcni's cache: of which container, in which namespace."""
    found = Cache(places.cache_dir).all()
    if as_json:
        attachments = [document(x.network, x.attachment) for x in found]
        output.print_json({"schema": SCHEMA, "command": "list", "attachments": attachments})
        return
    console = output.console()
    if not found:
        say(f"nothing is cached in {places.cache_dir}/results", "dim")
        return
    shown, _ = output.table(found, COLUMNS, console.width)
    console.print(shown)


COLUMNS: list[Column[Cached]] = [
    Column("NETWORK", lambda x: x.network, 9, lambda _: "bold"),
    Column("IF", lambda x: x.attachment.ifname, 8),
    Column("NETNS", lambda x: x.attachment.netns, 7),
    Column("CONTAINER", lambda x: x.attachment.container_id, 6),
    Column("ADDRESSES", lambda x: " ".join(_addresses(x.result or {})), 5),
]


def document(name: str, attachment: Attachment) -> Document:
    """Return an attachment of a network, for --json."""
    return {
        "network": name,
        "containerID": attachment.container_id,
        "interface": attachment.ifname,
        "netns": attachment.netns or None,
    }


def _addresses(result: Document) -> list[str]:
    return [str(ip.get("address")) for ip in result.get("ips") or [] if isinstance(ip, dict)]
