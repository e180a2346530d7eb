"""What the records of all plugins have in common: whose an attachment is, and what its link was like before ADD.

"netnsInode": 4026532281,                                                                           where it went
"K8S_POD_NAMESPACE": "default", "K8S_POD_NAME": "router", "K8S_POD_UID": "...",                     as in CNI_ARGS
"ipamStore": {"type": "host-local", "dataDir": "/srv/networks"},                                    ipam.delegate
"podIndex": 7, "peer": 3, "peerNsid": -1,                                                           identity
"properties": {"flags": 4096, "group": 0, "txQueueLength": 1000, ...}                               netlink.link

Records in the format of a Go plugin have all of this in one member of ours, with what that plugin does not note:

"plumbline": {"netns": "/run/netns/pod1", "netnsCookie": 4711, "bootID": "5b3c...",        where the VF went, and when
              "up": false, "alias": "", "altNames": [], "master": "", "index": 7,          the link, as it was before
              "permanentMAC": "...", "port": "", "parent": "0000:03:02.6",
              ...}                                                         what all plugins have

A record that a Go plugin wrote lacks this member; what it tells counts as unknown then.

A record is read as if anybody had written it: what is not as it can be makes it one that is not believed. What is
missing counts as unknown, since older versions did not note all.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from cni.attach.attachment import POD_KEYS, Attachment, Owner
from cni.linux.netlink import link
from cni.linux.netlink.link import FEATURES, FLAGS, KIND_DATA, PROPERTIES, SETTABLE, Link
from cni.protocol.errors import invalid_config
from cni.protocol.request import container_id_fault, ifname_fault
from cni.protocol.section import Section, refused

OURS = "plumbline"
MAX_U32 = 0xFFFFFFFF
MAX_U64 = 0xFFFFFFFFFFFFFFFF
MAX_INDEX = 0x7FFFFFFF  # of a link, an int in struct ifinfomsg
MAX_MTU = 0x7FFFFFFF  # of a link, an unsigned int of which the kernel takes the positive half
MAX_PATH_BYTES = 4095  # PATH_MAX less the final NUL
MAX_ADDRESS_BYTES = 32  # MAX_ADDR_LEN, linux/netdevice.h
MAX_ALIAS_BYTES = 255  # IFALIASZ less the final NUL
MAX_ALTNAME_BYTES = 127  # ALTIFNAMSIZ less the final NUL
MAX_KIND_DATA_BYTES = 1024
_MAX_WORD_BYTES = 255


def read_owner(record: Section, network: str, place: Section, ours: Section) -> Owner:
    """Return the owner that a record names. network: the member with the network's name. place: where the namespace and
    the boot are. ours: the member that is ours. Raises CniError.
    """
    container_id, ifname = record.string("containerID"), record.string("ifName")
    fault = container_id_fault(container_id) or ifname_fault(ifname)
    if fault:
        raise invalid_config(f"record: {fault}")
    netns = restored(place.string("netns"))
    if _size(netns) > MAX_PATH_BYTES:
        raise refused(place.name_of("netns"), netns, "a path")
    cookie = place.integer("netnsCookie", 0, 0, MAX_U64)
    owner = Owner(container_id, ifname, word(record, network), netns, cookie, word(place, "bootID"))
    owner.netns_inode = ours.integer("netnsInode", 0, 0, MAX_U64)
    owner.pod = {key: ours.string(key) for key in POD_KEYS if ours.has(key)}
    owner.ipam = ours.section("ipamStore").raw
    return owner


_NOT_UTF_8 = "\ufffd"
"""How a text begins that stands for a name which is not UTF-8, byte by byte. No real name begins with it."""


def stored(text: str) -> str:
    """Names may hold any byte, JSON holds text. A name that is UTF-8 goes as it is, for sriov-cni to read."""
    try:
        text.encode()
        if not text.startswith(_NOT_UTF_8):
            return text
    except UnicodeEncodeError:
        pass
    return _NOT_UTF_8 + os.fsencode(text).decode("latin-1")


def restored(text: str) -> str:
    """Return what `stored` was given."""
    if not text.startswith(_NOT_UTF_8):
        return text
    return os.fsdecode(text.removeprefix(_NOT_UTF_8).encode("latin-1", "replace"))


def link_state(attachment: Attachment, encode: Callable[[str], str]) -> dict[str, object]:
    """Return what the link was like, but for its name, address and MTU. encode: makes the stored form of a name."""
    original = attachment.original or Link(0, "")
    return {
        "up": original.up,
        "alias": encode(original.alias),
        "altNames": [encode(altname) for altname in original.altnames],
        "master": encode(attachment.master),
        "index": original.index,
        "permanentMAC": original.permanent_mac,
        "port": original.port,
        "parent": original.parent,
    }


def shared(attachment: Attachment) -> dict[str, object]:
    """Return what all plugins keep in the member that is ours, whatever else they have a place of their own for."""
    owner, original = attachment.owner, attachment.original
    whose = {"netnsInode": owner.netns_inode, **owner.pod, "ipamStore": owner.ipam}
    if original is None:
        return whose
    tied = {"peer": original.peer, "peerNsid": original.peer_nsid}
    return {**whose, "podIndex": attachment.pod_index, **tied, "properties": original.properties}


def read_shared_link(section: Section, found: Link) -> int:
    """Complete a link by what `shared` gave; return the index that it has in the pod. Raises CniError."""
    found.peer = section.integer("peer", 0, 0, MAX_U32)
    found.peer_nsid = section.integer("peerNsid", -1, -1, MAX_INDEX)
    properties = section.section("properties")
    # A later version may know more of them.
    known = [name for name in properties.raw if name in PROPERTIES or name in (FLAGS, FEATURES, KIND_DATA)]
    found.properties = {name: _property(properties, name) for name in known}
    return section.integer("podIndex", 0, 0, MAX_INDEX)


def own(attachment: Attachment) -> dict[str, object]:
    """Return the member that is ours, for records in the format of a Go plugin, and for those that have no such."""
    owner = attachment.owner
    return {
        "netns": stored(owner.netns),
        "netnsCookie": owner.netns_cookie,
        "bootID": owner.boot_id,
        **link_state(attachment, stored),
        **shared(attachment),
    }


def read_own_owner(record: Section) -> Owner:
    """Return the owner that a record names, whose network is in `name`. Raises CniError."""
    ours = record.section(OURS)
    return read_owner(record, "name", ours, ours)


def read_own(record: Section, attachment: Attachment) -> None:
    """Complete an attachment by what `own` gave, if one of us wrote the record. Raises CniError."""
    ours = record.section(OURS)
    attachment.is_ours = record.has(OURS)
    attachment.master = link_name(ours, "master")
    if attachment.original is not None:
        attachment.pod_index = read_shared_link(ours, attachment.original)


def read_link(
    stored_name: str, mac_address: str, mtu: int, state: Section, decode: Callable[[str], str] = restored
) -> Link | None:
    """Return the link as it was before ADD, None for a device without one.

    stored_name: on the host; mtu: in bytes; state: the member that has what `link_state` gave; decode: makes a name of
    its stored form. Raises CniError.
    """
    name = decode(stored_name)
    if not name:
        return None
    if not link.is_name(name):
        raise refused("record", name, "the name of a link")
    found = Link(state.integer("index", 0, 0, MAX_INDEX), name, mac_address, mtu, state.boolean("up"))
    found.alias = decode(state.string("alias"))
    if _size(found.alias) > MAX_ALIAS_BYTES:
        raise refused(state.name_of("alias"), found.alias, f"an alias of at most {MAX_ALIAS_BYTES} bytes")
    found.altnames = [decode(text) for text in state.strings("altNames")]
    for text in found.altnames:
        if not 0 < _size(text) <= MAX_ALTNAME_BYTES:
            raise refused(state.name_of("altNames"), text, "alternative names of a link")
    found.parent = word(state, "parent")
    found.permanent_mac = mac(state, "permanentMAC")
    found.port = word(state, "port")
    return found


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _property(properties: Section, name: str) -> int | str:
    if name == FLAGS:
        return properties.integer(name, 0, 0, MAX_U32) & SETTABLE
    if name in (FEATURES, KIND_DATA):
        return _hexadecimal(properties, name, "", MAX_KIND_DATA_BYTES)
    width = PROPERTIES[name][1]
    return properties.integer(name, 0, 0, (1 << 8 * width) - 1) if width else mac(properties, name)


def mac(section: Section, key: str) -> str:
    """Return a hardware address in lower case, of whatever length the link's type has, empty when there is none.

    Raises CniError.
    """
    return _hexadecimal(section, key, ":", MAX_ADDRESS_BYTES)


def _hexadecimal(section: Section, key: str, separator: str, max_bytes: int) -> str:
    text = section.string(key).lower()
    try:
        plain = bytes.fromhex(text.replace(separator, "") if separator else text)
    except ValueError:
        plain = b""
    if text and ((plain.hex(separator) if separator else plain.hex()) != text or len(plain) > max_bytes):
        raise refused(section.name_of(key), text, f"at most {max_bytes} bytes in hexadecimal notation")
    return text


def mtu(section: Section, key: str) -> int:
    """Return an MTU in bytes, 0 when it is not known. Raises CniError."""
    return section.integer(key, 0, 0, MAX_MTU)


def link_name(section: Section, key: str, decode: Callable[[str], str] = restored) -> str:
    """Return the name of a link, empty when there is none. decode: as for `read_link`. Raises CniError."""
    text = decode(section.string(key))
    if text and not link.is_name(text):
        raise refused(section.name_of(key), text, "the name of a link")
    return text


def word(section: Section, key: str) -> str:
    """Return a short text that is no path, such as the name of a device on its bus. Raises CniError."""
    text = section.string(key)
    if "/" in text or text in (".", "..") or _size(text) > _MAX_WORD_BYTES:
        raise refused(section.name_of(key), text, f"at most {_MAX_WORD_BYTES} bytes without a slash")
    return text
