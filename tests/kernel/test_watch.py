"""`plumbline status --watch`: shown is what has changed, and it ends as it should."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import net
from tests.support.command import MODULE
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.watching import hear_ctrl_c, watching

WATCH = (*MODULE, "status", "--watch")
CLEAR = b"\x1b[2J"


def attachment(device: str, pod: Space) -> Attachment:
    """Return the attachment of a device."""
    conf: dict[str, Any] = {"cniVersion": "1.0.0", "name": "blue", "type": "host-device", "device": device}
    return Attachment(conf, net.unique("container"), pod.path)


def test_attachments_are_shown(device: str, pod: Space) -> None:
    """A record that comes, and that goes, is a change each."""
    one = attachment(device, pod)
    with watching(*WATCH, "--json") as watch:
        assert watch.next()["others"] == []
        one.add()
        found = watch.until(lambda document: bool(document["others"]))
        assert [(x["device"], x["owner"]["containerID"]) for x in found["others"]] == [(device, one.container_id)]
        one.delete()
        watch.until(lambda document: not document["others"])


def test_what_changes_nothing_is_not_shown(device: str, pod: Space) -> None:
    """Events of links that are none of ours make no document: the next one is about the attachment."""
    one = attachment(device, pod)
    with watching(*WATCH, "--json") as watch:
        watch.next()
        for _ in range(3):
            HOST.batch("link add passing type veth peer name by", "link del passing")
            time.sleep(0.5)  # longer than events may be quiet: the node has been looked at
        one.add()
        assert [x["device"] for x in watch.next()["others"]] == [device]
        one.delete()


@pytest.mark.parametrize("end", ["Ctrl-C", "reader"])
def test_ends(end: str) -> None:
    """With status 0, without a word, though nothing has happened."""
    with watching(*WATCH, "--json") as watch:
        watch.next()
        if end == "reader":
            watch.close()
        else:
            watch.interrupt(signal.SIGINT)
        assert watch.end() == (0, b"")


def test_on_a_terminal(device: str, pod: Space) -> None:
    """It is cleared before it is written anew."""
    one = attachment(device, pod)
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    variables = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        WATCH, stdin=theirs, stdout=theirs, env=variables, start_new_session=True, preexec_fn=hear_ctrl_c
    ) as process:
        os.close(theirs)
        try:
            assert read(ours, lambda text: b"has no PF" in text).count(CLEAR) == 1
            one.add()
            told = read(ours, lambda text: device.encode() in text)
            assert told.index(CLEAR) < told.index(b"has no PF")
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
            os.close(ours)
    one.delete()


def read(terminal: int, enough: Callable[[bytes], bool]) -> bytes:
    """Return what has been written on a terminal until it is enough."""
    text, deadline = b"", time.monotonic() + 30
    while not enough(text):
        assert select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0], text
        text += os.read(terminal, 1 << 16)
    return text
