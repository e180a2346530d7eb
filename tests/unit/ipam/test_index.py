"""The index of a large store: commands read their own files alone, and nobody's change goes unseen.

| rule | test |
| --- | --- |
| what a command reads does not grow with the store | test_reads_its_own_files_alone |
| whoever changes the folder, in whatever way, is noticed | test_any_change_is_seen |
| what it tells is verified | test_content_changed_in_place |
| a damaged, missing or impossible index is no error | test_damaged_index, test_no_place_for_it, test_coarse_times |
| it tells what the files tell, whatever happened | test_any_history |
| it does not grow for ever | test_made_anew |
"""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from cni.protocol.errors import CniError
from ipam.host_local.index import FOLDER, WORTHWHILE, Index
from ipam.host_local.store import Store
from tests.unit.ipam.calls import Network

FULL = WORTHWHILE + 72


@pytest.fixture
def network(folder: str) -> Network:
    """A network whose store has many addresses of others, and an index."""
    made = Network(folder, subnet="10.1.0.0/16")
    made.add("first")
    for number in range(FULL):
        put(made, f"10.1.8.{number + 1}", f"other{number}")
    made.delete("first")
    assert is_believed(made)
    return made


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the address files that were read."""
    names: list[str] = []
    content = Store._content

    def reading(self: Store, name: str, folder: int) -> bytes | None:
        names.append(name)
        return content(self, name, folder)

    monkeypatch.setattr(Store, "_content", reading)
    return names


def put(network: Network, address: str, container_id: str, ifname: str = "net1") -> None:
    """Take an address as the reference plugin does."""
    Path(network.folder, address).write_bytes(f"{container_id}\r\n{ifname}".encode())


def is_believed(network: Network) -> bool:
    """Return whether there is an index that tells of what the store is now."""
    return Index(network.folder, network.log.logger).load()


def owners(network: Network) -> dict[str, str]:
    """Return what the files say."""
    return {
        name: Path(network.folder, name).read_bytes().decode()
        for name in os.listdir(network.folder)
        if name != "lock" and not name.startswith("last_")
    }


def test_reads_its_own_files_alone(network: Network, read: list[str]) -> None:
    assert network.add("c1") == ["10.1.0.3/16"]  # 10.1.0.2 was given out last
    assert read == []
    network.check("c1", given=["10.1.0.3/16"])
    assert read == ["10.1.0.3"]
    with pytest.raises(CniError, match="duplicate allocation is not allowed"):
        network.add("c1")
    network.delete("c1")
    network.delete("c1")
    network.delete("other7")
    assert read == ["10.1.0.3", "10.1.0.3", "10.1.0.3", "10.1.8.8"]
    assert len(owners(network)) == FULL - 1


def test_a_small_store_has_none(folder: str) -> None:
    network = Network(folder, subnet="10.1.0.0/24")
    network.add("c1")
    network.add("c2")
    assert not is_believed(network)


def test_every_taken_address_is_passed_over(folder: str) -> None:
    """Be there more in a row than are looked up one by one, or fewer."""
    network = Network(folder, subnet="10.1.0.0/16")
    network.add("first")
    for number in range(FULL):
        put(network, f"10.1.0.{number + 10}", f"other{number}")
    network.delete("first")
    given = [network.add(f"c{number}")[0] for number in range(8)]
    assert given == [f"10.1.0.{number}/16" for number in (3, 4, 5, 6, 7, 8, 9, FULL + 10)]


def made(network: Network) -> None:
    put(network, "10.1.0.3", "c1")


def unlinked(network: Network) -> None:
    os.unlink(f"{network.folder}/10.1.8.1")
    put(network, "10.1.8.1", "c1")


def renamed_over(network: Network) -> None:
    put(network, ".new", "c1")
    os.rename(f"{network.folder}/.new", f"{network.folder}/10.1.8.1")


def moved(network: Network) -> None:
    put(network, "10.1.8.1", "c1")
    os.rename(f"{network.folder}/10.1.8.1", f"{network.folder}/10.1.0.3")


def with_its_old_time(network: Network) -> None:
    before = os.stat(network.folder)
    probe = Path(network.folder).parent / "probe"
    probe.touch()
    while probe.stat().st_ctime_ns <= before.st_ctime_ns:  # before Linux 6.13, all that happens in a tick has one time
        probe.touch()
    made(network)
    os.utime(network.folder, ns=(before.st_atime_ns, before.st_mtime_ns))


def restored(network: Network) -> None:
    """Another folder, with the same files, times, and one address more."""
    shutil.copytree(network.folder, f"{network.folder}.copy")
    shutil.rmtree(network.folder)
    os.rename(f"{network.folder}.copy", network.folder)
    with_its_old_time(network)


@pytest.mark.parametrize("change", [made, unlinked, renamed_over, moved, with_its_old_time, restored])
def test_any_change_is_seen(network: Network, change: Callable[[Network], None]) -> None:
    """The address that c1 got from somebody else is c1's, at DEL and at a second ADD; then there is an index again."""
    change(network)
    assert not is_believed(network)
    with pytest.raises(CniError, match="duplicate allocation is not allowed"):
        network.add("c1")
    network.delete("c1")
    assert not any("c1\r" in owner for owner in owners(network).values())
    assert is_believed(network)


def test_content_changed_in_place(network: Network) -> None:
    """The folder does not tell of it. What the index says is another's by now is not released."""
    with open(f"{network.folder}/10.1.8.1", "r+b") as file:
        file.write(b"thief0")
    network.delete("other0")
    assert owners(network)["10.1.8.1"] == "thief0\r\nnet1"


def test_what_cannot_be_looked_for_is_not_free(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with the disk or with memory: somebody may have the address."""
    lstat = os.lstat

    def failing(path: str) -> os.stat_result:
        if path.endswith("/10.1.0.3"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return lstat(path)

    monkeypatch.setattr(os, "lstat", failing)
    with pytest.raises(CniError, match=r"cannot look for .*/10\.1\.0\.3: Input/output error"):
        network.add("c1")
    assert len(owners(network)) == FULL


def unreadable(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    content = Store._content
    monkeypatch.setattr(Store, "_content", lambda *at: None if at[1] == "10.1.8.1" else content(*at))


def empty(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(network.folder, "10.1.8.1").write_text("")


@pytest.mark.parametrize("trouble", [unreadable, empty])
def test_no_index_of_what_was_not_read(
    network: Network, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[Network, pytest.MonkeyPatch], None]
) -> None:
    """One that went on without it would keep the address from its pod's DEL."""
    put(network, "10.1.0.3", "c1")
    with monkeypatch.context() as patch:
        trouble(network, patch)
        network.delete("c1")
    assert not is_believed(network)
    with open(f"{network.folder}/10.1.8.1", "wb") as file:
        file.write(b"other0\r\nnet1")
    network.delete("other0")
    assert "10.1.8.1" not in owners(network)


def place(network: Network) -> Path:
    """Return the path of the index."""
    status = os.stat(network.folder)
    return Path(FOLDER, f"{status.st_dev:x}-{status.st_ino:x}")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(os.urandom(4096)), id="noise"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:300]), id="cut off"),
        pytest.param(lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]), id="another boot"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder"),
        pytest.param(lambda path: (path.unlink(), path.symlink_to("/etc/hostname")), id="a link"),
    ],
)
def test_damaged_index(network: Network, damage: Callable[[Path], object]) -> None:
    damage(place(network))
    assert network.add("c1") == ["10.1.0.3/16"]
    network.check("c1")
    network.delete("c1")
    network.delete("other0")
    assert len(owners(network)) == FULL - 1
    shutil.rmtree(FOLDER)  # what is in the way stays there


def test_no_place_for_it(network: Network) -> None:
    """Nothing is written, nothing fails."""
    shutil.rmtree(FOLDER)
    Path(FOLDER).write_text("a file")
    try:
        assert network.add("c1") == ["10.1.0.3/16"]
        network.delete("c1")
        assert not is_believed(network)
    finally:
        os.unlink(FOLDER)


def test_coarse_times(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that keeps seconds: two changes in one would look alike."""
    utime = os.utime
    monkeypatch.setattr(os, "utime", lambda path, ns: utime(path, ns=(ns[0], ns[1] // 10**9 * 10**9)))
    network.add("c1")
    assert not is_believed(network)


def test_made_anew(network: Network) -> None:
    """Of the addresses that come and go, the index keeps as many as it was made of, and some."""
    sizes = []
    for number in range(500):
        network.add(f"c{number}")
        network.delete(f"c{number}")
        sizes.append(place(network).stat().st_size)
    assert max(sizes) < 3 * sizes[0]
    assert any(after < before for before, after in pairwise(sizes))
    assert len(owners(network)) == FULL


@pytest.mark.parametrize("seed", range(2))
def test_any_history(folder: str, seed: int) -> None:
    """After each of some hundred changes, by us and by others, what an attachment holds is what the files say."""
    chance = random.Random(seed)
    network = Network(folder, subnet="10.1.0.0/23")
    network.add("first")
    for number in range(FULL):
        put(network, f"10.1.0.{number + 10}", f"other{number}")
    for number in range(120):
        put(network, f"10.1.1.{number + 1}", f"c{number % 40}", f"net{number % 3}")
    valid = [(f"c{one}", f"net{other}") for one in range(40) if one != 7 for other in range(3)]
    valid += [(f"other{number}", "net1") for number in range(FULL)]
    believed = 0
    for _ in range(250):
        container, ifname = f"c{chance.randrange(40)}", f"net{chance.randrange(3)}"
        held = [name for name, owner in owners(network).items() if owner in (f"{container}\r\n{ifname}", container)]
        free = f"10.1.1.{chance.randrange(1, 250)}"
        match chance.choice(("ADD", "DEL", "CHECK") * 3 + ("GC", "their ADD", "their DEL", "their old ADD")):
            case "ADD" if held:
                with pytest.raises(CniError, match="duplicate allocation"):
                    network.add(container, ifname)
            case "ADD":
                before = owners(network)
                [address] = network.add(container, ifname)
                assert address.partition("/")[0] not in before
            case "DEL":
                new = [name for name in held if owners(network)[name] != container]
                network.delete(container, ifname)
                assert not any(name in owners(network) for name in new or held)
            case "CHECK" if held:
                network.check(container, ifname)
            case "CHECK":
                with pytest.raises(CniError, match="Failed to find address"):
                    network.check(container, ifname)
            case "GC":
                network.gc(*valid)
            case "their ADD" if free not in owners(network):
                put(network, free, container, ifname)
            case "their old ADD" if free not in owners(network):
                Path(network.folder, free).write_text(container)
            case "their DEL" if held:
                os.unlink(f"{network.folder}/{held[0]}")
        believed += is_believed(network)
    assert believed > 50
