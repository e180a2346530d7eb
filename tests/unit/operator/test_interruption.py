"""Verbs that are told to end, by Ctrl-C, by SIGTERM, or by a terminal that goes away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cni.linux.signals import Deferred, Terminated
from plumbline import interruption
from plumbline.interruption import InterruptedVerbError
from tests.support import disk
from tests.support.command import MODULE
from tests.support.net import Space
from tests.support.plugin import REPOSITORY

pytestmark = pytest.mark.usefixtures("told_to_end")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

PLUGIN = """#!/bin/sh
case $CNI_COMMAND in
VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["1.0.0"]}' ;;
STUCK) echo $$ >"${0%/*}/pid"; exec sleep 600 ;;
*) echo $CNI_COMMAND >>"${0%/*}/asked"; echo it is said >&2; echo '{"cniVersion": "1.0.0"}' ;;
esac
"""


def started(verb: str, stuck: str, pod: Space, folder: Path) -> subprocess.Popen[str]:
    """Begin a verb of a network, and wait until its plugin is stuck at a command."""
    disk.clear()
    (folder / "slow").write_text(PLUGIN.replace("STUCK", stuck))
    (folder / "slow").chmod(0o755)
    (folder / "10.conf").write_text(json.dumps({"cniVersion": "1.0.0", "name": "blue", "type": "slow"}))
    words = [*MODULE, "network", verb, "blue", pod.path, "--conf-dir", str(folder), "--bin-dir", str(folder)]
    process = subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / "pid").exists() or not (folder / "pid").read_text().strip():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


def has_ended(folder: Path) -> bool:
    """Return whether the plugin that was stuck has ended."""
    return not os.path.exists(f"/proc/{(folder / 'pid').read_text().strip()}")


@pytest.mark.parametrize("number", SIGNALS)
def test_network_add(number: signal.Signals, pod: Space, tmp_path: Path) -> None:
    """The plugin that runs is ended, what was done is undone, and that is said."""
    process = started("add", "ADD", pod, tmp_path)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"told to end ({number.name}); eth0 of " in said
    assert said.endswith("is not attached to network blue: what was done has been undone\n")
    assert has_ended(tmp_path)
    assert (tmp_path / "asked").read_text() == "DEL\n"


def test_nobody_reads_it(pod: Space, tmp_path: Path) -> None:
    """What was done is undone although the terminal is gone."""
    process = started("add", "ADD", pod, tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 130
    assert (tmp_path / "asked").read_text() == "DEL\n"


def test_network_del(pod: Space, tmp_path: Path) -> None:
    """The plugin that runs is ended; what is left the same command does."""
    process = started("del", "DEL", pod, tmp_path)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "is not off network blue: the same command goes on" in said
    assert has_ended(tmp_path)


@pytest.mark.parametrize("number", SIGNALS)
def test_terminable(number: signal.Signals) -> None:
    """The first signal is an exception, those after it are ignored, and then it is as it was before."""
    before = [signal.getsignal(x) for x in interruption.SIGNALS]
    with interruption.terminable():
        with pytest.raises(Terminated, match=number.name):
            signal.raise_signal(number)
        for another in interruption.SIGNALS:
            signal.raise_signal(another)
    assert [signal.getsignal(x) for x in interruption.SIGNALS] == before


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_the_engine_defers_it(number: signal.Signals) -> None:
    """Each of them, not only those that plugins know, and also where another thread is there to get it."""
    done = []

    def act() -> None:
        with Deferred():
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            done.append(1)

    with ThreadPoolExecutor(1) as pool, interruption.terminable():
        pool.submit(len, "").result()  # it is there from now on
        with pytest.raises(Terminated, match=number.name):
            act()
    assert done == [1]


def test_nohup() -> None:
    """Who started it wants it to go on when the terminal goes away."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruption.terminable():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_second_one_says_nothing_else() -> None:
    """What the first one has found is what is told, also where one that is terminable surrounds another."""

    def act() -> None:
        with interruption.telling("nothing was changed"):
            try:
                with interruption.telling("it was taken back"):
                    signal.raise_signal(signal.SIGINT)
            finally:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(InterruptedVerbError, match=r"\(SIGINT\); it was taken back"):
        act()


def test_what_stands() -> None:
    """The state of that moment is told."""

    def act() -> None:
        with interruption.telling("nothing was changed") as state:
            state.text = "all is done"
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(InterruptedVerbError, match=r"^told to end \(SIGTERM\); all is done$"):
        act()


def test_deferred() -> None:
    """It comes when that is done which must not stop half-way, also where another thread is there to get it."""
    done = []

    def act() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(len, "").result()  # it is there from now on
            with interruption.deferred():
                os.kill(os.getpid(), signal.SIGHUP)
                time.sleep(0.01)
                done.append(1)

    with interruption.terminable(), pytest.raises(Terminated):
        act()
    assert done == [1]
