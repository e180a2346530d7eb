"""What the runtime says in the environment (CNI specification 1.1.0, section "Parameters")."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cni.protocol.config import is_safe_name
from cni.protocol.errors import BAD_ENVIRONMENT, CniError
from cni.protocol.limits import CONTAINER_ID_BYTES, IFNAME_BYTES, PATH_FOLDERS, POD_NAME_BYTES

COMMANDS = ("ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION")

ALWAYS_KNOWN = frozenset(
    ("IgnoreUnknown", "K8S_POD_INFRA_CONTAINER_ID", "K8S_POD_NAME", "K8S_POD_NAMESPACE", "K8S_POD_UID", "MAC")
)
"""Keys of CNI_ARGS that every plugin takes: Kubernetes runtimes send them to all, and MAC is for the plugin that asks
IPAM.
"""


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod that an attachment is for, as Kubernetes knows it; what is not known is empty."""

    namespace: str = ""
    name: str = ""
    uid: str = ""

    def __str__(self) -> str:
        """Return `<namespace>/<name>`, the name alone where there is no more, empty when the pod is not known."""
        return f"{self.namespace}/{self.name}" if self.namespace and self.name else self.name


@dataclass(slots=True)
class Request:
    """One call of the runtime.

    command: one of COMMANDS. container_id, netns (a path), ifname (in the container): empty where the command does not
    need them and the runtime did not say. args: CNI_ARGS as it came. path: the folders that hold plugins.
    pod: what CNI_ARGS says of the pod. environ, stdin: what a delegate gets to see. warnings: what was read leniently.
    """

    command: str
    container_id: str = ""
    netns: str = ""
    ifname: str = ""
    args: str = ""
    path: list[str] = field(default_factory=list)
    environ: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    pod: Pod = field(init=False)
    warnings: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.pod = pod_of(self.args)


def parse(environ: Mapping[str, str]) -> Request:
    """Return the request that the environment describes.

    Raises CniError (code 4) that names all variables that are missing, or the one that is not allowed and its value.
    """
    command = environ.get("CNI_COMMAND", "")
    if command not in COMMANDS:
        raise CniError(BAD_ENVIRONMENT, f"unknown CNI_COMMAND: {ascii(command)[1:-1]}", f"known: {', '.join(COMMANDS)}")
    missing = [variable for variable, commands, _ in VARIABLES if command in commands and not environ.get(variable)]
    if missing:
        raise CniError(BAD_ENVIRONMENT, f"required env variables [{','.join(missing)}] missing", f"command {command}")
    for variable, _, fault in VARIABLES:
        value = environ.get(variable, "")
        # VERSION has no use for any of them, so none can be wrong.
        if value and command != "VERSION" and fault is not None and (reason := fault(value)):
            raise CniError(BAD_ENVIRONMENT, reason, f"{variable}={value!a}")
    found = Request(
        command,
        environ.get("CNI_CONTAINERID", ""),
        environ.get("CNI_NETNS", ""),
        environ.get("CNI_IFNAME", ""),
        environ.get("CNI_ARGS", ""),
        [folder for folder in environ.get("CNI_PATH", "").split(os.pathsep) if folder],
        environ,
    )
    for what, size, limit in (
        ("CNI_CONTAINERID has {} bytes", len(found.container_id), CONTAINER_ID_BYTES),
        ("CNI_PATH names {} folders", len(found.path), PATH_FOLDERS),
    ):
        reason = f"{what.format(size)}; {limit} is the limit"
        if size > limit and command in ("DEL", "VERSION"):  # ADD refused it: there is nothing that DEL might miss
            found.warnings.append(reason)
        elif size > limit:
            raise CniError(BAD_ENVIRONMENT, reason, "nothing was changed")
    del found.path[PATH_FOLDERS:]
    return found


def pod_of(args: str) -> Pod:
    """Return what CNI_ARGS says of the pod. Whatever else is in there, right or wrong, is for others to judge.

    A value that is no name is left out: one with white space, brackets or what is not printable could pass for another
    part of a log line.
    """
    said = dict(pair.partition("=")[::2] for pair in args.split(";"))
    values = [said.get(f"K8S_POD_{key}", "") for key in ("NAMESPACE", "NAME", "UID")]
    return Pod(*(x if len(x) <= POD_NAME_BYTES and _NAME_CHARACTERS.issuperset(x) else "" for x in values))


_NAME_CHARACTERS = frozenset(map(chr, range(0x21, 0x7F))) - frozenset("[]")


def container_id_fault(value: str) -> str:
    """Return what is wrong with a container ID, or an empty string."""
    return "" if is_safe_name(value) else "invalid characters in containerID"


def ifname_fault(value: str) -> str:
    """Return what is wrong with the name of an interface, or an empty string.

    The rules are the kernel's (net/core/dev.c, dev_valid_name) and one more: it takes `%d` for a pattern to fill in.
    """
    if not value:
        return "interface name is empty"
    if value in (".", ".."):
        return "interface name is . or .."
    if len(os.fsencode(value)) > IFNAME_BYTES:
        return f"interface name is too long: more than {IFNAME_BYTES} bytes"
    if any(character in "/:" or character.isspace() for character in value):
        return "interface name contains / or : or whitespace characters"
    if "%" in value or not value.isprintable():
        return "interface name contains % or unprintable characters"
    return ""


VARIABLES: tuple[tuple[str, frozenset[str], Callable[[str], str] | None], ...] = (
    ("CNI_CONTAINERID", frozenset(("ADD", "CHECK", "DEL")), container_id_fault),
    # The runtime may have lost the namespace before DEL. Whether it is one is found out by whoever opens it.
    ("CNI_NETNS", frozenset(("ADD", "CHECK")), None),
    ("CNI_IFNAME", frozenset(("ADD", "CHECK", "DEL")), ifname_fault),
    ("CNI_PATH", frozenset(("ADD", "CHECK", "DEL", "GC", "STATUS")), None),
)
"""Variable; the commands that need it; what says what is wrong with a value, if any can be."""


def parse_args(text: str, known: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return the pairs of CNI_ARGS, `K=V;K=V`, whose keys are known: those given and ALWAYS_KNOWN.

    Raises CniError (code 4) for what is not a pair, and for unknown keys unless IgnoreUnknown is 1 or true.
    """
    pairs: dict[str, str] = {}
    for pair in text.split(";") if text else []:
        key, _, value = pair.partition("=")
        if pair.count("=") != 1:
            raise bad_args(f"invalid pair {pair!a}; it must be KEY=VALUE")
        pairs[key] = value
    known = known | ALWAYS_KNOWN
    unknown = [ascii(key) for key in pairs if key not in known]
    if unknown and not _ignores_unknown(pairs.get("IgnoreUnknown", "0")):
        listed = ", ".join(unknown)
        names = ", ".join(sorted(known, key=str.lower))
        raise bad_args(f"unknown args {listed}; known are {names}, or set IgnoreUnknown=1")
    return {key: value for key, value in pairs.items() if key in known}


def _ignores_unknown(value: str) -> bool:
    if value.lower() not in ("1", "true", "0", "false"):
        raise bad_args(f"invalid value {value!a} of IgnoreUnknown; it must be 1, true, 0 or false")
    return value.lower() in ("1", "true")


def bad_args(reason: str) -> CniError:
    """Return the error (code 4) for what is wrong with CNI_ARGS."""
    return CniError(BAD_ENVIRONMENT, f"CNI_ARGS: {reason}")
