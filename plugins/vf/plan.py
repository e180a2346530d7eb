"""Which settings of a VF have to be made at its PF, for ADD and for the way back. Nothing here changes anything."""

from __future__ import annotations

from dataclasses import dataclass

from cni.linux.netlink.vf import ETH_P_8021AD, VF
from plugins.vf.config import VfConfig

TRUST = "trust"
SPOOFCHK = "spoofchk"
MAC = "mac"
VLAN = "vlan"
RATES = "min_tx_rate, max_tx_rate"
LINK_STATE = "link_state"


@dataclass(slots=True, frozen=True, repr=False)
class Setting:
    """One attribute of a VF and the value that it is to have.

    attribute: one of the constants above, the name of its parameter. value: bool for the switches, (ID, QoS, EtherType)
    for the VLAN, (minimum, maximum) in Mbit/s for the rates, else str.
    """

    attribute: str
    value: object

    def __repr__(self) -> str:
        return self.describe()

    def describe(self) -> str:
        """Return attribute and value as the configuration writes them."""
        if isinstance(self.value, bool):
            return f"{self.attribute} {'on' if self.value else 'off'}"
        if isinstance(self.value, tuple) and self.attribute == VLAN:
            vlan, qos, protocol = self.value
            return f"vlan {vlan}, vlanQoS {qos}, vlanProto {'802.1ad' if protocol == ETH_P_8021AD else '802.1q'}"
        if isinstance(self.value, tuple):
            return f"min_tx_rate {self.value[0]}, max_tx_rate {self.value[1]}"
        return f"{self.attribute} {self.value}"


def asked(wanted: VfConfig, current: VF | None) -> list[Setting]:
    """Return all that the user asked for and that is set at the PF, in the order in which it is to be set.

    current: the VF's entry as it is; None when the driver does not tell. Trust comes first, since it decides what else
    a VF may do, the link state last. A rate that is not asked for stays what it is: the kernel takes both at once.
    """
    vlan, minimum, maximum, now = wanted.vlan, wanted.min_tx_rate, wanted.max_tx_rate, current or VF(-1)
    rates = (
        now.min_tx_rate if minimum is None else minimum,
        now.max_tx_rate if maximum is None else maximum,
    )
    values: dict[str, object] = {
        TRUST: wanted.trust,
        SPOOFCHK: wanted.spoofchk,
        MAC: wanted.mac or None,
        VLAN: None if vlan is None else (vlan.id, vlan.qos, vlan.protocol),
        RATES: None if minimum is None and maximum is None else rates,
        LINK_STATE: wanted.link_state or None,
    }
    return [Setting(attribute, value) for attribute, value in values.items() if value is not None]


def needs_pf(wanted: VfConfig) -> list[Setting]:
    """Return what cannot be had without the PF. A MAC address can, and to ask for VLAN 0 is to ask for nothing."""
    return [x for x in asked(wanted, None) if x.attribute != MAC and x.value != _NO_VLAN]


_NO_VLAN = (0, 0, VF(-1).protocol)


def to_make(wanted: VfConfig, current: VF | None) -> list[Setting]:
    """Return the settings that ADD has to make: those asked for that are not so already.

    That spares drivers that refuse to set even the value they have. The MAC address is set in any case: one that the
    table shows may be what the VF calls itself, and not what it is bound to.
    """
    return [x for x in asked(wanted, current) if x.attribute == MAC or x != value_of(x.attribute, current)]


def to_restore(wanted: VfConfig, original: VF, current: VF | None) -> list[Setting]:
    """Return the settings that DEL has to make, in the reverse order of ADD: those that were asked for and are not what
    they were before. A switch that the driver does not tell was never known. The MAC address is not among them: two
    have to fit together there (`returning`).
    """
    settings = []
    for attribute in [x.attribute for x in reversed(asked(wanted, original)) if x.attribute != MAC]:
        before, now = value_of(attribute, original), value_of(attribute, current)
        if before is not None and before != now and (now is not None or attribute not in (TRUST, SPOOFCHK)):
            settings.append(before)
    return settings


def value_of(attribute: str, table: VF | None) -> Setting | None:
    """Return an attribute as the PF's table has it, None when that is not known."""
    if table is None:
        return None
    value: object = {
        TRUST: table.trust,
        SPOOFCHK: table.spoofchk,
        MAC: table.mac,
        VLAN: (table.vlan, table.qos if table.vlan else 0, table.protocol if table.vlan else _NO_VLAN[2]),
        RATES: (table.min_tx_rate, table.max_tx_rate),
        LINK_STATE: table.link_state,
    }[attribute]
    return None if value is None else Setting(attribute, value)
