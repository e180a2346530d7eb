"""What is left of an attachment that DEL has found no record of."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cni.attach.attachment import Attachment, Owner
from cni.attach.call import Call
from cni.attach.records import Records
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.config import NetConf
from cni.protocol.request import Request
from cni.protocol.section import Section
from ipam.delegate import Delegate
from plugins.sriov.plugin import Sriov
from tests.support.log import Lines
from tests.support.messages import Recorder
from tests.support.mover import Mover

IDENTITY = ("c0ffee", "net1", "blue")
NAME = "c0ffee-net1"


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Of a plugin whose folder is the test's own."""

    class Here(Mover):
        state_folder = str(tmp_path)

    return Records(Here(), Lines())


def attached() -> Attachment:
    """Return an attachment of a link."""
    return Attachment(Owner(*IDENTITY), Link(7, "ens5"))


def test_a_record_of_our_own_form(records: Records) -> None:
    """It says all that the engine needs, and comes back as it was."""
    made = attached()
    assert made.original is not None
    made.original.mac, made.original.mtu, made.original.kind = "02:00:00:00:00:01", 1500, "macvlan"
    made.original.altnames, made.master, made.pod_index = ["enp1s0"], "br0", 9
    records.save(made, Section({}))
    found = records.load(*IDENTITY)
    assert found is not None
    assert vars_of(found.owner) == vars_of(made.owner)
    assert (found.master, found.pod_index, found.is_ours, found.key) == ("br0", 9, True, "ens5")
    assert found.original is not None
    assert vars_of(found.original) == vars_of(made.original)


def vars_of(value: object) -> dict[str, object]:
    """Return the attributes of an object with slots."""
    return {name: getattr(value, name) for name in type(value).__dict__["__slots__"] if hasattr(value, name)}


LEFT = {"damaged": NAME, "not finished": f".tmp-{NAME}", "a lock of a killed ADD": f"adding/{NAME}"}


@pytest.mark.parametrize("path", LEFT.values(), ids=LEFT)
def test_remains(tmp_path: Path, records: Records, path: str) -> None:
    """They go."""
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_bytes(b"{")
    assert records.forget_remains(*IDENTITY) is False
    assert not os.path.lexists(tmp_path / path)


def test_no_regular_file(tmp_path: Path, records: Records) -> None:
    """Nobody can ever read it."""
    (tmp_path / NAME).symlink_to("/dev/null")
    assert records.forget_remains(*IDENTITY) is False
    assert not os.path.lexists(tmp_path / NAME)


def test_nothing(tmp_path: Path, records: Records) -> None:
    """Nothing is made to look for it."""
    assert records.forget_remains(*IDENTITY) is False
    assert os.listdir(tmp_path) == []


def test_a_record_that_an_add_has_just_written(tmp_path: Path, records: Records) -> None:
    """It stays: DEL is to give back what it tells of."""
    records.save(attached(), Section({}))
    assert records.forget_remains(*IDENTITY) is True
    assert NAME in os.listdir(tmp_path)


def test_an_add_is_at_work(tmp_path: Path, records: Records) -> None:
    """What it has written so far is left to it."""
    (tmp_path / NAME).write_bytes(b"{")
    with records.store.adding("c0ffee", "net1"):
        assert records.forget_remains(*IDENTITY) is False
    assert NAME in os.listdir(tmp_path)


def test_del_that_has_waited_for_an_add(tmp_path: Path) -> None:
    """It has found no record of a VF, and got the VF's lock when an ADD had ended: it is told of the new one."""

    class Here(Sriov):
        state_folder = str(tmp_path)

    plugin, log = Here(), Lines()
    record = {"containerID": "c0ffee", "ifName": "net1", "name": "blue", "deviceID": "0000:03:00.2"}
    (tmp_path / NAME).write_text(json.dumps({**record, "OrigVfState": {"HostIFName": "ens2f0v0"}}))
    conf = NetConf({"cniVersion": "1.1.0", "name": "blue", "deviceID": "0000:03:00.2"})
    call = Call(
        Request("DEL", "c0ffee", "/run/netns/gone", "net1"),
        conf,
        NetNS("host", -1, Recorder()),
        Delegate(),
        log,
        Records(plugin, log),
    )
    assert plugin.release_unrecorded(call, was_recorded=False) is True
    assert NAME in os.listdir(tmp_path)
