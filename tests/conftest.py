"""Fixtures for every test, and the private machine that the session runs in."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from tests.support import isolation, net, vfs
from tests.support.net import Space


def pytest_configure(config: pytest.Config) -> None:
    """Enter the private namespaces before the first test; unit tests live there just as well.

    The lab's guest is a private machine already, and its NICs are in the namespace that it began with.
    """
    if not vfs.in_lab():
        isolation.enter()


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A plugin that is about to end ignores signals, also one that was called in this process; what comes after it, and
    what that starts, hears them again.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def told_to_end() -> Iterator[None]:
    """Hear what tells a process to end, and let what is started hear it: nohup(1), or a shell that runs the tests in
    the background, has some of it ignored.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)}
    for number in before:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def make_pod() -> Iterator[Callable[[], Space]]:
    """A function that makes network namespaces, all deleted after the test."""
    spaces: list[Space] = []

    def make() -> Space:
        spaces.append(net.new_space())
        return spaces[-1]

    yield make
    for space in spaces:
        space.delete()


@pytest.fixture
def pod(make_pod: Callable[[], Space]) -> Space:
    """An empty pod."""
    return make_pod()


@pytest.fixture
def make_device() -> Iterator[Callable[..., str]]:
    """A function that makes devices on the host, one end of a veth pair each, all deleted after the test."""
    peers: list[tuple[str, Space | None]] = []

    def make(peer_space: Space | None = None) -> str:
        name, peer = net.new_device(peer_space=peer_space)
        peers.append((peer, peer_space))
        return name

    yield make
    for peer, space in peers:
        (space or net.HOST).ip("link", "del", peer, check=False)


@pytest.fixture
def device(make_device: Callable[..., str]) -> str:
    """The name of a device on the host."""
    return make_device()
