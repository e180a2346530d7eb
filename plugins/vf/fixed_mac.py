"""A MAC address that a network gives, when the VF of a pod that has died still has it: two VFs of a PF may not.

Such a pod comes again at once, and the kernel takes its time to bring the old pod's VF back. ADD waits for that, as it
does for a VF of its own. If the VF does not come, only the address is taken from it, at the PF; all else is for whoever
gives it back later.
"""

from __future__ import annotations

import time

from cni.attach.call import Call
from cni.attach.dead import Living
from cni.attach.records import Records
from cni.attach.waiting import PATIENCE_S
from cni.protocol.errors import TRY_AGAIN_LATER, CniError
from plugins.vf import returning, vf
from plugins.vf.attachment import VfAttachment
from plugins.vf.ownership import Ownership
from plugins.vf.vf import Vf

POLL_S = 0.05
"""How often, in seconds, it is looked whether the last process of a pod's namespace has ended."""


class FixedMac:
    """An address that one VF is to have. found: the VF. sysfs_root: where sysfs is mounted."""

    __slots__ = ("_call", "_mac", "_records", "_root", "_vf")

    def __init__(self, mac: str, found: Vf, call: Call, records: Records, sysfs_root: str) -> None:
        self._mac = mac
        self._vf = found
        self._call = call
        self._records = records
        self._root = sysfs_root

    def await_dead(self) -> None:
        """Wait until other VFs of the PF that had the address in pods which are dead are back on the host, PATIENCE_S
        at most. Raises CniError.
        """
        deadline = time.monotonic() + PATIENCE_S
        for rival in self._rivals():
            # Its path is gone at once; a process of ours that waits for carrier sees that a moment later.
            while not self._records.lives(rival) and Living(self._call.log).has(rival) and time.monotonic() < deadline:
                time.sleep(POLL_S)
            if not self._records.lives(rival):
                returning.is_back(rival, self._call.host, max(0.0, deadline - time.monotonic()), self._root)

    def take(self, ownership: Ownership) -> None:
        """Take the address from other VFs of the PF that dead pods still have. One that a living pod has is said.

        Raises CniError: code 11 when the PF keeps it for such a VF; nothing was changed then.
        """
        call, pf, mac = self._call, self._vf.pf, self._mac
        for rival in self._rivals():
            who = rival.owner.describe()
            if Living(call.log).has(rival):
                call.log.warning(f"VF {rival.address} of {pf} has the MAC address {mac}, too: {who} asked for it")
                continue
            with ownership.lock(rival.address, PATIENCE_S):
                is_given_back = self._records.load(*rival.owner.identity) is None
                if is_given_back or returning.without_mac(rival, call.host, self._root, call.log):
                    continue
            raise CniError(
                TRY_AGAIN_LATER,
                f"cannot give {self._vf.address} the MAC address {mac}: VF {rival.address} of {pf} has it",
                f"the pod of {who} is gone, and the kernel has not given its VF back yet; nothing was changed",
            )

    def _rivals(self) -> list[VfAttachment]:
        """Return the recorded attachments of other VFs of the PF that were given the address."""
        return [
            x
            for x in self._records.all(mentioning=self._mac)
            if isinstance(x, VfAttachment)
            and (x.wanted.mac == self._mac and x.address != self._vf.address)
            and (x.owner.identity != self._call.identity and x.is_of_this_boot)
            and self._pf_path(x.address) == self._vf.pf_path
        ]

    def _pf_path(self, address: str) -> str:
        try:
            return vf.find(address, self._root, needs_pf=False).pf_path
        except CniError:  # it has been removed
            return ""
