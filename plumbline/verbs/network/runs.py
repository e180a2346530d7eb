"""How the runs of plugins, and what came of them, are shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

import click

from cni.protocol.errors import escaped
from plumbline import output
from plumbline.errors import Status, VerbError
from plumbline.network.configuration import Document
from plumbline.network.invoke import Ran
from plumbline.verbs.saying import say

SCHEMA = "plumbline/network/1"


def listener(as_json: bool) -> Callable[[Ran], None]:
    """Return what prints a run as soon as it has ended; what the plugin wrote to standard error goes there. That nobody
    reads any more, be it that the terminal is gone, keeps no plugin from its command.
    """

    def hear(ran: Ran) -> None:
        with suppress(OSError):
            for line in ran.said.splitlines():
                click.echo(escaped(f"{ran.plugin}: {line}"), err=True)
            if not as_json:
                outcome = "ok" if ran.is_good else f"failed, code {ran.code}"
                click.echo(escaped(f"{ran.command:<6} {ran.plugin:<20} {ran.seconds:6.2f} s  {outcome}"))

    return hear


def finish(command: str, failed: Ran | None, as_json: bool, good: str) -> None:
    """End a command: print how it went. failed: the run that did. good: what to say if none did. Raises VerbError."""
    if as_json:
        error = failed and {"plugin": failed.plugin, "code": failed.code, "msg": failed.msg, "details": failed.details}
        output.print_json({"schema": SCHEMA, "command": command, "good": failed is None, "error": error})
    if failed is not None:
        raise VerbError(Status.FAILURE, str(failed))
    if not as_json:
        say(good)


def result_lines(result: Document) -> list[str]:
    """Return a CNI result for a person, in lines: interfaces, addresses, routes, name servers."""
    lines = []
    interfaces = result.get("interfaces") or []
    for interface in interfaces:
        where = f"@{os.path.basename(interface['sandbox'])}" if interface.get("sandbox") else ""
        parts = [f"{interface.get('name')}{where}", interface.get("mac"), interface.get("pciID")]
        parts.append(f"mtu {interface['mtu']}" if interface.get("mtu") else "")
        lines.append("  ".join(str(part) for part in parts if part))
    for ip in result.get("ips") or []:
        gateway = f" gateway {ip['gateway']}" if ip.get("gateway") else ""
        number = ip.get("interface")
        is_named = isinstance(number, int) and number < len(interfaces)
        lines.append(f"{ip.get('address')}{gateway}" + (f" on {interfaces[number].get('name')}" if is_named else ""))
    routes = result.get("routes") or []
    lines += [f"route {route.get('dst')}" + (f" via {route['gw']}" if route.get("gw") else "") for route in routes]
    servers = (result.get("dns") or {}).get("nameservers") or []
    return [f"  {line}" for line in [*lines, *([f"dns {' '.join(servers)}"] if servers else [])]]
