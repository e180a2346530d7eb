"""Options that the verbs of `plumbline network` share, those that cnitool reads from the environment among them."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from plumbline.network import attachment
from plumbline.network.attachment import Attachment, Pairs
from plumbline.node.roots import Roots
from plumbline.node.runtime import BINARIES, CONFIGURATIONS
from plumbline.verbs.options import json_option


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are. conf_dir: configurations. bin_dir: the folders of plugins, as CNI_PATH. cache_dir: libcni's."""

    conf_dir: str
    bin_dir: str
    cache_dir: str

    @property
    def folders(self) -> list[str]:
        """The folders of plugins."""
        return [folder for folder in self.bin_dir.split(os.pathsep) if folder]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for an attachment. container_id: empty for the one that is found, or made of the path."""

    ifname: str
    container_id: str
    args: Pairs
    capabilities: dict[str, Any]

    def of(self, netns: str) -> Attachment:
        """Return the attachment of a namespace, given by its name or its path. Raises click.UsageError."""
        found = Attachment(
            self.container_id, attachment.netns_path(netns), self.ifname, self.args, dict(self.capabilities)
        )
        fault = found.fault if self.container_id else Attachment("any", "", self.ifname).fault
        if fault:
            raise click.UsageError(fault)
        return found


def _args(_context: click.Context, _option: click.Parameter, text: str) -> Pairs:
    try:
        return attachment.pairs(text)
    except ValueError as e:
        raise click.BadParameter(f"{e}; pairs are separated by semicolons") from e


def _capabilities(_context: click.Context, _option: click.Parameter, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError as e:
        raise click.BadParameter(f"it is not JSON: {e}") from e
    if not isinstance(found, dict):
        raise click.BadParameter('it must be a JSON object, such as {"mac": "02:00:00:00:00:01"}')
    return found


_PLACES = (
    click.option(
        "--conf-dir",
        envvar="NETCONFPATH",
        default=CONFIGURATIONS,
        show_default=True,
        help="The folder of network configurations. [NETCONFPATH]",
    ),
    click.option(
        "--bin-dir",
        envvar="CNI_PATH",
        default=BINARIES,
        show_default=True,
        help="The folders of plugins, colons between them. [CNI_PATH]",
    ),
    click.option(
        "--cache-dir", default=Roots().state, show_default=True, help="Where libcni keeps results, in `results` there."
    ),
)

_ASKED = (
    click.option(
        "--ifname",
        envvar="CNI_IFNAME",
        default=attachment.IFNAME,
        show_default=True,
        help="What the interface is called in the pod. [CNI_IFNAME]",
    ),
    click.option("--container-id", default="", help="By itself the one that is cached, else cnitool's for the path."),
    click.option("--args", envvar="CNI_ARGS", default="", callback=_args, help="K=V;K=V for the plugins. [CNI_ARGS]"),
    click.option(
        "--capabilities",
        envvar="CAP_ARGS",
        default="",
        callback=_capabilities,
        help="JSON object: what plugins get that declare these capabilities. [CAP_ARGS]",
    ),
)


def places(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options for folders, as its argument `places`."""

    @functools.wraps(function)
    def verb(conf_dir: str, bin_dir: str, cache_dir: str, **others: Any) -> Any:
        return function(places=Places(conf_dir, bin_dir, cache_dir), **others)

    return _with(_PLACES, verb)


def asked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options for an attachment, as its argument `asked`."""

    @functools.wraps(function)
    def verb(ifname: str, container_id: str, args: Pairs, capabilities: dict[str, Any], **others: Any) -> Any:
        return function(asked=Asked(ifname, container_id, args, capabilities), **others)

    return _with(_ASKED, verb)


_OF_ATTACHMENT = (
    click.argument("name"),
    click.argument("netns"),
    click.option("--current", is_flag=True, help="By the configuration as it is now, not as it was at ADD."),
    places,
    asked,
    json_option,
)


def of_attachment(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb what names an attachment that there is, and how it is treated: the arguments of `attached`."""
    return _with(_OF_ATTACHMENT, function)


def _with(options: tuple[Callable[..., Any], ...], verb: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        verb = option(verb)
    return verb
