"""From a plugin to its IPAM: in-process for the built-in types, else the executable of that name in CNI_PATH.

The node's administrator can have the built-in types executed too (`cni.nodeconfig`).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # as in cni.signals

from cni import nodeconfig
from cni.convert import parse_result, render_result
from cni.errors import DECODING_FAILURE, GENERIC, CniError, invalid_config
from cni.jsontext import JSONError, loads
from cni.result import Result
from ipam import executable
from ipam.host_local.commands import HostLocal
from ipam.static import commands as static

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request
    from ipam.executable import Completed

BUILT_IN = ("host-local", "static")

SHOWN_BYTES = 200
"""How much of an executable's output an error message repeats."""


def is_built_in(conf: NetConf, node_config: str = nodeconfig.PATH) -> bool:
    """Return whether the configuration's IPAM runs in-process. node_config: path of the administrator's file.

    Raises CniError when that file makes no sense.
    """
    return conf.ipam is not None and _type(conf) in BUILT_IN and nodeconfig.load(node_config).builtin_ipam


def validate(request: Request, conf: NetConf, node_config: str = nodeconfig.PATH) -> None:
    """Find out what can be known to be wrong with the IPAM part before anything is changed; without one, nothing is.

    Raises CniError: a type that is neither built in nor in CNI_PATH, or a mistake in a built-in type's configuration.
    """
    if conf.ipam is None:
        return
    if is_built_in(conf, node_config):
        _handlers(conf).validate(request, conf)
    else:
        executable.find(_type(conf), request.path)


def refuse_unrenderable(conf: NetConf) -> None:
    """Refuse a network without IPAM in a version that has no form for a result without addresses, those before 0.3.0.

    Better said now than with the device moved. Raises CniError.
    """
    if conf.ipam is None:
        render_result(Result(), conf.cni_version)


def add(request: Request, conf: NetConf, log: Logger, node_config: str = nodeconfig.PATH) -> Result:
    """Return the addresses, routes and DNS that IPAM gives; there may be no address among them.

    Raises CniError: what IPAM said, with its code, or that it said nothing sensible.
    """
    if is_built_in(conf, node_config):
        result: Result = _handlers(conf).add(request, conf, log)
        return result
    done = _execute("ADD", request, conf, log)
    try:
        if done.cut:
            raise JSONError(f"it is longer than {len(done.stdout)} bytes")
        return parse_result(loads(done.stdout.decode()), conf.cni_version)
    except (UnicodeDecodeError, JSONError, CniError) as e:
        raise CniError(
            DECODING_FAILURE,
            f"cannot understand the result of IPAM plugin {_type(conf)}: {e}",
            f"standard output begins with {_shown(done.stdout)}",
        ) from e


def check(request: Request, conf: NetConf, log: Logger, node_config: str = nodeconfig.PATH) -> None:
    """Have IPAM verify that the attachment still holds its addresses. Raises CniError as `add`."""
    if is_built_in(conf, node_config):
        _handlers(conf).check(request, conf, log)
    else:
        _execute("CHECK", request, conf, log)


def remember(conf: NetConf) -> dict[str, object]:
    return {}


def release_recorded(remembered: dict[str, object], network: str, container_id: str, ifname: str, log: Logger) -> None:
    return


def delete(
    request: Request,
    conf: NetConf,
    log: Logger,
    node_config: str = nodeconfig.PATH,
    attached: bool = True,
    remembered: dict[str, object] | None = None,
) -> None:
    """Release the attachment's addresses, also as the undo of an ADD that failed. Raises CniError as `add`."""
    if conf.ipam is None:
        return
    if is_built_in(conf, node_config):
        _handlers(conf).delete(request, conf, log)
    else:
        _execute("DEL", request, conf, log)


def gc(request: Request, conf: NetConf, log: Logger, node_config: str = nodeconfig.PATH) -> None:
    """Have IPAM release what attachments that are not valid any more hold. Raises CniError as `add`."""
    if is_built_in(conf, node_config):
        _handlers(conf).gc(request, conf, log)
    else:
        _execute("GC", request, conf, log)


def status(request: Request, conf: NetConf, log: Logger, node_config: str = nodeconfig.PATH) -> None:
    """Have IPAM say whether ADD could work. Raises CniError as `add`."""
    if is_built_in(conf, node_config):
        _handlers(conf).status(request, conf, log)
    else:
        _execute("STATUS", request, conf, log)


def _type(conf: NetConf) -> str:
    if conf.ipam is None:
        raise invalid_config("the configuration has no IPAM type")
    return conf.ipam.string("type")


def _handlers(conf: NetConf) -> HostLocal | ModuleType:
    """Return what runs the commands of a built-in type: the same that its own binary runs."""
    return static if _type(conf) == "static" else HostLocal()


def _execute(command: str, request: Request, conf: NetConf, log: Logger) -> Completed:
    """Run the IPAM executable with our environment and standard input as they came, but for the command.

    Raises CniError with the executable's own code and message, or saying how it failed without one.
    """
    name = _type(conf)
    path = executable.find(name, request.path)
    done = executable.run(path, {**request.environ, "CNI_COMMAND": command}, request.stdin)
    for line in done.stderr.decode("utf-8", "replace").splitlines()[:100]:
        log.info(f"{name}: {line}")
    if done.status != 0:
        raise _failure(name, command, done)
    return done


def _failure(name: str, command: str, done: Completed) -> CniError:
    """Return the error that the executable reported, or one that says how it ended."""
    try:
        said = loads(done.stdout.decode())
    except (UnicodeDecodeError, JSONError):
        said = None
    if isinstance(said, dict):
        code, msg, details = said.get("code"), said.get("msg"), said.get("details", "")
        if isinstance(code, int) and isinstance(msg, str) and (code or msg):
            return CniError(code or GENERIC, msg, details if isinstance(details, str) else "")
    how = f"exit status {done.status}" if done.status > 0 else f"killed by {_signal_name(-done.status)}"
    return CniError(
        GENERIC,
        f"IPAM plugin {name} failed at {command}: {how}",
        f"standard output {_shown(done.stdout)}, standard error {_shown(done.stderr)}",
    )


def _signal_name(number: int) -> str:
    names = (name for name in dir(_signal) if name.startswith("SIG") and name[3] != "_")
    return next((name for name in names if getattr(_signal, name) == number), f"signal {number}")


def _shown(output: bytes) -> str:
    cut = "..." if len(output) > SHOWN_BYTES else ""
    return f"{output[:SHOWN_BYTES].decode('utf-8', 'replace')!a}{cut}" if output else "(empty)"
