"""Network configurations by the plugins' parsers: which line, which member, and what is allowed."""

from __future__ import annotations

import json

import pytest

from plumbline.lint import nad
from plumbline.lint.document import document
from plumbline.lint.file import Checked, check
from plumbline.lint.text import JsonText, Unreadable
from tests.support import schemas

LIST = """{
  "cniVersion": "1.0.0",
  "name": "blue",
  "plugins": [
    {
      "type": "sriov",
      "vlan": 5000,
      "ipam": {
        "type": "host-local",
        "ranges": [
          [{"subnet": "10.1.2.0/24"}],
          [{"subnet": "10.1.3.0/24", "rangeStart": "10.9.9.9"}]
        ]
      }
    },
    {
      "type": "tuning",
      "anything": {"goes": true}
    }
  ]
}
"""


def _said(text: str, path: str = "x.conf") -> list[str]:
    """Return what is said of a file, without its name."""
    return [str(fault).removeprefix(f"{path}:") for fault in check(path, text.encode()).faults]


def _conf(kind: str = "sriov", **members: object) -> str:
    return json.dumps({"cniVersion": "1.0.0", "name": "blue", "type": kind, **members}, indent=1)


def test_lines_of_a_list() -> None:
    """The plugin's fault and that of its IPAM, each where it stands; the rest of the list is fine."""
    faults = check("x.conflist", LIST.encode()).faults
    assert [(fault.line, fault.member) for fault in faults] == [
        (7, "plugins[0].vlan"),
        (12, "plugins[0].ipam.ranges[1][0].rangeStart"),
    ]
    assert faults[0].message == "in plugins[0], vlan: 5000 is not allowed; it must be an integer from 0 up to 4094"


@pytest.mark.parametrize(
    "text",
    [
        _conf(vlan=100, vlanQoS=3, spoofchk="off", trust="on", mac="02:00:00:00:00:2a", logLevel="debug"),
        _conf(
            deviceID="0000:03:02.6", min_tx_rate=0, ipam={"type": "static", "addresses": [{"address": "10.1.2.3/24"}]}
        ),
        _conf("accelerated-bridge", bridge="br0,br1", vlan=7, trunk=[{"minID": 3, "maxID": 9}], debug=True),
        _conf("host-device", pciBusID="0000:03:02.6", dns={"nameservers": ["10.0.0.1"]}),
        _conf("host-device", capabilities={"deviceID": True}),
        _conf(capabilities={"ipRanges": True}, ipam={"type": "host-local"}),  # ranges come from the runtime
        _conf(ipam={"type": "dhcp", "daemonSocketPath": "/run/x"}),
        _conf("calico", anything="goes"),
        LIST.replace("5000", "500").replace("10.9.9.9", "10.1.3.9"),
    ],
)
def test_nothing_to_say(text: str) -> None:
    """What a plugin takes, also without the VF that the runtime adds."""
    assert _said(text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_conf(trust="yes"), '5: trust: "yes" is not allowed; it must be on or off'),
        (_conf(TRUST="yes"), '5: trust: "yes" is not allowed'),  # as plugins look members up
        (_conf(vlanQoS=3), "5: vlanQoS: 3 is not allowed; it must be 0 unless vlan is"),
        (_conf(name=""), '3: missing network name; the configuration has no "name"'),
        (_conf(name="../x"), "3: invalid characters found in network name"),
        (_conf(cniVersion="9.0.0"), "2: incompatible CNI versions: cniVersion"),
        (_conf(deviceID="03:02.6"), "5: deviceID: "),
        (_conf("accelerated-bridge", trunk=[{"id": 1}, {"minID": 9, "maxID": 3}]), "10: trunk[1].minID: 9 is not"),
        (_conf("host-device", hwaddr="x"), "5: hwaddr: "),
        (_conf(ipam={"type": "host-local"}), "5: no IP ranges specified"),
        (_conf(ipam={"type": "static", "addresses": [{"address": "10.1.2.3"}]}), "9: ipam.addresses[0].address: "),
        (_conf(ipam={"type": "bridge"}), '6: ipam.type: "bridge" is not allowed; it must be an IPAM plugin'),
        (_conf(ipam="host-local"), "5: ipam: "),
        (_conf("bridge", dns=3), "5: dns: 3 is not allowed; it must be an object"),
        ('{"name": "x", "plugins": []}', "1: plugins: it must be a list of at least one"),
        ('{"name": "x", "plugins": [3]}', "1: plugins[0]: it must be an object"),
        ('{"name": "x",\n"cniVersion": 3, "plugins": [{"type": "sriov"}]}', "2: cniVersion: 3 is not allowed"),
        ('{"name": "x"}', "1: type: it must be the name of a plugin"),
        ('{"name": "x",\n\n "type": sriov}', "3: not JSON: expecting a value, column 10"),
        ('{"name": "x",\n "type": "sriov",\n}', "3: not JSON: expecting a name in double quotes, column 1"),
        ("[1, 2]", "1: not a JSON object"),
        ("", " it is empty"),
        ("# no JSON", "1: not JSON"),
    ],
)
def test_refused(text: str, words: str) -> None:
    """One fault, on the line where it stands."""
    (said,) = _said(text)
    assert words in said
    assert said.startswith(words.partition(":")[0])
    assert [fault.is_error for fault in check("x.conf", text.encode()).faults] == [True]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_conf(vlanid=3), '5: warning: member "vlanid" is not known and has no effect; did you mean vlan?'),
        (_conf("accelerated-bridge", trunk=[{"id": 3, "name": "x"}]), 'member "name" in trunk[0] is not known'),
        (_conf(ipam={"type": "static", "adresses": []}), 'member "adresses" in ipam is not known'),
        (
            _conf(ipam={"type": "host-local", "subnet": "10.0.0.0/8", "rangestrt": "10.0.0.5"}),
            "did you mean rangeStart?",
        ),
        ('{"name": "x", "type": "sriov",\n "vlan": 3,\n "vlan": 4}', "3: warning: vlan stands there more than once"),
    ],
)
def test_warned_of(text: str, words: str) -> None:
    """What has no effect is said, and is no error."""
    (said,) = _said(text)
    assert words in said
    assert [fault.is_error for fault in check("x.conf", text.encode()).faults] == [False]


def test_many_unknown_members() -> None:
    """The first ones are named, and that there are more."""
    faults = check("x.conf", _conf("sriov", **{f"x{n}": n for n in range(20)}).encode()).faults
    assert len(faults) == 9
    assert faults[0].message == "and more members that are not known"


def test_not_utf8() -> None:
    """The line is told all the same."""
    (fault,) = check("x.conf", b'{"name":\n"\xff"}').faults
    assert (fault.line, fault.message) == (2, "not UTF-8: byte 0xff")


def test_networks_as_the_plugins_get_them() -> None:
    """With the list's name and version in each."""
    networks = check("x.conflist", LIST.encode()).networks
    assert [(one["type"], one["name"], one["cniVersion"]) for one in networks] == [
        ("sriov", "blue", "1.0.0"),
        ("tuning", "blue", "1.0.0"),
    ]


def test_repeated_and_escaped_members() -> None:
    """Places are found behind escapes, numbers, words, empty objects and lists."""
    text = JsonText('{"a\\"}": [1.5e3, true, {}, [],\n {"b": null}],\n"c": "\\u007b"}', first_line=10)
    text.value()
    assert [text.line(name) for name in ('a"}', 'a"}[4].b', "c", "c.nothing", "nothing")] == [10, 11, 12, 12, 10]


# NetworkAttachmentDefinitions ---------------------------------------------------------------------------------------

HEAD = """# a comment
apiVersion: "k8s.cni.cncf.io/v1"
kind: NetworkAttachmentDefinition
metadata:
  name: net-a
  annotations:
    k8s.v1.cni.cncf.io/resourceName: intel.com/vfs
    other: >-
      some text: with a colon
  finalizers:
    - one
spec:
"""
CONFIG = '{"type": "sriov",\n"name": "net-a",\n"vlan": 5000}'
BAD_VLAN = "vlan: 5000 is not allowed; it must be an integer from 0 up to 4094"


def _indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.split("\n"))


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        (f"  config: |\n{_indented(CONFIG, 4)}\n", 16),
        (f"  config: |-  # why not\n{_indented(CONFIG, 4)}\n", 16),
        (f"  config: >\n\n{_indented(CONFIG, 8)}\n  other: x\n", 17),
        ("  config: '" + CONFIG.replace("\n", "\n    ") + "'\n", 15),
        ('  config: "' + CONFIG.replace('"', '\\"').replace("\n", "\n    ") + '"\n', 15),
        ("  config: " + json.dumps(CONFIG) + "\n", 13),
        (f'  "config": |\n{_indented(CONFIG, 3)}\n', 16),
    ],
)
def test_yaml(spec: str, line: int) -> None:
    """Block scalars and quoted ones: the line is that of the file, or that on which an escaped text begins."""
    assert _said(HEAD + spec, "nad.yaml") == [f"{line}: {BAD_VLAN}"]


def test_yaml_documents() -> None:
    """Each is told apart by `kind`, and each has its own line."""
    good = HEAD + '  config: \'{"type": "sriov", "it\'\'s": 1}\'\n'
    other = "kind: Pod\nspec:\n  containers: [a, b]\n"
    bad = HEAD + f"  config: |\n{_indented(CONFIG, 4)}\n"
    first, second = _said("---\n".join([good, other, bad]), "nad.yml")
    assert first.startswith('13: warning: member "it\'s" is not known and has no effect')
    assert second == f"{13 + 1 + 3 + 1 + 16}: {BAD_VLAN}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD, "net-a has no spec.config"),
        (
            HEAD.replace("k8s.v1.cni.cncf.io/resourceName", "x") + '  config: \'{"type": "sriov"}\'\n',
            "no device plugin",
        ),
        (HEAD + "  config: {type: sriov}\n", "cannot read spec.config here"),
        (HEAD + "  config: 'no end\n", "an end of the text that begins with '"),
        (HEAD + '  config: "\\q"\n', "cannot read this text in double quotes"),
        (HEAD + "  config\n", 'a line of the form "name: value" is expected'),
        ("kind: Pod\n", "there is no NetworkAttachmentDefinition in it"),
        (HEAD + "  config: 'x'\n", "13: not JSON: expecting a value"),
    ],
)
def test_yaml_that_is_not_all_right(text: str, words: str) -> None:
    """It is said what cannot be read."""
    (said,) = _said(text, "nad.yaml")
    assert words in said


def test_the_name_comes_from_the_definition() -> None:
    """As Multus gives it."""
    checked = check("-", (HEAD + '  config: \'{"type": "sriov"}\'\n').encode())
    assert [x["name"] for x in checked.networks] == ["net-a"]
    assert checked.faults == []


def test_json_definitions() -> None:
    """One, or a list as kubectl gives it; a line is that of the string which holds the configuration."""
    one = {
        "kind": nad.KIND,
        "metadata": {"name": "net-a", "annotations": {nad.RESOURCE: "x"}},
        "spec": {"config": CONFIG},
    }
    whole = json.dumps({"kind": "List", "items": [{"kind": "Pod"}, one]}, indent=1)
    line = next(n for n, text in enumerate(whole.split("\n"), 1) if '"config"' in text)
    assert _said(json.dumps(one), "x.json") == [f"1: {BAD_VLAN}"]
    assert _said(whole, "x.json") == [f"{line}: {BAD_VLAN}"]


def test_each_definition_has_its_faults() -> None:
    """One that is no JSON keeps none of the others from being read."""
    bad, good = (HEAD + f"  config: '{text}'\n" for text in ("{", '{"type": "sriov", "vlan": 5000}'))
    first, second = _said(f"{bad}---\n{good}", "nad.yaml")
    assert first.startswith("13: not JSON")
    assert second == f"{14 + 13}: {BAD_VLAN}"


def test_json_definition_without_a_string() -> None:
    """A frequent mistake: the configuration as an object."""
    one = {"kind": nad.KIND, "metadata": {"name": "net-a"}, "spec": {"config": {"type": "sriov"}}}
    (said,) = _said(json.dumps(one), "x.json")
    assert "spec.config is no string" in said


def test_unreadable_names_a_line() -> None:
    """Of a text that begins somewhere in its file."""
    with pytest.raises(Unreadable) as caught:
        JsonText('{"a": 1,\n"b"}', first_line=20).value()
    assert caught.value.line == 21


def test_json_output() -> None:
    """By its schema, with nothing unknown left out."""
    checked: Checked = check("x.conf", _conf(trust="yes").encode())
    whole = document([*checked.faults, *check("y.conf", b"").faults, *check("z.conf", _conf(x=1).encode()).faults])
    schemas.check(whole)
    assert [(fault["level"], fault["line"], fault["member"]) for fault in whole["faults"]] == [
        ("error", 5, "trust"),
        ("error", None, None),
        ("warning", 5, "x"),
    ]
