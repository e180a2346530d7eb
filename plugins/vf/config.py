"""What the configuration of a plugin for VFs says of the VF: which one, and what is to be set on it."""

from __future__ import annotations

from dataclasses import dataclass

from cni.attach.allotted import refuse_two
from cni.linux import pci
from cni.protocol.config import NetConf
from cni.protocol.errors import invalid_config
from cni.protocol.request import parse_args
from cni.protocol.section import Section, refused

PCI_ADDRESS = "the PCI address of a virtual function such as 0000:03:02.6"
MAC_WANTED = "a unicast MAC address such as 02:00:00:00:00:2a"
MIN_MTU, MAX_MTU = 68, 65535  # RFC 791; the largest that any link of Linux takes


@dataclass(slots=True, frozen=True)
class Vlan:
    """id: 0 to 4094, 0 for none. qos: the priority, 0 to 7. protocol: ETH_P_8021Q or ETH_P_8021AD."""

    id: int
    qos: int
    protocol: int


@dataclass(slots=True)
class VfConfig:
    """What the user asks for; None or empty where nothing is asked.

    address: the VF's PCI address, lower case. mac: lower case with colons. mtu: in bytes. spoofchk, trust: on or off.
    link_state: one of LINK_STATES. min_tx_rate, max_tx_rate: Mbit/s, 0 for no limit.
    """

    address: str
    mac: str = ""
    mtu: int | None = None
    vlan: Vlan | None = None
    spoofchk: bool | None = None
    trust: bool | None = None
    link_state: str = ""
    min_tx_rate: int | None = None
    max_tx_rate: int | None = None


def address_needed(conf: NetConf) -> str:
    """Return the PCI address of the VF. Raises CniError (code 7), also when the configuration names none."""
    address = address_of(conf)
    if not address:
        raise invalid_config("VF pci addr is required", 'neither "deviceID" nor "runtimeConfig.deviceID" is given')
    return address


def address_of(conf: NetConf) -> str:
    """Return the PCI address of the VF, lower case as in sysfs; empty when the configuration names none.

    Runtimes say it in one of two places, or in both. Raises CniError (code 7), also when they differ: then one of them
    is not what was allotted to the pod.
    """
    allotted, configured = (section.string("deviceID") for section in (conf.runtime_config, conf.section))
    for section, address in ((conf.runtime_config, allotted), (conf.section, configured)):
        if address and not pci.is_address(address):
            raise refused(section.name_of("deviceID"), address, PCI_ADDRESS)
    refuse_two("deviceID", configured, allotted)
    return (allotted or configured).lower()


def common(wanted: VfConfig, conf: NetConf, args: str) -> None:
    """Read and check what all plugins for VFs know: `mac`, `mtu`, `spoofchk` and `trust`.

    args: CNI_ARGS. Raises CniError (code 7) naming field and value; code 4 for CNI_ARGS.
    """
    wanted.mac = _mac(conf, args)
    wanted.mtu = _mtu(conf.section)
    wanted.spoofchk = _switch(conf.section, "spoofchk")
    wanted.trust = _switch(conf.section, "trust")


def _mtu(section: Section) -> int | None:
    """0 is no wish: accelerated-bridge-cni takes it so, and templates write it."""
    value = section.get("mtu")
    is_zero = type(value) is int and value == 0
    return None if is_zero else section.optional_integer("mtu", MIN_MTU, MAX_MTU)


def _mac(conf: NetConf, args: str) -> str:
    """The runtime's comes first, then CNI_ARGS, then the configuration's."""
    for field, text in (
        ("runtimeConfig.mac", conf.runtime_config.string("mac")),
        ("CNI_ARGS MAC", parse_args(args, frozenset(("MAC", "IP", "GATEWAY"))).get("MAC", "")),
        ("mac", conf.section.string("mac")),
    ):
        if text:
            mac = unicast_mac(text)
            if not mac:
                raise refused(field, text, MAC_WANTED)
            return mac
    return ""


def unicast_mac(text: str) -> str:
    """Return a MAC address in lower case with colons, empty for what is none that a port can have.

    Accepted are the forms of Go's net.ParseMAC with six bytes: 02:00:00:00:00:2a, 02-00-00-00-00-2a, 0200.0000.002a.
    """
    for separator, digits in ((":", 2), ("-", 2), (".", 4)):
        groups = text.split(separator)
        if len(groups) == 12 // digits and all(len(group) == digits for group in groups):
            plain = "".join(groups)
            break
    else:
        return ""
    if not plain.isascii() or not plain.isalnum():  # fromhex would skip white space
        return ""
    try:
        mac = bytes.fromhex(plain)
    except ValueError:
        return ""
    # A group address (IEEE 802, the lowest bit of the first byte) or all zero is nobody's own.
    return "" if mac[0] & 1 or not any(mac) else mac.hex(":")


def _switch(section: Section, key: str) -> bool | None:
    word = choice(section, key, ("on", "off"))
    return None if not word else word == "on"


def choice(section: Section, key: str, words: tuple[str, ...]) -> str:
    """Return the member, one of the words without regard to case; empty when it is absent or empty."""
    text = section.string(key)
    if text and text.lower() not in words:
        raise refused(section.name_of(key), text, " or ".join((", ".join(words[:-1]), words[-1])))
    return text.lower()
