"""From a process with an environment and standard streams to a handler, and back to JSON and an exit status.

Nothing else writes to standard output or chooses the exit status. The order of the checks is that of the reference
plugins: the environment first, then the configuration, then whether its version has the command at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from select import select
from typing import NoReturn

from cni.linux.files import io_failure
from cni.linux.log import Logger
from cni.linux.netlink.socket import RequestError
from cni.linux.signals import Terminated, ignore_termination, raise_on_termination
from cni.protocol import config, errors, request, version
from cni.protocol.config import NetConf
from cni.protocol.convert import render_result
from cni.protocol.errors import CniError, invalid_config, told
from cni.protocol.jsontext import dumps
from cni.protocol.limits import CONFIG_BYTES, DETAILS_CHARACTERS, LATER_CONFIG_BYTES, MESSAGE_CHARACTERS
from cni.protocol.request import Request
from cni.protocol.result import Result
from cni.protocol.section import VALID_ATTACHMENTS, Section

SINCE = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}
"""Commands that younger versions of the specification brought."""

CONFIG_LIMITS = {"ADD": CONFIG_BYTES, "STATUS": CONFIG_BYTES}
"""How long a configuration may be for a command, in bytes; LATER_CONFIG_BYTES for the others."""

NEEDED: dict[str, tuple[str, ...]] = {
    # What GC would have to guess costs a running pod its device or its address.
    "GC": ("name", "cniVersion", "ipam", VALID_ATTACHMENTS),
    "DEL": (),
}
"""Commands that read the configuration leniently, and the members that they cannot do without all the same."""

VERSION_PATIENCE_S = 0.1
"""How long VERSION waits for its optional input, in seconds: a person at a terminal, or over ssh, sends none."""


@dataclass(slots=True, frozen=True)
class Program:
    """What an executable does, and what it is called.

    name: of the executable. about: the line about it. The handlers take (Request, NetConf, Logger); `add` returns the
    result, the others nothing; all raise CniError. check_needs_prev_result: whether CHECK without prevResult is an
    error (an IPAM plugin with a store of its own can do without). has_debug: whether `debug` in the configuration asks
    for the log level debug.
    """

    name: str
    about: str
    add: Callable[[Request, NetConf, Logger], Result]
    check: Callable[[Request, NetConf, Logger], None]
    delete: Callable[[Request, NetConf, Logger], None]
    gc: Callable[[Request, NetConf, Logger], None]
    status: Callable[[Request, NetConf, Logger], None]
    check_needs_prev_result: bool = True
    has_debug: bool = False


def main(program: Program) -> NoReturn:
    """Serve the request that the process was started with, and end the process."""
    raise_on_termination()
    _open_missing_streams()
    status = 1
    try:
        stdout, stderr = open(1, "wb"), open(2, "wb")  # noqa: SIM115  (never closed)
        status = run(program, os.environ, lambda: open(0, "rb", closefd=False), stdout, stderr)  # noqa: SIM115
    finally:
        # Everything is flushed; the interpreter's teardown would only cost time.
        os._exit(status)


def _open_missing_streams() -> None:
    """Keep a socket or file of ours from becoming, say, standard output when the runtime closed that."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is fd


def run(
    program: Program,
    environ: Mapping[str, str],
    stdin: Callable[[], BufferedIOBase],
    stdout: BufferedIOBase,
    stderr: BufferedIOBase,
) -> int:
    """Serve one request and return the exit status: 0, or 1 after an error object was written to stdout.

    Whatever is raised, stdout gets either one JSON document or nothing. stdin: opens standard input.
    """
    if not environ.get("CNI_COMMAND"):
        supported = ", ".join(version.SUPPORTED)
        built = f"Plumbline {program.name} {version.build()}"
        return _write(stderr, f"{program.about}\n{built}\nCNI protocol versions supported: {supported}\n", 0)
    call = _Call(program, environ, Logger(stream=stderr))
    try:
        answer, status = call.serve(stdin), 0
    except BaseException as e:
        answer, status = call.error_object(e), 1
    return _write(stdout, answer, status)


def _write(stream: BufferedIOBase, text: str, status: int) -> int:
    """Write all at once. Return the status, 1 if nobody takes the text any more."""
    try:
        stream.write(text.encode())
        stream.flush()
    except OSError:
        return 1
    return status


class _Call:
    """One request on its way, and what is known about it so far, for the sake of errors."""

    __slots__ = ("cni_version", "command", "environ", "log", "program")

    def __init__(self, program: Program, environ: Mapping[str, str], log: Logger) -> None:
        self.program = program
        self.environ = environ
        self.command = environ["CNI_COMMAND"]
        self.cni_version = version.CURRENT
        self.log = log

    def serve(self, stdin: Callable[[], BufferedIOBase]) -> str:
        """Return what is to be written to standard output."""
        req = request.parse(self.environ)
        if self.command == "VERSION":
            return dumps(version.reply(_version_asked(stdin)), indent=0) + "\n"
        self.log.context = _context(req)
        limit = CONFIG_LIMITS.get(self.command, LATER_CONFIG_BYTES)
        req.stdin = _read(stdin, limit)
        conf = self._configuration(req.stdin, limit)
        is_debug = self.program.has_debug and conf.section.get("debug") is True
        level = conf.section.string("logLevel") or ("debug" if is_debug else "info")
        log = self.log = Logger(level, self.log.stream, conf.section.string("logFile"), _context(req))
        unread = (req.warnings, conf.warnings)
        try:
            _warn(log, unread)
            result = self._dispatch(req, conf, log)
        finally:
            _warn(log, unread)  # of what the command itself wanted to read
        # From here on the outcome is settled: a signal must not make an error of it.
        ignore_termination()
        if result is None:
            return ""
        return dumps(render_result(result, self.cni_version)) + "\n"

    def _configuration(self, data: bytes, limit: int) -> NetConf:
        lenient, needed = self.command in NEEDED, NEEDED.get(self.command, ())
        raw = config.decode(data, limit, lenient)
        if not lenient or "cniVersion" in needed:
            self.cni_version = config.version_of(raw)
            since = SINCE.get(self.command, version.OLDEST)
            if not version.at_least(self.cni_version, since):
                raise CniError(
                    errors.INCOMPATIBLE_VERSION,
                    f"config version does not allow {self.command}",
                    f"cniVersion is {self.cni_version}, {self.command} needs {since} or later",
                )
        conf = config.NetConf(raw, lenient, needed)
        self.cni_version = conf.cni_version
        if self.command in ("ADD", "CHECK"):  # the others have to succeed whatever came before
            conf.read_results()
        if self.command == "CHECK" and self.program.check_needs_prev_result and conf.prev_result is None:
            raise invalid_config("missing prevResult", 'CHECK compares with what ADD gave, in "prevResult"')
        return conf

    def _dispatch(self, req: Request, conf: NetConf, log: Logger) -> Result | None:
        program = self.program
        if self.command == "ADD":
            return program.add(req, conf, log)
        handlers = {"DEL": program.delete, "CHECK": program.check, "GC": program.gc, "STATUS": program.status}
        handlers[self.command](req, conf, log)
        return None

    def error_object(self, error: BaseException) -> str:
        """Return the error as the specification (section "Error") wants it, and log it."""
        ignore_termination()
        cni_error = self._cni_error(error)
        self.log.error(f"{self.command} failed with code {cni_error.code}: {cni_error}")
        document: dict[str, object] = {
            "cniVersion": self.cni_version,
            "code": cni_error.code,
            "msg": told(cni_error.msg, MESSAGE_CHARACTERS),
        }
        if cni_error.details:
            document["details"] = told(cni_error.details, DETAILS_CHARACTERS)
        return dumps(document) + "\n"

    def _cni_error(self, error: BaseException) -> CniError:
        if isinstance(error, CniError):
            return error
        if isinstance(error, Terminated | KeyboardInterrupt):
            first = f"after: {error.__context__}" if isinstance(error.__context__, CniError) else ""
            return CniError(errors.TRY_AGAIN_LATER, f"{self.command} was terminated by {str(error) or 'SIGINT'}", first)
        if self.log.is_debug():
            for line in _stack(error):
                self.log.debug(line)
        about_errno = [f"errno {error.errno}"] if isinstance(error, OSError) else []
        details = "; ".join(about_errno + getattr(error, "__notes__", []))
        if isinstance(error, RequestError):  # a mere question, as a rule: what a change was for, its caller says
            attempted = f"cannot {error.question}" if error.question else "the kernel refused a step"
            return CniError(errors.GENERIC, f"{attempted}: {error.strerror}", details)
        if isinstance(error, OSError):  # no descriptor, no memory: whatever it was for, it is not the plugin's fault
            on = f" on {error.filename}" if error.filename else ""
            return CniError(errors.IO_FAILURE, f"the kernel refused a step{on}: {error.strerror or error}", details)
        if isinstance(error, MemoryError):
            return CniError(errors.TRY_AGAIN_LATER, f"no memory is left for {self.command}", details)
        return CniError(errors.GENERIC, f"{self.program.name} has a fault: {type(error).__name__}: {error}", details)


def _stack(error: BaseException | None) -> list[str]:
    """Return where an error was raised, innermost last, and then the same of the error that it came from.

    The module `traceback` shows lines of the source as well, which a binary does not have.
    """
    lines: list[str] = []
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        lines.append(f"Traceback of {type(error).__name__}: {error}")
        frames = error.__traceback__
        while frames is not None:
            code = frames.tb_frame.f_code
            lines.append(f"  {code.co_filename}, line {frames.tb_lineno}, in {code.co_name}")
            frames = frames.tb_next
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return lines


def _context(req: Request) -> str:
    """Return what log lines carry: whose attachment a request is about."""
    return " ".join(part for part in (req.container_id, req.ifname, str(req.pod)) if part)


def _warn(log: Logger, lists: tuple[list[str], ...]) -> None:
    """Log what was noted, and note it no more."""
    for warnings in lists:
        for text in warnings:
            log.warning(text)
        warnings.clear()


def _read(stdin: Callable[[], BufferedIOBase], limit: int) -> bytes:
    """Return what standard input holds, of which one byte more than the limit is enough. Raises CniError (code 5)."""
    try:
        return stdin().read(limit + 1)
    except OSError as e:  # it may be a directory
        raise io_failure("read", "standard input", e) from e


def _version_asked(stdin: Callable[[], BufferedIOBase]) -> str:
    """Return the cniVersion that came with VERSION, if any did.

    The answer repeats it (specification 1.1.0, section "Version success"). The reference reads no input here and is
    called without any by hand, so that neither silence nor nonsense is an error.
    """
    try:
        stream = stdin()
        return Section(config.decode(stream.read1(CONFIG_BYTES))).string("cniVersion") if _has_input(stream) else ""
    except (OSError, CniError):
        return ""


def _has_input(stdin: BufferedIOBase) -> bool:
    try:
        fd = stdin.fileno()
    except OSError:  # not a file: all of it is in memory
        return True
    return bool(select([fd], [], [], VERSION_PATIENCE_S)[0])
