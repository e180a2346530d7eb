"""From a plugin to its IPAM: in-process for the built-in types, else the executable of that name in CNI_PATH.

The node's administrator can have the built-in types executed too (`ipam.nodeconfig`).

An IPAM executable gets our environment and input as they came, so that one which asks an IPAM plugin in turn would ask
itself, and so on without end, in processes of root. Hence a plugin of ours that was executed as a delegate of ours,
whatever was in between, executes none, which the environment tells it. The plugins that are known to ask one are
refused by name: those that are not ours do not know that variable.
"""

from __future__ import annotations

from contextlib import suppress
from signal import Signals
from types import ModuleType

from cni.attach.step import attempt
from cni.linux.lock import DEPTH
from cni.linux.log import Logger
from cni.protocol.config import NetConf, is_safe_name
from cni.protocol.convert import parse_result, render_result
from cni.protocol.errors import DECODING_FAILURE, GENERIC, CniError, combined, invalid_config
from cni.protocol.jsontext import JSONError, dumps, loads
from cni.protocol.request import Request
from cni.protocol.result import Result
from cni.protocol.section import shown
from ipam import executable, nodeconfig
from ipam.executable import Completed
from ipam.host_local import place
from ipam.host_local.commands import HostLocal
from ipam.host_local.store import LOCK_TIMEOUT_S
from ipam.static import commands as static

NOT_IPAM = frozenset((
    "accelerated-bridge", "bridge", "dummy", "host-device", "ib-sriov", "ipvlan", "macvlan", "ovs", "ptp", "sriov",
    "tap", "vlan",
))  # fmt: skip
"""Plugins that attach interfaces and ask an IPAM plugin for addresses: ours, the reference ones, and others."""

SHOWN_BYTES = 200
"""How much of an executable's output an error message repeats."""


class Delegate:
    """What IPAM does for the engine, which says what each method is for (`cni.attach.call.IPAM`).

    node_config: path of the administrator's file.

    Its methods raise CniError, with an executable's own code and message, or saying that it said nothing sensible.
    """

    __slots__ = ("_host_local", "_node_config")

    def __init__(self, node_config: str = nodeconfig.PATH) -> None:
        self._node_config = node_config
        self._host_local = HostLocal(node_config=node_config)

    def is_built_in(self, conf: NetConf) -> bool:
        return self._built_in(conf) is not None

    def _built_in(self, conf: NetConf) -> HostLocal | ModuleType | None:
        """Return what runs the commands of a built-in type, the same that its own binary runs; None for others."""
        types: dict[str, HostLocal | ModuleType] = {"host-local": self._host_local, "static": static}
        found = types.get(_type(conf))
        return found if found is not None and nodeconfig.load(self._node_config).builtin_ipam else None

    def validate(self, request: Request, conf: NetConf) -> None:
        """Find out what can be known to be wrong with the IPAM part before anything is changed; without one, nothing
        is: a type that is neither built in nor in CNI_PATH, or may not be executed, or a mistake in a built-in type's
        configuration.
        """
        built_in = self._built_in(conf)
        if built_in is not None:
            built_in.validate(request, conf)
        elif conf.ipam is not None:
            _executable(_type(conf), request)

    def refuse_unrenderable(self, conf: NetConf) -> None:
        """Refuse a network without IPAM in a version that has no form for a result without addresses, those before
        0.3.0. Better said now than with the device moved.
        """
        if conf.ipam is None:
            render_result(Result(), conf.cni_version)

    def add(self, request: Request, conf: NetConf, log: Logger) -> Result:
        """Return the addresses, routes and DNS that IPAM gives; there may be no address among them. Which interface an
        address is for is the caller's to say: the indexes of an executable's answer are in its own list, if they mean
        anything, and the reference plugins overwrite them.
        """
        built_in = self._built_in(conf)
        if built_in is not None:
            result: Result = built_in.add(request, conf, log)
            return result
        done = _execute("ADD", _type(conf), request, log)
        try:
            if done.cut:
                raise JSONError(f"it is longer than {len(done.stdout)} bytes")
            given = parse_result(loads(done.stdout.decode()), conf.cni_version)
        except (UnicodeDecodeError, JSONError, CniError) as e:
            raise CniError(
                DECODING_FAILURE,
                f"cannot understand the result of IPAM plugin {_type(conf)}: {e}",
                f"standard output begins with {_shown(done.stdout)}",
            ) from e
        for ip in given.ips:
            ip.interface = None
        return given

    def check(self, request: Request, conf: NetConf, log: Logger) -> None:
        self._serve("CHECK", request, conf, log)

    def gc(self, request: Request, conf: NetConf, log: Logger) -> None:
        self._serve("GC", request, conf, log)

    def status(self, request: Request, conf: NetConf, log: Logger) -> None:
        self._serve("STATUS", request, conf, log)

    def _serve(self, command: str, request: Request, conf: NetConf, log: Logger) -> None:
        """Have IPAM serve a command that has no result."""
        built_in = self._built_in(conf)
        if built_in is not None:
            getattr(built_in, command.lower())(request, conf, log)
        else:
            _execute(command, _type(conf), request, log)

    def delete(
        self, request: Request, conf: NetConf, log: Logger, *, attached: bool = True, remembered: object = None
    ) -> None:
        """Release the attachment's addresses, also as the undo of an ADD that failed; without IPAM there are none.

        attached: whether there is reason to believe that ADD was here, as a record. An executable that is missing is an
        error then, since it alone can give back what it gave; without, it is a warning. remembered: what `remember`
        said at ADD, if the record has it. Where the configuration names no IPAM by now, another type or another store,
        what was remembered is released as well, whatever the rest comes to.
        """
        errors: list[CniError] = []
        built_in = self._built_in(conf)
        if built_in is not None:
            attempt(errors, built_in.delete, request, conf, log)
        elif conf.ipam is not None:
            attempt(errors, _delete, _type(conf), request, log, attached)
        earlier = _believed(remembered, log)
        if earlier and earlier != self.remember(conf):
            attempt(errors, self._delete_remembered, request, conf, earlier, log, attached)
        if errors:
            raise combined(f"release of the addresses of {request.ifname}", errors)

    def _delete_remembered(
        self, request: Request, conf: NetConf, earlier: dict[str, object], log: Logger, attached: bool
    ) -> None:
        """Release what the record remembers, with the configuration as if it had that `ipam`."""
        kind = str(earlier["type"])
        if kind == "static":
            return
        if kind == "host-local" and nodeconfig.load(self._node_config).builtin_ipam:
            self.release_recorded(earlier, (request.container_id, request.ifname, conf.name), log)
            return
        raw = {key: value for key, value in conf.raw.items() if key.lower() != "ipam"}
        stdin = dumps({**raw, "ipam": earlier}, indent=0).encode()
        asked = (request.container_id, request.netns, request.ifname, request.args, request.path, request.environ)
        _delete(kind, Request("DEL", *asked, stdin), log, attached)

    def remember(self, conf: NetConf) -> dict[str, object]:
        """Return what has to be known to release an attachment's addresses without its configuration, for its record:
        the IPAM type, and `dataDir` where host-local has its stores elsewhere than usual. {} without IPAM.
        """
        if conf.ipam is None:
            return {}
        remembered: dict[str, object] = {"type": _type(conf)}
        data_dir = conf.ipam.get("dataDir") if _type(conf) == "host-local" else None
        if isinstance(data_dir, str) and data_dir.rstrip("/") not in ("", place.DEFAULT):
            remembered["dataDir"] = data_dir
        return remembered

    def release_recorded(
        self, remembered: object, identity: tuple[str, str, str], log: Logger, *, timeout_s: float = LOCK_TIMEOUT_S
    ) -> None:
        """Release what an attachment holds in the host-local store that `remembered` tells of; nothing for other types.

        remembered: as `remember` said it, and as a record has it: it is not believed. identity: container ID, interface
        name, network. Nothing is ever created, and only files that name container and interface are removed. timeout_s:
        how long to wait for the store, in seconds. Codes 5 and 11.
        """
        earlier = _believed(remembered, log)
        if earlier.get("type") == "host-local":
            self._host_local.release(str(earlier.get("dataDir", "")), identity, log, timeout_s)


def _believed(remembered: object, log: Logger) -> dict[str, object]:
    """Return what a record remembers of IPAM, {} where it makes no sense."""
    if remembered is None or remembered == {}:
        return {}
    if isinstance(remembered, dict):
        kind, data_dir = remembered.get("type"), remembered.get("dataDir", "")
        if isinstance(kind, str) and is_safe_name(kind) and isinstance(data_dir, str) and "\0" not in data_dir:
            return {"type": kind, **({"dataDir": data_dir} if data_dir else {})}
    log.warning(f"what the record says of IPAM makes no sense: {shown(remembered)}")
    return {}


def _type(conf: NetConf) -> str:
    return conf.ipam.string("type") if conf.ipam is not None else ""


def _delete(kind: str, request: Request, log: Logger, attached: bool) -> None:
    """Have an executable release the attachment's addresses."""
    if kind in NOT_IPAM:
        log.warning(f"{_not_ipam(kind)}; no ADD can have had addresses of it: nothing is released")
        return
    try:
        _executable(kind, request)
    except CniError as e:
        if attached:
            raise
        log.warning(f"{e}; nothing is known of this attachment: nothing is released")
        return
    _execute("DEL", kind, request, log)


def _executable(name: str, request: Request) -> str:
    """Return the path of the executable of a type. Raises CniError: code 7 where it may not be executed, code 999 where
    there is none.
    """
    if name in NOT_IPAM:
        raise _not_ipam(name)
    if request.environ.get(DEPTH, "0") not in ("", "0"):
        raise invalid_config(
            f'ipam.type: "{name}" is not executed: this plugin was itself executed as an IPAM plugin',
            f"{DEPTH} is {request.environ[DEPTH]!a}; a chain of plugins that ask one another for addresses has no end",
        )
    return executable.find(name, request.path)


def _not_ipam(name: str) -> CniError:
    return invalid_config(
        f'ipam.type: "{name}" is not allowed; it must be an IPAM plugin, such as host-local, static or dhcp',
        f"{name} attaches interfaces, and would ask an IPAM plugin in turn, without end",
    )


def _execute(command: str, name: str, request: Request, log: Logger) -> Completed:
    """Run the IPAM executable of a type with our environment and standard input as they came, but for the command and
    DEPTH.

    Raises CniError with the executable's own code and message, or saying how it failed without one.
    """
    path = _executable(name, request)
    done = executable.run(path, {**request.environ, "CNI_COMMAND": command, DEPTH: "1"}, request.stdin)
    for line in done.stderr.decode("utf-8", "replace").splitlines()[:100]:
        log.info(f"{name}: {line}")
    if done.status != 0:
        raise _failure(name, command, done)
    return done


def _failure(name: str, command: str, done: Completed) -> CniError:
    """Return the error that the executable reported, or one that says how it ended."""
    said: object = None
    with suppress(UnicodeDecodeError, JSONError):
        said = loads(done.stdout.decode())
    if isinstance(said, dict):
        code, msg, details = said.get("code"), said.get("msg"), said.get("details", "")
        if isinstance(code, int) and isinstance(msg, str) and (code or msg):
            return CniError(code or GENERIC, msg, details if isinstance(details, str) else "")
    signals = {-known: known.name for known in Signals}
    killer = signals.get(done.status, f"signal {-done.status}")
    how = f"exit status {done.status}" if done.status > 0 else f"killed by {killer}"
    return CniError(
        GENERIC,
        f"IPAM plugin {name} failed at {command}: {how}",
        f"standard output {_shown(done.stdout)}, standard error {_shown(done.stderr)}",
    )


def _shown(output: bytes) -> str:
    cut = "..." if len(output) > SHOWN_BYTES else ""
    return f"{output[:SHOWN_BYTES].decode('utf-8', 'replace')!a}{cut}" if output else "(empty)"
