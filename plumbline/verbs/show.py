"""`plumbline show`: everything of one device."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cni.protocol.errors import escaped
from plumbline import documents, output
from plumbline.node import details
from plumbline.node.details import Details
from plumbline.node.model import LinkState, Owner, Pf, Settings, Vf
from plumbline.node.record import Asked, Record
from plumbline.verbs.devices import complete_device
from plumbline.verbs.options import json_option, watch_option
from plumbline.verbs.status import speed, vfs_told
from plumbline.verbs.vfs import STYLES
from plumbline.verbs.watch import View, present

Row = tuple[str, str]


@click.command()
@click.argument("device", shell_complete=complete_device)
@json_option
@watch_option
def show(device: str, as_json: bool, watch: bool) -> None:
    """Show everything of one device: whose it is and who says so, its link and where that is, its settings, and what
    was before.

    DEVICE is a PF or a VF, by PCI address, link name or PF:INDEX, or a device of another kind that a pod has.
    """
    present(View(lambda: details.of(device), documents.device, draw), as_json, watch)


def draw(console: Console, found: Details) -> None:
    """Print it, a property a line."""
    console.print(_title(found))
    grid = Table.grid(padding=(0, output.GAP, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows(found):
        grid.add_row(name, escaped(value))
    console.print(output.Ragged(grid))
    output.print_unknown(console, found.unknown)


def rows(found: Details) -> Iterator[Row]:
    """Give what is known, each with what it is called."""
    if isinstance(found.device, Pf):
        yield from _of_pf(found.device)
    if isinstance(found.device, Vf):
        yield from _of_vf(found.device)
    if found.link is not None:
        yield from _of_link(found.link, found.addresses)
    if isinstance(found.device, Vf):
        yield from _beside(found.device)
    for owner in found.owners:
        yield from _of_owner(owner)
    for record in found.records:
        yield from _of_record(record)
    for info in found.device_info:
        yield "device info", info.path
        yield "", json.dumps(info.content)


def _title(found: Details) -> Text:
    device = found.device
    if isinstance(device, Vf):
        name = f"{device.pf}:{device.index}"
        title = Text(escaped(name), "bold").append(f"  {device.state.value}", STYLES[device.state])
        return title.append(f"  {device.address or ''}".rstrip(), "not bold")
    kind = "PF" if device is not None else "attached device"
    return Text(escaped(found.name), "bold").append(f"  {kind}", "not bold")


def _of_pf(pf: Pf) -> Iterator[Row]:
    yield "address", pf.address
    yield "driver", pf.driver or output.UNKNOWN
    yield "model", " ".join((pf.vendor, pf.model)).strip() or output.UNKNOWN
    yield "switch", pf.eswitch or output.UNKNOWN
    yield "speed", speed(pf.speed) or output.UNKNOWN
    yield "VFs", f"{vfs_told(pf)} used/made/possible"
    yield "autoprobe", _told(pf.autoprobe)
    yield "NUMA node", _told(pf.numa)
    yield "persistent", "yes" if pf.persistent else "no"


def _of_vf(vf: Vf) -> Iterator[Row]:
    yield "driver", vf.driver or "none"
    if vf.settings is not None:
        yield "at the PF", settings(vf.settings)


def _of_link(link: LinkState, addresses: list[str] | None) -> Iterator[Row]:
    yield "link", f"{link.name}, {_where(link)}"
    yield "", describe(link)
    if link.altnames:
        yield "", f"also {', '.join(link.altnames)}"
    if link.alias:
        yield "", f"alias {link.alias}"
    if addresses:
        yield "", ", ".join(addresses)


def _beside(vf: Vf) -> Iterator[Row]:
    if vf.representor is not None:
        yield "representor", f"{vf.representor.name}, {describe(vf.representor)}"
    if vf.vdpa is not None:
        yield "vDPA", ", ".join(filter(None, (vf.vdpa.name, vf.vdpa.driver or "no driver", vf.vdpa.path)))
    if vf.rdma:
        yield "RDMA", vf.rdma
    if vf.iommu_group is not None:
        yield "IOMMU group", str(vf.iommu_group)


def _of_owner(owner: Owner) -> Iterator[Row]:
    attached = [owner.interface, f"network {owner.network}" if owner.network else ""]
    yield "owner", ", ".join(filter(None, (str(owner), *attached, f"told by {owner.source.told}")))
    named = [f"container {owner.container_id}" if owner.container_id else "", f"UID {owner.pod.uid}"]
    if owner.container_id or owner.pod.uid:
        yield "", ", ".join(filter(None, (named[0], named[1] if owner.pod.uid else "")))
    if owner.netns:
        alive = {True: "", False: ", which is gone", None: ""}[owner.alive]
        yield "", f"namespace {owner.netns}{alive}"


def _of_record(record: Record) -> Iterator[Row]:
    yield "record", record.path
    when = (
        UNKNOWN_TIME
        if record.written_s is None
        else datetime.fromtimestamp(record.written_s, UTC).isoformat(" ", "seconds")
    )
    boot = "" if record.of_this_boot else ", in an earlier boot"
    yield "", f"written by {record.plugin if record.by_us else 'a Go plugin'} at {when}{boot}"
    asked = asked_for(record.asked)
    if asked:
        yield "  asked", asked
    if record.link is not None:
        yield "  before", f"{record.link.name}, {describe(record.link)}"
    if record.settings is not None:
        yield "", f"at the PF: {settings(record.settings)}"
    if record.representor is not None:
        yield "", f"representor: {record.representor.name}, {describe(record.representor)}"


UNKNOWN_TIME = "a time that is not known"


def describe(link: LinkState) -> str:
    """Return what a link is like: as far as known, whether it is up, its address and MTU, whose port it is."""
    state = {None: "", False: "down", True: {None: "up", True: "up", False: "up without carrier"}[link.carrier]}[
        link.up
    ]
    mtu = f"MTU {link.mtu}" if link.mtu else ""
    master = f"in {link.master}" if link.master else ""
    return ", ".join(filter(None, (state, link.mac, mtu, master, link.kind)))


def settings(found: Settings) -> str:
    """Return an entry at a PF, as far as known, in the words of ip(8)."""
    qos = f" qos {found.qos}" if found.qos else ""
    protocol = f" {found.protocol}" if found.vlan and found.protocol != "802.1Q" else ""
    told = [
        f"MAC {found.mac}" if found.mac else "",
        "" if found.vlan is None else f"vlan {found.vlan}{qos}{protocol}",
        _switch("spoofchk", found.spoofchk),
        _switch("trust", found.trust),
        "" if found.link_state is None else f"link-state {found.link_state}",
        "" if found.min_tx_rate is None else f"min_tx_rate {found.min_tx_rate}",
        "" if found.max_tx_rate is None else f"max_tx_rate {found.max_tx_rate}",
    ]
    return ", ".join(filter(None, told))


def asked_for(found: Asked) -> str:
    """Return what a configuration asked for, as that writes it; empty for nothing."""
    told = {key: value for key, value in documents.asked(found).items() if value is not None and value != []}
    if not found.set_uplink_vlan:
        told.pop("setUplinkVlan", None)
    return ", ".join(f"{key} {_told(value)}" for key, value in told.items())


def _where(link: LinkState) -> str:
    return f"in {link.netns}" if link.netns else "on the host"


def _switch(name: str, value: bool | None) -> str:
    return "" if value is None else f"{name} {_told(value)}"


def _told(value: object) -> str:
    if value is None:
        return output.UNKNOWN
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
