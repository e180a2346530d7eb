"""Requests mutated at random, from ones that would do: structure, types, text, bytes, environment, streams."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shlex
from random import Random
from typing import Any

from tests.support import plugin

BINARIES = ("host-device", "sriov", "accelerated-bridge", "host-local", "static")
CONTAINERS = ("c0", "c1")
IFNAMES = ("net1", "net2")
COMMANDS = ("ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION")
PCI, PF, VF, USERSPACE_VF = "0000:03:02.6", "0000:05:00.0", "0000:05:00.1", "0000:05:00.2"
MACS = ("02:00:00:00:01:00", "02:00:00:00:01:01")
"""Of ens5 and ens6."""

LONGEST = 700_000
"""How long a text may become, in characters."""


class Raw:
    """JSON text that json.dumps would not write."""

    def __init__(self, text: str) -> None:
        self.text = text


class Pairs:
    """An object with members twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def written(value: Any) -> str:
    """Return JSON text."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict | Pairs):
        pairs = value.pairs if isinstance(value, Pairs) else list(value.items())
        return "{" + ",".join(f"{json.dumps(key)}:{written(item)}" for key, item in pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(item) for item in value) + "]"
    return json.dumps(value)


class Request:
    """One call of a plugin. variables: the environment; streams: one of STREAMS; no_children: SIGCHLD is ignored."""

    def __init__(self, binary: str, variables: dict[str, str], stdin: bytes) -> None:
        self.binary = binary
        self.variables = variables
        self.stdin = stdin
        self.streams = ""
        self.no_children = False

    @property
    def command(self) -> str:
        """CNI_COMMAND, empty for none."""
        return self.variables.get("CNI_COMMAND", "")

    def again(self, command: str) -> Request:
        """Return the same request with another command, and all its streams."""
        return Request(self.binary, {**self.variables, "CNI_COMMAND": command}, self.stdin)

    def shell(self) -> str:
        """Return the line that makes this request in a shell, in the root of the repository."""
        pairs = [_quoted(f"{key}={value}") for key, value in self.variables.items()]
        wrapper = " --ignore-signal=CHLD" if self.no_children else ""
        call = f"env -i{wrapper} {' '.join(pairs)} dist/{self.binary}{STREAMS.get(self.streams, '')}"
        if len(self.stdin) < 2000 and self.stdin.isascii() and b"\0" not in self.stdin:
            return f"printf %s {_quoted(self.stdin.decode())} | {call}"
        packed = base64.b64encode(gzip.compress(self.stdin, mtime=0)).decode()
        if len(packed) > 6000:
            packed = f"{packed[:100]}...({len(packed)} characters; --only makes it again)"
        return f"echo {packed} | base64 -d | gzip -d | {call}"


def _quoted(text: str) -> str:
    """Return a word of a shell's line, printable."""
    data = os.fsencode(text)
    if len(data) > 500:
        return f"'{ascii(text)[1:40]}...({len(data)} bytes; --only makes it again)'"
    if all(32 <= byte < 127 for byte in data):
        return shlex.quote(text)
    return "$'" + "".join(chr(x) if 32 <= x < 127 and x not in b"'\\" else f"\\x{x:02x}" for x in data) + "'"


STREAMS = {
    "no stdin": " <&-",
    "no stdout": " >&-",
    "no stderr": " 2>&-",
    "none": " <&- >&- 2>&-",
    "full": " >/dev/full",
    "folder": " </",
    "null": " </dev/null",
}
"""What is wrong with the standard streams, and how a shell does that."""

DEAF = ("no stdout", "none", "full")
"""Nobody hears the answer."""


STRINGS: tuple[str, ...] = (
    "", " ", ".", "..", "/", "a/b", "../../etc", "net1", "ens5", "ens6", "lo", "cni0", "host-local", "\0", "x\0y",
    "\n", "a\nb\tc", "\x1b[2J\x1b[31mred", "\x7f", "\x85\x9b31m", "\u202etxt.exe\u202c", "\u2066\u2069",
        "\u200b\u200f",
    "\u2028\u2029", "\ufeff", "\ufffe\uffff", "\ud800", "\udfff\ud800", "\U000e0041", "\U0010ffff", "\u0130",
        "\u00df",
    "e\u0301", "\u0661\u0662", "%s%n%d", "${PATH}", "$(id)", "`id`", "'\"\\\\", "<a>&amp;", "null", "true", "0",
        "-1", "1e9",
    "0x10", "10.0.0.0/8", "::/0", "10.77.0.0/33", "fd00::/129", "256.1.1.1", "02:00:00:00:00:00", "ff:ff:ff:ff:ff:ff",
    "/dev/zero", "/dev/null", "/dev/tty", "/run/fifo", "/run/plain", "/proc/self/mem", "/proc/self/ns/net", "/etc",
    "/proc/self/environ", "/etc/passwd", "/var/log/outside/x", "/var/lib/cni/host-device",
        "/var/lib/cni/networks/base",
    "relative/path", "~/x", "//", "/run/netns/pod0/..", "/run/../run/plain", "file:///etc/passwd", "%00",
)  # fmt: skip

NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 7, 64, 255, 256, 4094, 4095, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64,
        -(2**31),
    -(2**63), 10**30, 0.0, 1.0, 1.5, -0.0, 1e300, 1e-300,
)  # fmt: skip

RAW: tuple[str, ...] = (
    "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "0x10", "01", "1.", ".5", "+1", "--1", "1_000", "'x'",
        "undefined",
    "True", "None", "nul", "", "[,]", "{,}", "[1,]", '{"a":1,}', '"\\x41"', '"\\u12"', '"\\ud800"',
        '"\\udc00\\ud800"',
    '"\n"', '"\t"', "/*x*/1", "1 //", "9" * 5000, "1" + "0" * 300 + ".5", "-" + "9" * 400, "1e" + "9" * 50,
        "[" * 1500,
    "[" * 90 + "]" * 90, '{"a":' * 70 + "1" + "}" * 70, "[" * 4000 + "]" * 4000,
)  # fmt: skip
"""Text in the place of a value."""

ROUTES = [
    {"dst": "10.99.0.0/16"},
    {"dst": "0.0.0.0/0", "gw": "10.77.0.1"},
    {"dst": "10.98.0.0/16", "mtu": 1400, "priority": 5},
]

KNOWN: dict[str, tuple[Any, ...]] = {
    "cniVersion": ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0", "1.2.0", "2.0.0", "1.1",
        "1.1.0 ", 1.1),
    "name": ("base", "other", "a" * 300, "a b", ".hidden", "-x", "lock", "n\u00e4me", "host-device", "pci"),
    "type": (*BINARIES, "bridge", "/bin/sh", "dhcp"),
    "device": ("ens5", "ens6", "lo", "cni0", "peer-ens5", "nope", "pf0", "ens5 ", "x" * 128),
    "hwaddr": (*MACS, MACS[0].upper(), "02-00-00-00-01-00", "0200.0000.0100", "02:00", "00:00:00:00:00:00",
        "zz:zz:zz:zz:zz:zz"),
    "kernelpath": ("/sys/devices/platform/0000:03:02.6", "/sys/devices/../../etc",
        "/sys/devices/virtual/net/ens5", "/etc"),
    "pciBusID": (PCI, PF, VF, USERSPACE_VF, "0000:ff:1f.7", "03:02.6", "0000:03:02.8", PCI.upper()),
    "deviceID": (PCI, PF, VF, USERSPACE_VF, "mlx5_core.sf.4", "0000:ff:1f.7", "", VF.upper()),
    "runtimeConfig": ({"deviceID": PCI}, {"deviceID": VF}, {"mac": "02:00:00:00:00:2a"},
        {"ips": ["10.77.0.9/24"]}, {}, [],
        {"CNIDeviceInfoFile": "/var/run/k8s.cni.cncf.io/devinfo/cni/x.json"}, {"CNIDeviceInfoFile": "/etc/x"},
        {"CNIDeviceInfoFile": "/var/run/k8s.cni.cncf.io/devinfo/cni/../../x"},
        {"ipRanges": [[{"subnet": "10.78.0.0/24"}]]}),
    "args": ({"cni": {"ips": ["10.77.0.8"]}}, {"cni": {"ips": "10.77.0.8"}}, {"cni": []}, 5),
    "capabilities": ({"ipRanges": True}, {"mac": True}, {"ips": 1}, []),
    "logLevel": ("debug", "info", "warning", "error", "panic", "DEBUG", "loud"),
    "logFile": ("/var/log/x.log", "/var/log", "/var/log/outside/x.log", "/var/log/../../tmp/x.log", "/tmp/x.log",
        "/run/fifo", "x.log"),
    "debug": (True, False, "yes", 1),
    "dns": ({"nameservers": ["10.0.0.53"], "search": ["a.b"]}, {"nameservers": "10.0.0.53"}, {"options": [1]}, []),
    "ipam": ({}, {"type": "host-local"}, {"type": "static"}, {"type": "host-local", "subnet": "10.77.0.0/24"},
        {"type": "dhcp"},
        {"type": "nope"}, {"type": "../host-local"}, {"type": "static", "addresses": []},
        {"type": "host-device"}, {"type": "sriov"}, {"type": "bridge"}, [],
        "host-local"),
    "subnet": ("10.77.0.0/24", "10.77.0.0/31", "10.77.0.0/32", "0.0.0.0/0", "fd77::/64", "::/0", "10.77.0.5/24",
        "fd77::/127", "10.77.0.0"),
    "rangeStart": ("10.77.0.5", "10.77.0.0", "10.77.0.255", "10.78.0.1", "fd77::5", "10.77.0.05"),
    "rangeEnd": ("10.77.0.9", "10.77.0.1", "10.77.0.254", "::"),
    "gateway": ("10.77.0.1", "10.77.0.0", "fd77::1", "0.0.0.0", "10.1.1.1", ""),
    "ranges": ([[{"subnet": "10.77.0.0/24"}]], [[{"subnet": "10.77.0.0/24"}], [{"subnet": "fd77::/64"}]], [[]],
        [[[]]],
        [[{"subnet": "10.77.0.0/24"}, {"subnet": "10.77.0.0/24"}]], [[{"subnet": "10.77.0.0/24"},
        {"subnet": "fd77::/64"}]]),
    "routes": (ROUTES, ROUTES[:1], [{"dst": "fd99::/16"}], [{"dst": "10.1.1.1"}], [{"gw": "10.77.0.1"}],
        [{"dst": "0.0.0.0/0", "gw": "1.1.1.1"}],
        [{"dst": "10.99.0.0/16", "table": 2**32}], [{"dst": "10.99.0.0/16", "mtu": -1}], [{"dst": "10.99.0.0/16",
        "scope": 300}], {}),
    "dataDir": ("/var/lib/cni/networks", "/var/lib/cni/networks/sub", "/var/lib/cni/host-device", "/var/lib/cni",
        "relative", "/etc/cni",
        "/etc", "/run/plain", "/run/fifo", "/dev", "/proc", "/sys", "/var/lib/cni/networks/base",
        "/var/lib/cni/networks/../x", "/tmp/store"),
    "resolvConf": ("/run/plain", "/etc/resolv.conf", "/run/fifo", "/dev/zero", "/nope", "/etc", "/proc/self/mem",
        "/dev/tty", "relative"),
    "addresses": ([{"address": "10.77.0.9/24"}], [{"address": "fd77::9/64", "gateway": "fd77::1"}],
        [{"address": "10.77.0.9"}], [{}],
        [{"address": "10.77.0.9/24"}, {"address": "10.77.0.9/24"}], [{"address": "127.0.0.1/8"}],
        [{"address": "224.0.0.1/4"}]),
    "ips": (["10.77.0.9"], ["10.77.0.9/24"], ["fd77::9/64"], ["x"], [5], [{"address": "10.77.0.9/24",
        "interface": 0}], "10.77.0.9"),
    "interfaces": ([], [{"name": "net1", "sandbox": "/run/netns/pod0"}], [{"name": 5}], [None], {}),
    "interface": (0, 1, 99, -1, 2**40, "0"),
    "mac": ("02:00:00:00:00:2a", "01:00:00:00:00:2a", "00:00:00:00:00:00", "02:00:00:00:00", "x"),
    "mtu": (1500, 0, 67, 68, 65535, 65536, 9000, -1, "1500"),
    "vlan": (0, 1, 100, 4094, 4095, -1, "100"),
    "vlanQoS": (0, 7, 8, -1), "vlanProto": ("802.1q", "802.1ad", "802.1Q", "x"),
    "min_tx_rate": (0, 100, 2**32), "max_tx_rate": (0, 100, 1), "spoofchk": ("on", "off", "ON", True),
        "trust": ("on", "off", 1),
    "link_state": ("auto", "enable", "disable", "up"),
    "bridge": ("cni0", "nope", "cni0,br1", "", "lo", "a" * 16), "setUplinkVlan": (True, False, "x"),
    "trunk": ([{"id": 5}], [{"minID": 5, "maxID": 4094}], [{"minID": 9, "maxID": 5}], [{}], [{"id": 0}],
        [{"minID": 1}]),
    "prevResult": ({"cniVersion": "1.1.0"}, {}, [], {"cniVersion": "1.1.0", "ips": [{"address": "10.77.0.2/24"}]},
        "x"),
    "cni.dev/valid-attachments": ([], [{"containerID": "c0", "ifname": "net1"}], [{"containerID": "c0"}], [{}],
        {}, "x", [None]),
    "cni.dev/attachments": ([], [{"containerID": "c1", "ifname": "net1"}], 5),
    "dst": ("10.99.0.0/16", "0.0.0.0/0", "::/0", "10.99.0.1", "x"), "gw": ("10.77.0.1", "fd77::1", "0.0.0.0", "x"),
    "address": ("10.77.0.9/24", "10.77.0.9/0", "fd77::9/128", "10.77.0.9", "::ffff:10.0.0.1/120"),
    "nameservers": (["10.0.0.53"], [""], [5]), "search": (["a.b"], [{}]), "options": (["ndots:5"], 5),
        "domain": ("a.b", 5),
    "builtinIPAM": (True, False), "promiscMode": (True,), "isGateway": (True,), "dpdkMode": (True,),
        "disableCheck": (True, "x"),
}  # fmt: skip
"""Every parameter's name, with values that are right and nearly right."""

ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "CNI_COMMAND": (*COMMANDS, "add", "ADD ", "UPDATE", ""),
    "CNI_CONTAINERID": ("c0", "c1", "", "..", "a/b", "-x", "a" * 64, "a" * 250, "a" * 5000, "c 0", "c0-net1", "lock"),
    "CNI_NETNS": ("/run/netns/pod0", "/run/netns/pod1", "", "/run/netns/nope", "/proc/self/ns/net",
        "/proc/self/ns/mnt", "/run/fifo",
        "/run/plain", "/dev/zero", "/dev/tty", "/etc", "/", "pod0", "../run/netns/pod0",
        "/run/netns/../netns/pod0", "/run/netns/pod0/",
        "/proc/self/fd/0", "/proc/self/fd/1", "/" + "x" * 300, "/" + "a/" * 3000),
    "CNI_IFNAME": ("net1", "net2", "", "lo", ".", "..", "a/b", "a:b", "a b", "%d", "net%d", "x" * 15, "x" * 16,
        "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4", "ens5", "all",
        "default"),
    "CNI_ARGS": ("", "IgnoreUnknown=1", "IgnoreUnknown=1;K8S_POD_NAME=p",
        "K8S_POD_NAME=\x1b[31m;K8S_POD_NAMESPACE=\n;K8S_POD_UID=\u202e",
        "IP=10.77.0.7", "IP=10.77.0.7/24", "IP=x", "IP=10.77.0.7;IP=10.77.0.8", "MAC=02:00:00:00:00:2b", "MAC=x",
        "FOO=bar", "x", "=", ";;;", "a=b=c",
        "IgnoreUnknown=yes", "IgnoreUnknown=1;" + ";".join(f"A{n}=1" for n in range(3000)), "GATEWAY=10.77.0.1",
        "K8S_POD_NAME=" + "p" * 5000,
        ";".join(f"A{n}=1" for n in range(3000))),
    "CNI_PATH": ("", ":", "/", "relative", "/nope:/run/fifo:/run/plain", "/usr/lib/cni", "x" * 5000, ":" * 1000),
    "PATH": ("", "/nope"), "LC_ALL": ("C", "tr_TR.UTF-8", "\udcff"), "PYTHONPATH": ("/tmp",), "PYTHONINSPECT": ("1",),
    "PYTHONMALLOC": ("debug",), "LD_PRELOAD": ("/nope.so",), "TMPDIR": ("/nope",), "HOME": ("",),
        "NETCONFPATH": ("/",),
    "GCONV_PATH": ("/tmp",), "MALLOC_ARENA_MAX": ("x",), "TZ": ("/dev/zero", ":/run/fifo", "x" * 3000),
}  # fmt: skip


class Generator:
    """Makes requests from a source of randomness."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def chance(self, share: float) -> bool:
        """Return true in a share of all cases."""
        return self.random.random() < share

    def request(self, binary: str, command: str, conf: dict[str, Any] | None = None, where: int = 0) -> Request:
        """Return a request that would do: as it is for a runtime. where: the number of the pod."""
        variables = plugin.environment(
            command,
            CONTAINERS[where],
            f"/run/netns/pod{where}",
            IFNAMES[0],
            self.random.choice(
                (None, None, "IgnoreUnknown=1;K8S_POD_NAME=pod;K8S_POD_NAMESPACE=default;K8S_POD_UID=4711")
            ),
            f"{plugin.DIST}:{plugin.REFERENCE}",
        )
        del variables["PATH"]  # what a runtime has there does not matter
        conf = self.conf(binary) if conf is None else conf
        if command == "GC" and "cni.dev/valid-attachments" not in conf:
            conf = {**conf, "cni.dev/valid-attachments": []}
        return Request(binary, variables, json.dumps(conf).encode())

    def ipam(self) -> dict[str, Any]:
        """Return an IPAM section that would do."""
        if self.chance(0.3):
            return {
                "type": "static",
                "addresses": [{"address": "10.77.0.9/24", "gateway": "10.77.0.1"}],
                "routes": ROUTES[:1],
            }
        form: dict[str, Any] = {"subnet": "10.77.0.0/24"}
        if self.chance(0.4):
            form = {"ranges": [[{"subnet": "10.77.0.0/24", "rangeStart": "10.77.0.5"}], [{"subnet": "fd77::/64"}]]}
        return {
            "type": "host-local",
            **form,
            **({"routes": self.random.choice((ROUTES, ROUTES[:1]))} if self.chance(0.4) else {}),
        }

    def conf(self, binary: str) -> dict[str, Any]:
        """Return a configuration that would do."""
        conf: dict[str, Any] = {
            "cniVersion": self.random.choice(("1.1.0", "1.1.0", "1.0.0", "0.4.0", "0.3.1")),
            "name": "base",
            "type": binary,
        }
        if binary in ("sriov", "accelerated-bridge"):
            conf["deviceID"] = self.random.choice((VF, USERSPACE_VF, USERSPACE_VF))
            for key in ("vlan", "mtu", "mac", "trust", "spoofchk"):
                if self.chance(0.15):
                    conf[key] = KNOWN[key][0]
            if binary == "accelerated-bridge" and self.chance(0.5):
                conf |= {"bridge": "cni0", "trunk": [{"minID": 5, "maxID": 9}]}
        elif binary == "host-device":
            selector = self.random.choice(("device", "device", "hwaddr", "pciBusID", "kernelpath"))
            conf[selector] = KNOWN[selector][0]
        if binary == "static":
            conf["ipam"] = {"type": "static", "addresses": [{"address": "10.77.0.9/24"}]}
        elif binary == "host-local":
            conf["ipam"] = {"type": "host-local", "ranges": [[{"subnet": "10.77.0.0/24"}]], "routes": ROUTES[:1]}
        elif self.chance(0.8):
            conf["ipam"] = self.ipam()
        for key in ("dns", "runtimeConfig", "args", "logLevel", "logFile"):
            if self.chance(0.08):
                conf[key] = self.random.choice(KNOWN[key])
        return conf

    # Mutations

    def mutated(self, request: Request, conf: dict[str, Any], parts: int | None = None) -> Request:
        """Return the request with a few things wrong: configuration, bytes, environment or streams."""
        count = parts if parts is not None else self.random.choice((1, 1, 1, 2, 3))
        tree: Any = json.loads(json.dumps(conf))
        damaged = False
        for _ in range(count):
            what = self.random.random()
            if what < 0.66:
                tree = self.structure(tree)
            elif what < 0.86:
                self.environment(request)
            elif what < 0.93:
                damaged = True
            elif what < 0.97:
                request.streams = self.random.choice(tuple(STREAMS))
            else:
                request.no_children = True
        request.stdin = written(tree).encode("utf-8", "surrogatepass")
        if damaged:
            request.stdin = self.damage(request.stdin)
        return request

    def environment(self, request: Request) -> None:
        """Change a variable."""
        key = self.random.choice(tuple(ENVIRONMENT))
        how = self.random.random()
        if how < 0.15:
            request.variables.pop(key, None)
        elif how < 0.8:
            request.variables[key] = self.random.choice(ENVIRONMENT[key])
        else:
            text = self.random.choice(
                (
                    request.variables.get(key, "")
                    + self.random.choice(("\udcff", "\n", "\x1b[31m", "\u202e", " ", "\t", "\x7f", "/", "\x85")),
                    self.text(),
                    "A" * self.random.choice((1000, 60000, 120000)),
                )
            )
            request.variables[key] = text
        value = request.variables.get(key, "").replace("\0", "")
        # No text of an environment is longer (MAX_ARG_STRLEN), and lone surrogates stand for bytes.
        value = "".join(x for x in value if not 0xD800 <= ord(x) < 0xDC80 and not 0xDD00 <= ord(x) < 0xE000)
        if key in request.variables:
            request.variables[key] = value[:30000]

    def text(self) -> str:
        """Return a string that is odd."""
        how = self.random.random()
        if how < 0.6:
            return self.random.choice(STRINGS)
        if how < 0.75:
            unit = self.random.choice(
                ("a", "/", "../", "\u20ac", "\n", "\\", '"', "\x1b[31m", "\ud800", "\u202e", "0", ",", ";")
            )
            return (unit * self.random.choice((16, 64, 255, 256, 4096, 4097, 65536, LONGEST)))[:LONGEST]
        return "".join(
            chr(self.random.choice((self.random.randrange(1, 128), self.random.randrange(0x80, 0x3000))))
            for _ in range(self.random.randrange(1, 24))
        )

    def value(self) -> Any:
        """Return a value that is odd."""
        how = self.random.random()
        if how < 0.4:
            return self.text()
        if how < 0.6:
            return self.random.choice(NUMBERS)
        if how < 0.7:
            return Raw(self.random.choice(RAW))
        return self.random.choice(
            (None, True, False, [], {}, [[]], [{}], {"": None}, [None], {"a": {"b": {"c": []}}}, "", [0] * 1000)
        )

    def structure(self, tree: Any) -> Any:
        """Return the tree with one thing changed somewhere."""
        places = list(_places(tree))
        if not places:
            return tree if isinstance(tree, Pairs) else self.value()
        holder, key = self.random.choice(places)
        how = self.random.choice(
            ("remove", "twice", "rename", "odd", "odd", "known", "known", "known", "add", "add", "wrap", "many", "near")
        )
        if isinstance(holder, list):
            if how == "remove":
                del holder[key]
            elif how in ("twice", "many"):
                holder.extend([holder[key]] * self.random.choice((1, 1, 2, 300, 3000)))
            elif how == "wrap":
                holder[key] = [holder[key]]
            else:
                holder[key] = self.value()
            return tree
        if how == "remove":
            del holder[key]
        elif how == "rename":
            name = self.random.choice(
                (key.upper(), key + " ", key[:-1], key + "s", self.text()[:100], self.random.choice(tuple(KNOWN)))
            )
            holder[name] = holder.pop(key)
        elif how == "known" and key in KNOWN:
            holder[key] = self.random.choice(KNOWN[key])
        elif how in ("add", "known"):
            name = self.random.choice(tuple(KNOWN))
            holder[name] = self.random.choice(KNOWN[name]) if self.chance(0.8) else self.value()
        elif how == "wrap":
            holder[key] = self.random.choice(([holder[key]], {key: holder[key]}, {"": holder[key]}))
        elif how == "many":
            count = self.random.choice((10, 1000, 10000))
            holder.update({f"{key}{n}": None for n in range(count)})
        elif how == "near" and isinstance(holder[key], str):
            text = holder[key]
            at = self.random.randrange(len(text) + 1)
            holder[key] = text[:at] + self.text()[:300] + text[at + self.random.choice((0, 1)) :]
        elif how == "near" and type(holder[key]) is int:
            holder[key] += self.random.choice((-1, 1, 0.5, 2**31, 2**32))
        elif how == "twice":
            twice = Pairs([*holder.items(), (key, self.value())])
            if holder is tree:
                return twice
            _replace(tree, holder, twice)
        else:
            holder[key] = self.value()
        return tree

    def damage(self, data: bytes) -> bytes:
        """Return bytes with something wrong."""
        at = self.random.randrange(len(data) + 1)
        how = self.random.randrange(9)
        if how == 0:
            return data[:at]
        if how == 1:
            return data[:at] + bytes([self.random.randrange(256)]) + data[at + 1 :]
        if how == 2:
            return data[:at] + self.random.randbytes(self.random.randrange(1, 9)) + data[at:]
        if how == 3:
            return data[:at] + data[at + self.random.randrange(1, 20) :]
        if how == 4:
            return data + self.random.choice((data, b"\0", b"x", b"}", b" " * 100_000, b"\n{}"))
        if how == 5:
            return self.random.choice((b"\xef\xbb\xbf", b"\0", b" " * 100_000, b"\xff\xfe")) + data
        if how == 6:
            return data.decode("utf-8", "replace").encode(self.random.choice(("utf-16", "utf-32", "utf-7")))
        if how == 7:
            return b""
        return data.replace(b'"', b"'") if self.chance(0.5) else data * self.random.choice((2, 50))


def _replace(tree: Any, old: Any, new: Any) -> None:
    """Put something else in the place of a part of a tree."""
    for holder, key in _places(tree):
        if holder[key] is old:
            holder[key] = new
            return


def _places(tree: Any) -> Any:
    """Yield everything in a tree that can be changed: what holds it, and its key or index there."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield tree, key
            yield from _places(value)
    elif isinstance(tree, list):
        for index, value in enumerate(tree[:50]):
            yield tree, index
            yield from _places(value)
