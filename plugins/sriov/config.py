"""The sriov part of a network configuration: which VF, and what is to be set on it."""

from __future__ import annotations

from cni.linux.netlink.vf import ETH_P_8021AD, ETH_P_8021Q, LINK_STATES
from cni.protocol.config import NetConf
from cni.protocol.section import Section, refused
from plugins.vf import config
from plugins.vf.config import VfConfig, Vlan

PROTOCOLS = {"802.1q": ETH_P_8021Q, "802.1ad": ETH_P_8021AD}


def parse(conf: NetConf, args: str) -> VfConfig:
    """Read and check all parameters; nothing on the host is looked at.

    args: CNI_ARGS. Raises CniError (code 7) naming field and value; code 4 for CNI_ARGS.
    """
    section = conf.section
    wanted = VfConfig(config.address_needed(conf))
    config.common(wanted, conf, args)
    wanted.vlan = _vlan(section)
    wanted.link_state = config.choice(section, "link_state", LINK_STATES)
    wanted.min_tx_rate = section.optional_integer("min_tx_rate", 0, 0xFFFFFFFF)
    wanted.max_tx_rate = section.optional_integer("max_tx_rate", 0, 0xFFFFFFFF)
    minimum, maximum = wanted.min_tx_rate or 0, wanted.max_tx_rate or 0
    if maximum and minimum > maximum:
        raise refused("min_tx_rate", minimum, f"at most max_tx_rate, which is {maximum}")
    return wanted


def _vlan(section: Section) -> Vlan | None:
    vlan = section.optional_integer("vlan", 0, 4094)
    qos = section.integer("vlanQoS", 0, 0, 7)
    name = config.choice(section, "vlanProto", tuple(PROTOCOLS)) or "802.1q"
    if not vlan:
        if qos:
            raise refused("vlanQoS", qos, "0 unless vlan is from 1 to 4094: a priority needs a VLAN")
        if name != "802.1q":
            raise refused("vlanProto", name, "802.1q unless vlan is from 1 to 4094: a protocol needs a VLAN")
    return None if vlan is None else Vlan(vlan, qos, PROTOCOLS[name])
