"""sriov's configuration: what is understood, and what is refused with which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni.protocol.config import NetConf, decode
from cni.protocol.errors import BAD_ENVIRONMENT, INVALID_CONFIG, CniError
from plugins.sriov import config
from plugins.vf.config import VfConfig

Q, AD = 0x8100, 0x88A8
VF = "0000:03:02.6"
NULL_ADDRESS = "00:00:00:00:00:00"


def parsed(given: dict[str, Any], args: str = "") -> VfConfig:
    """Return what sriov makes of a configuration that has these members beside the usual ones; null takes one away."""
    raw = {"cniVersion": "1.0.0", "name": "blue", "type": "sriov", "deviceID": VF, **given}
    return config.parse(NetConf(decode(json.dumps(raw).encode())), args)


def seen(wanted: VfConfig) -> dict[str, Any]:
    """Return everything that a configuration asks for."""
    found = {name: getattr(wanted, name) for name in wanted.__slots__}
    if wanted.vlan is not None:
        found["vlan"] = (wanted.vlan.id, wanted.vlan.qos, wanted.vlan.protocol)
    return found


NOTHING: dict[str, Any] = {
    **{"address": VF, "mac": "", "mtu": None, "vlan": None, "spoofchk": None, "trust": None, "link_state": ""},
    **{"min_tx_rate": None, "max_tx_rate": None},
}

UNDERSTOOD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "null asks for nothing": (
        {
            **dict.fromkeys(("vlan", "vlanQoS", "vlanProto", "mac", "mtu", "spoofchk", "trust", "link_state")),
            **dict.fromkeys(("min_tx_rate", "max_tx_rate", "runtimeConfig", "ipam")),
        },
        {},
    ),
    "empty words ask for nothing": (
        {"vlanProto": "", "mac": "", "spoofchk": "", "trust": "", "link_state": ""},
        {},
    ),
    "others' members": ({"ipam": {"type": "host-local"}, "logLevel": "debug", "dns": {}, "resourceName": "a/b"}, {}),
    "vlan 0": ({"vlan": 0}, {"vlan": (0, 0, Q)}),
    "vlan 0, all named": ({"vlan": 0, "vlanQoS": 0, "vlanProto": "802.1q"}, {"vlan": (0, 0, Q)}),
    "vlan 1": ({"vlan": 1}, {"vlan": (1, 0, Q)}),
    "vlan 100": ({"vlan": 100}, {"vlan": (100, 0, Q)}),
    "vlan 4094": ({"vlan": 4094}, {"vlan": (4094, 0, Q)}),
    "QoS 0": ({"vlan": 100, "vlanQoS": 0}, {"vlan": (100, 0, Q)}),
    "QoS 1": ({"vlan": 100, "vlanQoS": 1}, {"vlan": (100, 1, Q)}),
    "QoS 7": ({"vlan": 100, "vlanQoS": 7}, {"vlan": (100, 7, Q)}),
    "QoS 0 without vlan": ({"vlanQoS": 0}, {}),
    "802.1q": ({"vlan": 5, "vlanProto": "802.1q"}, {"vlan": (5, 0, Q)}),
    "802.1Q": ({"vlan": 5, "vlanProto": "802.1Q"}, {"vlan": (5, 0, Q)}),
    "802.1ad": ({"vlan": 5, "vlanProto": "802.1ad"}, {"vlan": (5, 0, AD)}),
    "802.1AD": ({"vlan": 5, "vlanProto": "802.1AD"}, {"vlan": (5, 0, AD)}),
    "802.1ad with QoS": ({"vlan": 5, "vlanQoS": 3, "vlanProto": "802.1ad"}, {"vlan": (5, 3, AD)}),
    "802.1q without vlan": ({"vlanProto": "802.1q"}, {}),
    "empty protocol": ({"vlan": 5, "vlanProto": ""}, {"vlan": (5, 0, Q)}),
    "spoofchk on": ({"spoofchk": "on"}, {"spoofchk": True}),
    "spoofchk off": ({"spoofchk": "off"}, {"spoofchk": False}),
    "trust on": ({"trust": "on"}, {"trust": True}),
    "trust off": ({"trust": "off"}, {"trust": False}),
    "Trust ON": ({"Trust": "ON"}, {"trust": True}),
    "link state auto": ({"link_state": "auto"}, {"link_state": "auto"}),
    "link state enable": ({"link_state": "enable"}, {"link_state": "enable"}),
    "link state disable": ({"link_state": "disable"}, {"link_state": "disable"}),
    "link state Enable": ({"link_state": "Enable"}, {"link_state": "enable"}),
    "minimum rate": ({"min_tx_rate": 100}, {"min_tx_rate": 100}),
    "maximum rate": ({"max_tx_rate": 200}, {"max_tx_rate": 200}),
    "both rates": ({"min_tx_rate": 100, "max_tx_rate": 200}, {"min_tx_rate": 100, "max_tx_rate": 200}),
    "equal rates": ({"min_tx_rate": 200, "max_tx_rate": 200}, {"min_tx_rate": 200, "max_tx_rate": 200}),
    "no limit but a minimum": ({"min_tx_rate": 100, "max_tx_rate": 0}, {"min_tx_rate": 100, "max_tx_rate": 0}),
    "rates 0": ({"min_tx_rate": 0, "max_tx_rate": 0}, {"min_tx_rate": 0, "max_tx_rate": 0}),
    "largest rates": (
        {"min_tx_rate": 4294967295, "max_tx_rate": 4294967295},
        {"min_tx_rate": 4294967295, "max_tx_rate": 4294967295},
    ),
    "no mtu": ({"mtu": 0}, {}),
    "smallest mtu": ({"mtu": 68}, {"mtu": 68}),
    "jumbo frames": ({"mtu": 9000}, {"mtu": 9000}),
    "largest mtu": ({"mtu": 65535}, {"mtu": 65535}),
    "mac": ({"mac": "02:00:00:00:00:2a"}, {"mac": "02:00:00:00:00:2a"}),
    "MAC in upper case": ({"MAC": "CA:FE:C0:FF:EE:0A"}, {"mac": "ca:fe:c0:ff:ee:0a"}),
    "MAC with dashes": ({"mac": "CA-FE-C0-FF-EE-0a"}, {"mac": "ca:fe:c0:ff:ee:0a"}),
    "MAC with dots": ({"mac": "cafe.C0FF.ee0a"}, {"mac": "ca:fe:c0:ff:ee:0a"}),
    "MAC of a maker": ({"mac": "00:1b:21:00:00:01"}, {"mac": "00:1b:21:00:00:01"}),
    "MAC of digits": ({"mac": "00:00:00:00:00:01"}, {"mac": "00:00:00:00:00:01"}),
    "address in upper case": ({"deviceID": "0000:AF:1F.7"}, {"address": "0000:af:1f.7"}),
    "address in VMD's domain": ({"deviceID": "10000:e1:00.0"}, {"address": "10000:e1:00.0"}),
    "runtime's address": (
        {"deviceID": "0000:AF:1f.7", "runtimeConfig": {"deviceID": "0000:af:1F.7"}},
        {"address": "0000:af:1f.7"},
    ),
    "runtime's address alone": (
        {"deviceID": None, "runtimeConfig": {"deviceID": "0000:03:02.2"}},
        {"address": "0000:03:02.2"},
    ),
    "runtime's address empty": ({"runtimeConfig": {"deviceID": ""}}, {}),
    "all": (
        {
            **{"vlan": 7, "vlanQoS": 2, "vlanProto": "802.1ad", "mac": "02:00:00:00:00:2a", "mtu": 1400},
            **{"spoofchk": "off", "trust": "on", "link_state": "enable", "min_tx_rate": 1, "max_tx_rate": 2},
        },
        {
            **{"vlan": (7, 2, AD), "mac": "02:00:00:00:00:2a", "mtu": 1400, "spoofchk": False, "trust": True},
            **{"link_state": "enable", "min_tx_rate": 1, "max_tx_rate": 2},
        },
    ),
}


@pytest.mark.parametrize(("given", "expected"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_understood(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Exactly what is given is asked for, and nothing else."""
    assert seen(parsed(given)) == NOTHING | expected


VLAN = "an integer from 0 up to 4094"
QOS = "an integer from 0 up to 7"
SWITCH = "on or off"
LINK_STATE = "auto, enable or disable"
RATE = "an integer from 0 up to 4294967295"
MTU = "an integer from 68 up to 65535"
PCI = "the PCI address of a virtual function"
MAC = "a unicast MAC address"
STRING = "a string"

VALUES: dict[str, tuple[str, list[Any]]] = {
    "vlan": (VLAN, [-1, 4095, 4096, 1 << 40, "100", "", True, False, 1.0, 100.5, [100], {}]),
    "vlanQoS": (QOS, [-1, 8, "3", True, 1.0, []]),
    "vlanProto": ("802.1q or 802.1ad", ["802.1x", "802.1", "8021q", "qinq", " 802.1q", "802.1q ", "\u066802.1q"]),
    "spoofchk": (SWITCH, ["yes", "no", "true", "false", "enable", "1", "0", "on ", "\uff4f\uff4e"]),
    "trust": (SWITCH, ["yes", "no", "true", "false", "disable", "1", "0", " off", "on\n"]),
    "link_state": (LINK_STATE, ["up", "down", "on", "off", "enabled", "0", "1", "auto "]),
    "min_tx_rate": (RATE, [-1, 4294967296, "100", "", True, 1.5, {}]),
    "max_tx_rate": (RATE, [-1, 4294967296, "100", "", False, 1000.0, []]),
    "mtu": (MTU, [-1, 67, 65536, "1500", "", True, False, 0.0, 1500.0, []]),
    "deviceID": (
        PCI,
        [
            *["eth0", "03:02.6", "0000:03:02", "0000:03:02.8", "0000:03:20.0", "000:03:02.6", "0000-03-02.6"],
            *["0000:03:02.6 ", " 0000:03:02.6", "0000:03:02.6\n", "0000:03:02.6/..", "../0000:03:02.6", "..", "/"],
            *["0000:03:02.\u0666", "\uff10000:03:02.6", "mlx5_core.sf.4", "pci/0000:03:02.6", "0x0000:03:02.6"],
        ],
    ),
    "mac": (
        MAC,
        [
            *["01:00:5e:00:00:01", "33:33:00:00:00:01", "ff:ff:ff:ff:ff:ff", "03:00:00:00:00:00"],
            *[NULL_ADDRESS, "00-00-00-00-00-00", "0000.0000.0000"],
            *["garbage", "02", "02:00:00:00:00", "02:00:00:00:00:00:00", "02:00:00:00:00:0g", "2:0:0:0:0:2a"],
            *["02:00:00:00:00:2a:00:01", "02-00-00-00-00-2a-00-01", "0200.0000.002a.0001", "02000000002a"],
            *[" 02:00:00:00:00:2a", "02:00:00:00:00:2a ", "02:00:00:00:00:2a\n", "02:00:00: 0:00:2a"],
            *["02: 0:00:00:00:2a", "02:00-00:00:00:2a", "02.00.00.00.00.2a", "02:00:00:00:00:", ":02:00:00:00:00"],
            *["0200:0000:002a", "::::::", "-2:00:00:00:00:2a", "+2:00:00:00:00:2a", "0x:00:00:00:00:2a"],
            "02:00:00:00:00:  ",
            *["02:00:00:00:00:\u0662a", "\uff102:00:00:00:00:2a"],
            "02:" * 100 + "00",
        ],
    ),
}  # fmt: skip

NO_STRINGS: list[Any] = [True, False, 0, 1, 1.5, [], ["on"], {"a": "b"}]
TEXTS = ("vlanProto", "spoofchk", "trust", "link_state", "deviceID", "mac")


def _shown(value: Any) -> str:
    """Return a value as a message repeats it: as JSON, the first 80 characters."""
    text = json.dumps(value, separators=(",", ":"))
    return text if len(text) <= 80 else text[:80] + "..."


def refusal(given: dict[str, Any], args: str = "") -> CniError:
    """Return the error that a configuration gives."""
    with pytest.raises(CniError) as caught:
        parsed(given, args)
    return caught.value


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        *(
            pytest.param(key, value, wanted, id=f"{key} {_shown(value)}")
            for key, (wanted, values) in VALUES.items()
            for value in values
        ),
        *(pytest.param(key, value, STRING, id=f"{key} {_shown(value)}") for key in TEXTS for value in NO_STRINGS),
    ],
)
def test_refused(key: str, value: Any, wanted: str) -> None:
    """A value that is not allowed gives code 7, the field, the value as it stands there, and what it should be."""
    error = refusal({"vlan": 100, key: value} if key.startswith("vlan") else {key: value})
    assert error.code == INVALID_CONFIG
    assert error.msg.startswith(f"{key}: {_shown(value)} is not allowed; it must be {wanted}"), error.msg


@pytest.mark.parametrize("key", TEXTS)
def test_a_nul_is_refused(key: str) -> None:
    """NUL would end the text for the kernel."""
    error = refusal({key: "on\0"})
    assert (error.code, error.msg) == (
        INVALID_CONFIG,
        f'{key}: "on\\u0000" is not allowed; it must be a string without NUL characters',
    )


TOGETHER: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "QoS without vlan": ({"vlanQoS": 3}, "vlanQoS: 3", ("vlan",)),
    "QoS with vlan 0": ({"vlan": 0, "vlanQoS": 3}, "vlanQoS: 3", ("vlan",)),
    "QoS with vlan null": ({"vlan": None, "vlanQoS": 7}, "vlanQoS: 7", ("vlan",)),
    "802.1ad without vlan": ({"vlanProto": "802.1ad"}, 'vlanProto: "802.1ad"', ("vlan",)),
    "802.1ad with vlan 0": ({"vlan": 0, "vlanProto": "802.1ad"}, 'vlanProto: "802.1ad"', ("vlan",)),
    "wrong QoS without vlan": ({"vlanQoS": 8}, "vlanQoS: 8", (QOS,)),
    "wrong protocol without vlan": ({"vlanProto": "qinq"}, 'vlanProto: "qinq"', ("802.1q or 802.1ad",)),
    "minimum above maximum": ({"min_tx_rate": 201, "max_tx_rate": 200}, "min_tx_rate: 201", ("max_tx_rate", "200")),
}


@pytest.mark.parametrize(("given", "refused", "said"), TOGETHER.values(), ids=TOGETHER)
def test_refused_together(given: dict[str, Any], refused: str, said: tuple[str, ...]) -> None:
    """Values that are allowed, but not with the others: field and value are named, and what they do not go with."""
    error = refusal(given)
    assert error.code == INVALID_CONFIG
    assert error.msg.startswith(f"{refused} is not allowed"), error.msg
    assert all(word in error.msg.partition("it must be")[2] for word in said), error.msg


@pytest.mark.parametrize(
    "given",
    [{"deviceID": None}, {"deviceID": ""}, {"deviceID": "", "runtimeConfig": {"deviceID": ""}}],
    ids=["absent", "empty", "empty twice"],
)
def test_no_device(given: dict[str, Any]) -> None:
    """In the words that users know from sriov-cni, and with the names of the fields that are missing."""
    error = refusal(given)
    assert (error.code, error.msg) == (INVALID_CONFIG, "VF pci addr is required")
    assert "deviceID" in error.details
    assert "runtimeConfig.deviceID" in error.details


def test_the_device_is_named_first() -> None:
    """Without a device it is that which is said, whatever else is wrong: mostly the device plugin is not set up."""
    assert refusal({"deviceID": None, "vlan": -1, "mac": "x"}).msg == "VF pci addr is required"


def test_wrong_address_from_the_runtime() -> None:
    """The runtime's address is not passed over for the configuration's when it is wrong."""
    error = refusal({"runtimeConfig": {"deviceID": "eth0"}})
    assert error.code == INVALID_CONFIG
    assert error.msg.startswith('runtimeConfig.deviceID: "eth0" is not allowed')


def test_another_address_from_the_runtime() -> None:
    """Two devices: one of them was allotted to the pod, and a definition may not choose the other."""
    error = refusal({"deviceID": "0000:03:02.1", "runtimeConfig": {"deviceID": "0000:03:02.2"}})
    assert error.code == INVALID_CONFIG
    assert error.msg == 'deviceID "0000:03:02.1" and runtimeConfig.deviceID "0000:03:02.2" are different devices'


RUNTIME = {"runtimeConfig": {"mac": "02:00:00:00:00:01"}}
ARGS = "MAC=02:00:00:00:00:02"
CONFIGURED = {"mac": "02:00:00:00:00:03"}


@pytest.mark.parametrize(
    ("given", "args", "expected"),
    [
        pytest.param(RUNTIME | CONFIGURED, ARGS, "02:00:00:00:00:01", id="all three"),
        pytest.param(RUNTIME, ARGS, "02:00:00:00:00:01", id="runtime and CNI_ARGS"),
        pytest.param(RUNTIME | CONFIGURED, "", "02:00:00:00:00:01", id="runtime and configuration"),
        pytest.param(CONFIGURED, ARGS, "02:00:00:00:00:02", id="CNI_ARGS and configuration"),
        pytest.param(RUNTIME, "", "02:00:00:00:00:01", id="runtime"),
        pytest.param({}, ARGS, "02:00:00:00:00:02", id="CNI_ARGS"),
        pytest.param(CONFIGURED, "", "02:00:00:00:00:03", id="configuration"),
        pytest.param({"runtimeConfig": {"mac": ""}} | CONFIGURED, "MAC=", "02:00:00:00:00:03", id="empty ones"),
        pytest.param({"runtimeConfig": {"mac": None}}, "IgnoreUnknown=1;X=y", "", id="none"),
        pytest.param(
            CONFIGURED,
            f"IgnoreUnknown=true;K8S_POD_NAME=p;X=y;{ARGS}",
            "02:00:00:00:00:02",
            id="CNI_ARGS of Kubernetes",
        ),
        pytest.param({}, f"IP=10.0.0.1;GATEWAY=10.0.0.254;{ARGS}", "02:00:00:00:00:02", id="CNI_ARGS for IPAM"),
    ],
)
def test_precedence_of_the_mac(given: dict[str, Any], args: str, expected: str) -> None:
    """runtimeConfig comes before CNI_ARGS, and that before the configuration."""
    assert parsed(given, args).mac == expected


@pytest.mark.parametrize(
    ("given", "args", "field"),
    [
        pytest.param({"runtimeConfig": {"mac": "x"}} | CONFIGURED, ARGS, "runtimeConfig.mac", id="runtime"),
        pytest.param(CONFIGURED, "MAC=x", "CNI_ARGS MAC", id="CNI_ARGS"),
        pytest.param({"mac": "x"}, "MAC=", "mac", id="configuration"),
    ],
)
def test_wrong_mac(given: dict[str, Any], args: str, field: str) -> None:
    """Whoever gave it is named, and one that is wrong is not passed over for the next."""
    error = refusal(given, args)
    assert error.code == INVALID_CONFIG
    assert error.msg.startswith(f'{field}: "x" is not allowed; it must be {MAC}')


@pytest.mark.parametrize("mac", [5, True, ["02:00:00:00:00:01"]])
def test_runtime_mac_of_another_type(mac: Any) -> None:
    """A MAC address that is not text is named with the section that it is in."""
    error = refusal({"runtimeConfig": {"mac": mac}})
    assert error.msg == f"runtimeConfig.mac: {_shown(mac)} is not allowed; it must be a string"


@pytest.mark.parametrize("args", ["MAC", "MAC=a=b", "X=y", "IgnoreUnknown=maybe;X=y"])
def test_wrong_cni_args(args: str) -> None:
    """CNI_ARGS that cannot be read are the environment's fault, not the configuration's."""
    assert refusal({}, args).code == BAD_ENVIRONMENT
