"""Namespaces: which paths are a pod's, and being inside one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cni.linux import netns
from cni.linux.netlink import link
from cni.protocol.errors import BAD_ENVIRONMENT, CniError
from tests.support.net import HOST, Space


def own_namespace() -> int:
    """Return the inode of the calling thread's network namespace."""
    return os.stat("/proc/thread-self/ns/net").st_ino


def test_a_pod_is_opened(pod: Space) -> None:
    """The descriptor is the namespace's, the socket is inside, and the thread is where it was."""
    home = own_namespace()
    with netns.of_pod(pod.path) as opened:
        assert os.fstat(opened.fd).st_ino == os.stat(pod.path).st_ino
        assert [entry.name for entry in link.dump(opened.netlink)] == ["lo"]
        assert own_namespace() == home


def test_nothing_stays_open(pod: Space) -> None:
    """Leaving closes both descriptors."""
    before = os.listdir("/proc/self/fd")
    with netns.of_pod(pod.path), netns.own():
        pass
    assert os.listdir("/proc/self/fd") == before


def test_a_process_of_the_pod_names_it(pod: Space) -> None:
    """/proc/PID/ns/net, as container runtimes give it, is as good as a mounted namespace."""
    reader, writer = os.pipe()
    process = os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", f"exec ip netns exec {pod.name} sh -c 'echo; read x'"],
        dict(os.environ),
        file_actions=[(os.POSIX_SPAWN_DUP2, reader, 0), (os.POSIX_SPAWN_CLOSE, writer)],
    )
    os.close(reader)
    try:
        while os.stat(f"/proc/{process}/ns/net").st_ino != os.stat(pod.path).st_ino:
            os.sched_yield()
        with netns.of_pod(f"/proc/{process}/ns/net") as opened:
            assert [entry.name for entry in link.dump(opened.netlink)] == ["lo"]
    finally:
        os.close(writer)
        os.waitpid(process, 0)


def _fifo(folder: Path) -> str:
    os.mkfifo(folder / "fifo")
    return str(folder / "fifo")


def _plain_file(folder: Path) -> str:
    (folder / "file").touch()
    return str(folder / "file")


def _dangling(folder: Path) -> str:
    (folder / "link").symlink_to("nowhere")
    return str(folder / "link")


UNUSABLE: dict[str, tuple[Callable[[Path], str], str]] = {
    "missing": (lambda folder: str(folder / "missing"), "cannot be opened: No such file or directory"),
    "below a file": (lambda folder: _plain_file(folder) + "/net", "cannot be opened: Not a directory"),
    "zeros, as after a power cut": (lambda _: "\0" * 9, "cannot be opened: a path has no NUL"),
    "dangling link": (_dangling, "cannot be opened: No such file or directory"),
    "plain file": (_plain_file, "is not a namespace"),
    "FIFO": (_fifo, "is not a namespace"),
    "folder": (str, "is not a namespace"),
    "device": (lambda _: "/dev/null", "is not a namespace"),
    "socket's process": (lambda _: "/proc/self/status", "is not a namespace"),
    "mount namespace": (lambda _: "/proc/self/ns/mnt", "is a namespace, but not a network namespace"),
    "user namespace": (lambda _: "/proc/self/ns/user", "is a namespace, but not a network namespace"),
    "own": (lambda _: "/proc/self/ns/net", "is the network namespace that the plugin itself runs in"),
    "own, by process": (lambda _: f"/proc/{os.getpid()}/ns/net", "is the network namespace that the plugin itself"),
}


@pytest.mark.parametrize(("make_path", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_paths(tmp_path: Path, make_path: Callable[[Path], str], reason: str) -> None:
    """Code 4, naming CNI_NETNS, its value and what is wrong with it; no descriptor stays open."""
    path = make_path(tmp_path)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(CniError) as caught:
        netns.of_pod(path)
    assert caught.value.code == BAD_ENVIRONMENT
    assert f'CNI_NETNS "{path}"' in caught.value.msg
    assert reason in caught.value.msg
    assert os.listdir("/proc/self/fd") == before


def test_a_namespace_whose_mount_is_gone(pod: Space) -> None:
    """The file that `ip netns` leaves when only its mount is undone is a plain file, and no namespace."""
    os.system(f"umount {pod.path}")
    with pytest.raises(CniError, match="is not a namespace"):
        netns.of_pod(pod.path)


def test_entered(pod: Space) -> None:
    """Inside, the thread is in the pod; afterwards it is back, after an exception too."""
    home = own_namespace()
    with netns.of_pod(pod.path) as opened:
        with opened.entered():
            assert own_namespace() == os.stat(pod.path).st_ino
        assert own_namespace() == home
        with pytest.raises(RuntimeError), opened.entered():
            raise RuntimeError
        assert own_namespace() == home


def test_other_threads_are_not_moved(pod: Space) -> None:
    """A thread that enters a pod takes no other along."""
    seen: list[int] = []
    inside, looked = threading.Event(), threading.Event()

    def look() -> None:
        inside.wait()
        seen.append(own_namespace())
        looked.set()

    thread = threading.Thread(target=look)
    thread.start()
    home = own_namespace()
    with netns.of_pod(pod.path) as opened, opened.entered():
        inside.set()
        looked.wait()
    thread.join()
    assert seen == [home]


def test_own_is_the_callers(device: str) -> None:
    """own() is the namespace of the calling thread."""
    with netns.own() as host:
        assert os.fstat(host.fd).st_ino == os.stat(HOST.path).st_ino
        assert link.get(host.netlink, name=device) is not None
