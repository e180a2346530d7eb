"""Network configurations: what is read, and what is refused with which code."""

from __future__ import annotations

import json

import pytest

from cni.protocol.config import NetConf, decode
from cni.protocol.errors import DECODING_FAILURE, INCOMPATIBLE_VERSION, INVALID_CONFIG, CniError
from cni.protocol.limits import CONFIG_BYTES


def _parse(**members: object) -> NetConf:
    return NetConf(decode(json.dumps({"cniVersion": "1.1.0", "name": "net", **members}).encode()))


def test_every_member() -> None:
    conf = _parse(
        type="host-device",
        ipam={"type": "static", "addresses": []},
        runtimeConfig={"deviceID": "0000:00:01.0"},
        args={"cni": {"ips": ["10.0.0.1/8"]}},
        dns={"nameservers": ["1.1.1.1"], "domain": "d", "search": ["s"], "options": ["o"]},
        prevResult={"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.1/8"}]},
        **{"cni.dev/valid-attachments": [{"containerID": "c", "ifname": "i"}]},
        mtu=1400,
    )
    assert (conf.cni_version, conf.name, conf.type) == ("1.1.0", "net", "host-device")
    assert conf.ipam is not None
    assert conf.ipam.where == "ipam"
    assert conf.runtime_config.string("deviceID") == "0000:00:01.0"
    assert conf.args.strings("ips") == ["10.0.0.1/8"]
    dns = conf.dns
    assert (dns.nameservers, dns.domain, dns.search, dns.options) == (["1.1.1.1"], "d", ["s"], ["o"])
    assert conf.prev_result is not None
    assert str(conf.prev_result.ips[0].address) == "10.0.0.1/8"
    assert conf.valid_attachments == [("c", "i")]
    assert conf.section.integer("mtu") == conf.raw["mtu"] == 1400


def test_least() -> None:
    conf = NetConf(decode(b'{"name":"n"}'))
    assert (conf.cni_version, conf.type, conf.ipam, conf.prev_result) == ("0.1.0", "", None, None)
    assert not conf.dns
    assert conf.valid_attachments is None
    assert conf.runtime_config.raw == conf.args.raw == {}


@pytest.mark.parametrize("ipam", [None, {}, {"type": ""}, {"type": None}], ids=repr)
def test_ipam_without_type_is_none(ipam: object) -> None:
    assert _parse(ipam=ipam).ipam is None


@pytest.mark.parametrize("version", [None, ""], ids=["null", "empty"])
def test_version_defaults(version: object) -> None:
    assert _parse(cniVersion=version).cni_version == "0.1.0"


@pytest.mark.parametrize("name", ["a", "0", "net-1", "a.b_c-D9", "a..b"])
def test_names(name: str) -> None:
    assert _parse(name=name).name == name


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"cni.dev/valid-attachments": []}, []),
        ({"cni.dev/attachments": [{"containerID": "c", "ifname": "i"}]}, [("c", "i")]),
        ({"cni.dev/valid-attachments": [], "cni.dev/attachments": [{"containerID": "c", "ifname": "i"}]}, []),
        ({"cni.dev/valid-attachments": None}, None),
    ],
    ids=["empty", "other-key", "both", "null"],
)
def test_valid_attachments(members: dict[str, object], expected: object) -> None:
    assert _parse(**members).valid_attachments == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "standard input is empty", id="empty"),
        pytest.param(b" \n", "standard input is empty", id="blank"),
        pytest.param(b"x", "not JSON: expecting a value at line 1, column 1", id="word"),
        pytest.param(b"[]", "not a JSON object", id="list"),
        pytest.param(b"null", "not a JSON object", id="null"),
        pytest.param(b'{"a":"\xff"}', "not UTF-8: byte 0xff at offset 6", id="latin-1"),
        pytest.param(b"\xff\xfe{\x00}\x00", "not UTF-8: byte 0xff at offset 0", id="utf-16"),
        pytest.param(b'\xef\xbb\xbf{"name":"n"}', "byte order mark", id="byte-order-mark"),
        pytest.param(b"[" * 500_000, "nested more than 200 levels deep", id="deep"),
        pytest.param(b'{"a":"' + b"x" * 2_000_000 + b'"}', f"longer than {CONFIG_BYTES} bytes", id="long"),
        pytest.param(b'{"name":"\\ud800"}', "surrogate", id="half-surrogate"),
        pytest.param(b'{"mtu":' + b"9" * 5000 + b"}", "Exceeds the limit", id="huge-integer"),
    ],
)
def test_undecodable(data: bytes, message: str) -> None:
    with pytest.raises(CniError) as caught:
        NetConf(decode(data))
    assert caught.value.code == DECODING_FAILURE
    assert caught.value.msg.startswith("cannot decode the network configuration: ")
    assert message in caught.value.msg


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"name": None}, "missing network name"),
        ({"name": ""}, "missing network name"),
        ({"name": 5}, "name: 5 is not allowed; it must be a string"),
        ({"name": "../x"}, 'invalid characters found in network name: "../x" is not allowed'),
        ({"name": "a/b"}, '"a/b" is not allowed'),
        ({"name": ".a"}, '".a" is not allowed'),
        ({"name": "-a"}, '"-a" is not allowed'),
        ({"name": "é"}, '"\\u00e9" is not allowed'),
        ({"name": "a\n"}, '"a\\n" is not allowed'),
        ({"name": "²"}, '"\\u00b2" is not allowed'),
        ({"cniVersion": 4}, "cniVersion: 4 is not allowed; it must be a string"),
        ({"type": []}, "type: [] is not allowed; it must be a string"),
        ({"ipam": 5}, "ipam: 5 is not allowed; it must be an object"),
        ({"ipam": {"type": 5}}, "ipam.type: 5 is not allowed; it must be a string"),
        ({"ipam": {"type": "../static"}}, 'ipam.type: "../static" is not allowed'),
        ({"ipam": {"type": ".."}}, 'ipam.type: ".." is not allowed'),
        ({"runtimeConfig": "x"}, 'runtimeConfig: "x" is not allowed; it must be an object'),
        ({"args": []}, "args: [] is not allowed; it must be an object"),
        ({"args": {"cni": 5}}, "args.cni: 5 is not allowed; it must be an object"),
        ({"dns": 5}, "dns: 5 is not allowed; it must be an object"),
        ({"dns": {"search": "a"}}, 'dns.search: "a" is not allowed; it must be a list of strings'),
        ({"prevResult": 5}, "prevResult: 5 is not allowed; it must be an object"),
        ({"prevResult": {"ips": [{}]}}, 'prevResult.ips[0]: {} is not allowed; it must be an object with "address"'),
        ({"cni.dev/valid-attachments": {}}, "cni.dev/valid-attachments: {} is not allowed"),
        ({"cni.dev/valid-attachments": [5]}, "cni.dev/valid-attachments[0]: 5 is not allowed"),
        ({"cni.dev/valid-attachments": [{"containerID": "c"}]}, 'it must be an object with "ifname"'),
        (
            {"cni.dev/valid-attachments": [{"containerID": 5, "ifname": "i"}]},
            "cni.dev/valid-attachments[0].containerID: 5 is not allowed; it must be a string",
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_refused(members: dict[str, object], message: str) -> None:
    with pytest.raises(CniError) as caught:
        _parse(**members).read_results()
    assert caught.value.code == INVALID_CONFIG
    assert message in caught.value.msg


def test_unknown_version() -> None:
    with pytest.raises(CniError) as caught:
        _parse(cniVersion="9.9")
    assert caught.value.code == INCOMPATIBLE_VERSION
    assert 'incompatible CNI versions: cniVersion: "9.9" is not allowed' in caught.value.msg
    assert "0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0" in caught.value.details


@pytest.mark.parametrize("member", [{"prevResult": {"ips": 5, "cniVersion": "1.0.0"}}, {"dns": {"domain": 5}}])
def test_results_are_read_when_asked_for(member: dict[str, object]) -> None:
    conf = _parse(**member)
    with pytest.raises(CniError, match=r"(prevResult\.ips|dns\.domain): 5 is not allowed"):
        conf.read_results()
