"""accelerated-bridge's configuration: what is understood, and what is refused with which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni.protocol.config import NetConf, decode
from cni.protocol.errors import BAD_ENVIRONMENT, INVALID_CONFIG, CniError
from plugins.accelerated_bridge import config
from plugins.accelerated_bridge.config import BridgeConfig
from plugins.vf.config import VfConfig

VF = "0000:03:02.6"
NATIVE = 6
"""BRIDGE_VLAN_INFO_PVID and BRIDGE_VLAN_INFO_UNTAGGED (linux/if_bridge.h)."""


def parsed(given: dict[str, Any], args: str = "") -> BridgeConfig:
    """Return what is made of a configuration that has these members beside the usual ones; null takes one away."""
    raw = {"cniVersion": "1.0.0", "name": "blue", "type": "accelerated-bridge", "deviceID": VF, **given}
    return config.parse(NetConf(decode(json.dumps(raw).encode())), args)


def seen(wanted: BridgeConfig) -> dict[str, Any]:
    """Return everything that a configuration asks for."""
    return {name: getattr(wanted, name) for name in (*VfConfig.__slots__, *BridgeConfig.__slots__)}


NOTHING: dict[str, Any] = {
    **{"address": VF, "mac": "", "mtu": None, "vlan": None, "spoofchk": None, "trust": None, "link_state": ""},
    **{"min_tx_rate": None, "max_tx_rate": None},
    **{"bridges": ["cni0"], "native": 0, "trunk": [], "on_uplink": False},
}

UNDERSTOOD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "null asks for nothing": (
        {
            **dict.fromkeys(("bridge", "vlan", "trunk", "setUplinkVlan", "debug", "mac", "mtu")),
            **dict.fromkeys(("spoofchk", "trust", "runtimeConfig", "ipam")),
        },
        {},
    ),
    "empty words ask for nothing": ({"bridge": "", "mac": "", "spoofchk": "", "trust": ""}, {}),
    "others' members": (
        {"ipam": {"type": "host-local"}, "logLevel": "debug", "dns": {}, "vlanQoS": 9, "link_state": "x", "vlans": 5},
        {},
    ),
    "bridge": ({"bridge": "br30ens2f0"}, {"bridges": ["br30ens2f0"]}),
    "longest bridge": ({"bridge": "fifteen-bytes-x"}, {"bridges": ["fifteen-bytes-x"]}),
    "bridge beyond ASCII": ({"bridge": "größe"}, {"bridges": ["größe"]}),
    "two bridges": ({"bridge": "br1,br2"}, {"bridges": ["br1", "br2"]}),
    "blanks between bridges": ({"bridge": " br2 ,\tbr1"}, {"bridges": ["br2", "br1"]}),
    "many bridges": ({"bridge": ",".join(f"br{i}" for i in range(40))}, {"bridges": [f"br{i}" for i in range(40)]}),
    "vlan 0": ({"vlan": 0}, {}),
    "vlan 1": ({"vlan": 1}, {"native": 1}),
    "vlan 4094": ({"vlan": 4094}, {"native": 4094}),
    "Vlan": ({"Vlan": 100}, {"native": 100}),
    "no trunk": ({"trunk": []}, {}),
    "one ID": ({"trunk": [{"id": 7}]}, {"trunk": [7]}),
    "first and last ID": ({"trunk": [{"id": 4094}, {"id": 1}]}, {"trunk": [1, 4094]}),
    "a range": ({"trunk": [{"minID": 100, "maxID": 103}]}, {"trunk": [100, 101, 102, 103]}),
    "a range of one": ({"trunk": [{"minID": 100, "maxID": 100}]}, {"trunk": [100]}),
    "all VLANs": ({"trunk": [{"minID": 1, "maxID": 4094}]}, {"trunk": list(range(1, 4095))}),
    "an ID and a range at once": ({"trunk": [{"id": 7, "minID": 100, "maxID": 101}]}, {"trunk": [7, 100, 101]}),
    "null for what is absent": (
        {"trunk": [{"id": 7, "minID": None, "maxID": None}, {"id": None, "minID": 2, "maxID": 3}]},
        {"trunk": [2, 3, 7]},
    ),
    "overlaps": (
        {"trunk": [{"minID": 5, "maxID": 8}, {"id": 7}, {"id": 7}, {"minID": 7, "maxID": 9}]},
        {"trunk": [5, 6, 7, 8, 9]},
    ),
    "more in a member": ({"trunk": [{"id": 7, "name": "x"}]}, {"trunk": [7]}),
    "trunk and vlan": ({"vlan": 100, "trunk": [{"id": 7}, {"id": 100}]}, {"native": 100, "trunk": [7, 100]}),
    "setUplinkVlan": ({"setUplinkVlan": True}, {"on_uplink": True}),
    "no setUplinkVlan": ({"setUplinkVlan": False}, {}),
    "debug": ({"debug": True}, {}),
    "no debug": ({"debug": False}, {}),
    "trust on": ({"trust": "on"}, {"trust": True}),
    "trust OFF": ({"trust": "OFF"}, {"trust": False}),
    "spoofchk on": ({"spoofchk": "on"}, {"spoofchk": True}),
    "spoofchk off": ({"spoofchk": "off"}, {"spoofchk": False}),
    "no mtu": ({"mtu": 0}, {}),
    "smallest mtu": ({"mtu": 68}, {"mtu": 68}),
    "largest mtu": ({"mtu": 65535}, {"mtu": 65535}),
    "mac": ({"mac": "CA-FE-C0-FF-EE-0A"}, {"mac": "ca:fe:c0:ff:ee:0a"}),
    "runtime's address": ({"deviceID": None, "runtimeConfig": {"deviceID": VF}}, {}),
    "address in upper case": ({"deviceID": "0000:AF:1F.7"}, {"address": "0000:af:1f.7"}),
    "as Multus gives it": (
        {
            **{"bridge": "br30ens2f0", "trust": "on", "spoofchk": "off", "pciBusID": VF},
            **{"capabilities": {"mac": True, "CNIDeviceInfoFile": True}},
            "runtimeConfig": {"mac": "ca:fe:c0:ff:ee:11", "CNIDeviceInfoFile": "/var/run/x.json"},
        },
        {"bridges": ["br30ens2f0"], "trust": True, "spoofchk": False, "mac": "ca:fe:c0:ff:ee:11"},
    ),
    "all": (
        {
            **{"bridge": "br1,br2", "vlan": 100, "trunk": [{"id": 7}], "setUplinkVlan": True, "debug": True},
            **{"mac": "02:00:00:00:00:2a", "mtu": 1400, "trust": "on", "spoofchk": "off"},
        },
        {
            **{"bridges": ["br1", "br2"], "native": 100, "trunk": [7], "on_uplink": True},
            **{"mac": "02:00:00:00:00:2a", "mtu": 1400, "trust": True, "spoofchk": False},
        },
    ),
}


@pytest.mark.parametrize(("given", "expected"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_understood(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Exactly what is given is asked for, and nothing else."""
    assert seen(parsed(given)) == NOTHING | expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"vlan": 0, "trunk": []}, {}),
        ({"vlan": 100}, {100: NATIVE}),
        ({"vlan": 1}, {1: NATIVE}),
        ({"trunk": [{"id": 7}, {"minID": 1, "maxID": 2}]}, {1: 0, 2: 0, 7: 0}),
        ({"vlan": 100, "trunk": [{"id": 7}]}, {7: 0, 100: NATIVE}),
        ({"vlan": 7, "trunk": [{"minID": 6, "maxID": 8}]}, {6: 0, 7: NATIVE, 8: 0}),
    ],
    ids=["nothing", "zero", "vlan", "vlan 1", "trunk", "both", "vlan in the trunk"],
)
def test_vlans_of_the_port(given: dict[str, Any], expected: dict[int, int]) -> None:
    """The VLAN of what is untagged goes out untagged, those of the trunk tagged; nothing means the bridge's default."""
    assert parsed(given).vlans() == expected


def test_configurations_share_nothing() -> None:
    """One configuration's bridges and trunk are not the next one's."""
    first = parsed({})
    first.bridges.append("x")
    first.trunk.append(7)
    assert seen(parsed({})) == NOTHING


NATIVE_VLAN = "an integer from 0 up to 4094"
TAGGED_VLAN = "an integer from 1 up to 4094"
BRIDGE = "the name of a bridge, or several with commas between them"
BOOLEAN = "true or false"
SWITCH = "on or off"
MTU = "an integer from 68 up to 65535"
MAC = "a unicast MAC address"
PCI = "the PCI address of a virtual function"
STRING = "a string"
OBJECTS = "a list of objects"
OBJECT = "an object"

VALUES: dict[str, tuple[str, list[Any]]] = {
    "bridge": (
        BRIDGE,
        [
            *[",", "br1,", ",br1", "br1,,br2", "br1, ,br2", " ", "\t,br1", "a name", "br1,a name", "a/b"],
            *[".", "..", "br1,..", "../br1", "a:b", "br%d", "sixteen-bytes-xy", "br1,sixteen-bytes-xy", "a\nb"],
            *["größe-größe-gr", "\u00a0", "x" * 300],
        ],
    ),
    "vlan": (NATIVE_VLAN, [-1, 4095, 4096, 1 << 40, "100", "", True, False, 1.0, 100.5, [100], {}]),
    "trunk": (OBJECTS, [7, "7", "100-105", True, {"id": 7}, {}, 1.5]),
    "setUplinkVlan": (BOOLEAN, ["true", "on", "", 1, 0, [], {}, 1.0]),
    "debug": (BOOLEAN, ["true", "off", "", 1, 0, [True], {}]),
    "mtu": (MTU, [-1, 67, 65536, "1500", "", True, False, 0.0, 1500.0, []]),
    "trust": (SWITCH, ["yes", "no", "true", "enable", "1", "0", "on ", " off", "on\n"]),
    "spoofchk": (SWITCH, ["yes", "no", "false", "disable", "1", "0", "on ", "\uff4f\uff4e"]),
    "mac": (
        MAC,
        [
            *["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "garbage", "02:00:00:00:00"],
            *["02:00:00:00:00:2a:00:01", " 02:00:00:00:00:2a", "02:00:00:00:00:2a\n", "02000000002a"],
        ],
    ),
    "deviceID": (PCI, ["eth0", "03:02.6", "0000:03:02.8", "0000:03:02.6/..", "..", "mlx5_core.sf.4", "vdpa0"]),
}
TEXTS = ("bridge", "mac", "trust", "spoofchk", "deviceID")
NO_STRINGS: list[Any] = [True, 0, 1.5, ["br1", "br2"], {"a": "b"}]


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
    error = refusal({key: value})
    assert error.code == INVALID_CONFIG
    assert error.msg.startswith(f"{key}: {_shown(value)} is not allowed; it must be {wanted}"), error.msg


NO_VLANS: list[Any] = [-1, 0, 4095, 4096, 1 << 40, "7", "", True, 7.0, [7], {}]
BOTH = 'an object with both "minID" and "maxID", or neither'
SOMETHING = 'an object with "id", or with "minID" and "maxID"'

TRUNKS: dict[str, tuple[list[Any], str, str]] = {
    **{f"id {_shown(x)}": ([{"id": x}], f"trunk[0].id: {_shown(x)}", TAGGED_VLAN) for x in NO_VLANS},
    **{
        f"minID {_shown(x)}": ([{"minID": x, "maxID": 4094}], f"trunk[0].minID: {_shown(x)}", TAGGED_VLAN)
        for x in NO_VLANS
    },
    **{
        f"maxID {_shown(x)}": ([{"minID": 1, "maxID": x}], f"trunk[0].maxID: {_shown(x)}", TAGGED_VLAN)
        for x in NO_VLANS
    },
    "inverted": ([{"minID": 8, "maxID": 7}], "trunk[0].minID: 8", "at most maxID, which is 7"),
    "inverted, the second": ([{"id": 1}, {"minID": 4094, "maxID": 1}], "trunk[1].minID: 4094", "at most maxID"),
    "inverted, with an ID": ([{"id": 7, "minID": 8, "maxID": 7}], "trunk[0].minID: 8", "at most maxID"),
    "no end": ([{"minID": 7}], 'trunk[0]: {"minID":7}', BOTH),
    "no begin": ([{"maxID": 7}], 'trunk[0]: {"maxID":7}', BOTH),
    "no end, with an ID": ([{"id": 7, "minID": 8}], 'trunk[0]: {"id":7,"minID":8}', BOTH),
    "a null end": ([{"minID": 7, "maxID": None}], 'trunk[0]: {"minID":7,"maxID":null}', BOTH),
    "an empty object": ([{}], "trunk[0]: {}", SOMETHING),
    "an empty object, the third": ([{"id": 1}, {"id": 2}, {}], "trunk[2]: {}", SOMETHING),
    "other members only": ([{"vlan": 7}], 'trunk[0]: {"vlan":7}', SOMETHING),
    "a null ID": ([{"id": None}], 'trunk[0]: {"id":null}', SOMETHING),
    "no objects": ([7], "trunk[0]: 7", OBJECT),
    "an object and none": ([{"id": 7}, "8"], 'trunk[1]: "8"', OBJECT),
    "null": ([None], "trunk[0]: null", OBJECT),
    "lists": ([[{"id": 7}]], 'trunk[0]: [{"id":7}]', OBJECT),
}


@pytest.mark.parametrize(("trunk", "refused", "wanted"), TRUNKS.values(), ids=TRUNKS)
def test_refused_trunks(trunk: list[Any], refused: str, wanted: str) -> None:
    """The member is named with its place in the list."""
    error = refusal({"trunk": trunk})
    assert error.code == INVALID_CONFIG
    assert error.msg.startswith(f"{refused} is not allowed; it must be {wanted}"), error.msg


@pytest.mark.parametrize("key", TEXTS)
def test_a_nul_is_refused(key: str) -> None:
    """NUL would end the text for the kernel."""
    error = refusal({key: "on\0"})
    wanted = "a string without NUL characters"
    assert (error.code, error.msg) == (INVALID_CONFIG, f'{key}: "on\\u0000" is not allowed; it must be {wanted}')


@pytest.mark.parametrize("given", [{"deviceID": None}, {"deviceID": "", "runtimeConfig": {"deviceID": ""}, "vlan": -1}])
def test_no_device(given: dict[str, Any]) -> None:
    """In the words that users know, whatever else is wrong."""
    error = refusal(given)
    assert (error.code, error.msg) == (INVALID_CONFIG, "VF pci addr is required")
    assert "runtimeConfig.deviceID" in error.details


RUNTIME = {"runtimeConfig": {"mac": "02:00:00:00:00:01"}}
ARGS = "MAC=02:00:00:00:00:02"
CONFIGURED = {"mac": "02:00:00:00:00:03"}


@pytest.mark.parametrize(
    ("given", "args", "expected"),
    [
        pytest.param(RUNTIME | CONFIGURED, ARGS, "02:00:00:00:00:01", id="all three"),
        pytest.param(RUNTIME, ARGS, "02:00:00:00:00:01", id="runtime and CNI_ARGS"),
        pytest.param(RUNTIME | CONFIGURED, "", "02:00:00:00:00:01", id="runtime and configuration"),
        pytest.param(CONFIGURED, f"IgnoreUnknown=1;K8S_POD_NAME=p;{ARGS}", "02:00:00:00:00:02", id="CNI_ARGS"),
        pytest.param(CONFIGURED, "", "02:00:00:00:00:03", id="configuration"),
        pytest.param({"runtimeConfig": {"mac": ""}} | CONFIGURED, "MAC=", "02:00:00:00:00:03", id="empty ones"),
        pytest.param({}, "", "", id="none"),
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


def test_wrong_cni_args() -> None:
    """CNI_ARGS that cannot be read are the environment's fault, not the configuration's."""
    assert refusal({}, "MAC").code == BAD_ENVIRONMENT
