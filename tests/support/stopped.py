"""Let a plugin stop itself at a system call, do something meanwhile, and let it go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from tests.support.faults import Call
from tests.support.net import run
from tests.support.plugin import Attachment, Outcome, binary, environment

LOOKS, PAUSE_S = 2000, 0.01


def at(attachment: Attachment, command: str, call: Call, meanwhile: Callable[[], object], **extra: Any) -> Outcome:
    """Give a command to a plugin that is stopped after a system call until `meanwhile` is over; return its outcome.

    extra: goes on top of the configuration.
    """
    names = attachment.container_id, attachment.netns, attachment.ifname, attachment.args, attachment.path
    prefix = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call.name}", "-e", "signal=none"]
    prefix += ["-e", f"inject={call.name}:signal=SIGSTOP:when={call.number}"]
    process = subprocess.Popen(
        [*prefix, binary(attachment.conf["type"])],
        env=environment(command, *names),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({**attachment.conf, **extra}).encode())
    process.stdin.close()
    process.stdin = None
    plugin = 0
    try:
        plugin = _stopped_child(process)
        meanwhile()
    finally:
        if plugin:
            os.kill(plugin, signal.SIGCONT)
        stdout, stderr = process.communicate()
    return Outcome(process.returncode, stdout, stderr)


def _stopped_child(tracer: subprocess.Popen[bytes]) -> int:
    """Wait until a child of strace is stopped by a signal, and not, as it is at each call, by strace alone."""
    for _ in range(LOOKS):
        assert tracer.poll() is None, "the plugin came to its end without that call"
        for child in run("ps", "-o", "pid=", "--ppid", str(tracer.pid), check=False).split():
            stops = 0
            while stops < 5 and _state(child) in ("t", "T"):
                stops += 1
                time.sleep(PAUSE_S)
            if stops == 5:
                return int(child)
        time.sleep(PAUSE_S)
    raise AssertionError("the plugin did not stop")


def _state(process: str) -> str:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""
