"""The demonstration shows what the README says, and cleans up after itself, also when it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.support.plugin import REPOSITORY, binary

DEMO = os.path.join(REPOSITORY, "scripts", "demo_device")


def _mounts() -> str:
    with open("/proc/self/mounts", encoding="utf-8") as file:
        return file.read()


def test_demo() -> None:
    """From ADD to DEL, with a ping through the device."""
    assert binary("host-device")
    before = _mounts()
    done = subprocess.run([DEMO], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "3 packets transmitted, 3 received" in done.stdout
    steps = ["ADD:", '"address": "10.88.0.2/24"', "CHECK:", "DEL:", "left in /var/lib/cni: none"]
    positions = [done.stdout.index(step) for step in steps]
    assert positions == sorted(positions)
    assert _mounts() == before


def test_interrupted() -> None:
    """Ctrl-C in the middle: no process, no link, no namespace and no mount is left."""
    before = (_mounts(), os.listdir("/sys/class/net"), os.listdir("/run/netns"), os.listdir("/var/lib/cni"))
    demo = subprocess.Popen(
        [DEMO],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        # What a shell runs in the background ignores SIGINT, and so would a demo that is started by it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "icmp_seq=1" in line:
            break
    os.killpg(demo.pid, signal.SIGINT)
    demo.communicate(timeout=60)
    assert demo.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.pid, 0)
    after = (_mounts(), os.listdir("/sys/class/net"), os.listdir("/run/netns"), os.listdir("/var/lib/cni"))
    assert after == before
