"""The settings that ADD makes at the PF, where its driver knows some of them only."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest

from cni.attach.attachment import Owner
from cni.attach.call import Call
from cni.attach.claims import Claims
from cni.attach.records import Records
from cni.attach.rollback import Rollback
from cni.attach.step import carry_out
from cni.linux.netlink import codec, vf
from cni.linux.netlink.link import IFINFOMSG, Link
from cni.linux.netlink.socket import NetlinkError, NetlinkSocket
from cni.linux.netns import NetNS
from cni.protocol.config import NetConf
from cni.protocol.request import Request
from ipam.delegate import Delegate
from plugins.accelerated_bridge.config import BridgeConfig
from plugins.accelerated_bridge.plugin import AcceleratedBridge
from plugins.accelerated_bridge.port import RepresentorPort
from plugins.vf import plan
from plugins.vf.attachment import VfAttachment
from plugins.vf.pf import Entry
from plugins.vf.plan import SPOOFCHK, TRUST
from tests.support.log import Lines

PF, ADDRESS = 3, "0000:03:00.2"
ATTRIBUTES = {TRUST: vf.IFLA_VF_TRUST, SPOOFCHK: vf.IFLA_VF_SPOOFCHK}


class Driver(NetlinkSocket):
    """A PF whose table has one VF, untrusted and spoof-checked. refuses: switches that the driver shows, but cannot
    set. asked: the attributes that it was asked to set.
    """

    def __init__(self, refuses: list[str]) -> None:
        self.refuses = [ATTRIBUTES[switch] for switch in refuses]
        self.asked: list[int] = []

    def change(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Take a setting or refuse it."""
        ((_, table),) = codec.attributes(body, IFINFOMSG.size)
        ((_, entry),) = codec.attributes(table)
        ((attribute, _),) = codec.attributes(entry)
        self.asked.append(attribute)
        if attribute in self.refuses:
            raise NetlinkError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    def get(self, kind: int, body: bytes, question: str) -> bytes:
        """Return the PF with its table."""
        entry = b"".join(
            codec.attribute(attribute, struct.pack("=II", 0, setting))
            for attribute, setting in ((vf.IFLA_VF_SPOOFCHK, 1), (vf.IFLA_VF_TRUST, 0))
        )
        table = codec.attribute(vf.IFLA_VFINFO_LIST, codec.attribute(vf.IFLA_VF_INFO, entry))
        return IFINFOMSG.pack(0, 0, PF, 0, 0) + table


@pytest.mark.parametrize("refuses", [[], [TRUST], [SPOOFCHK], [TRUST, SPOOFCHK]], ids=lambda x: ", ".join(x) or "none")
def test_a_switch_that_the_driver_shows_and_cannot_set(tmp_path: Path, refuses: list[str]) -> None:
    """ADD goes without it, and says so. By the record, neither CHECK nor DEL asks for it, whatever it is by then."""

    class Here(AcceleratedBridge):
        state_folder = str(tmp_path)

    driver, log = Driver(refuses), Lines()
    entry = Entry(NetNS("host", -1, driver), "ens2f0", PF, ADDRESS, 0)
    wanted = BridgeConfig(ADDRESS)
    wanted.trust, wanted.spoofchk = True, False
    port = RepresentorPort(Link(9, "ens2f0_0"), "br1", {}, 0, "ens2f0", str(tmp_path))
    claim = VfAttachment(Owner("c0ffee", "net1", "blue"), None, wanted, "ens2f0", 0, entry.read())
    claim.beside = port
    plugin, conf = Here(), NetConf({"cniVersion": "1.1.0", "name": "blue", "deviceID": ADDRESS})
    host = NetNS("host", -1, driver)
    call = Call(Request("ADD", "c0ffee", "", "net1"), conf, host, Delegate(), log, Records(plugin, log))
    claims = Claims(plugin, call)
    claims.make(claim)
    device = plugin.device(conf, "")
    device._entry = entry

    steps = device.configuring(claim, call, claims.note)
    assert [step.does for step in steps] == [f"set {x} on VF 0 of ens2f0" for x in ("trust on", "spoofchk off")]
    carry_out(steps, Rollback(log), log)

    assert driver.asked == [ATTRIBUTES[TRUST], ATTRIBUTES[SPOOFCHK]]
    assert log.text("warning").splitlines() == [f"ens2f0 does not support {x}: VF 0 goes without" for x in refuses]
    recorded = call.records.load("c0ffee", "net1", "blue")
    assert isinstance(recorded, VfAttachment)
    assert recorded.table is not None
    assert (recorded.table.trust, recorded.table.spoofchk) == (False, True)
    changed = vf.VF(0)
    changed.trust, changed.spoofchk = True, False
    made = {TRUST, SPOOFCHK}.difference(refuses)
    for one in (claim, recorded):
        assert {x.attribute for x in plan.asked(one.wanted, entry.read())} == made
        assert {x.attribute for x in plan.to_restore(one.wanted, recorded.table, changed)} == made
