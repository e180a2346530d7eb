"""A MAC address that a network gives, when the VF of a pod that has died still has it: two VFs of a PF may not.

Such a pod comes again at once, and the kernel takes its time to bring the old pod's VF back. ADD waits for that, as it
does for a VF of its own. If the VF does not come, only the address is taken from it, at the PF; all else is for whoever
gives it back later.
"""

from __future__ import annotations

import time

from cni.attach.call import Call
from cni.attach.dead import Living
from cni.attach.waiting import PATIENCE_S
from cni.protocol.errors import TRY_AGAIN_LATER, CniError
from plugins.vf import returning, vf
from plugins.vf.attachment import VfAttachment
from plugins.vf.ownership import Ownership
from plugins.vf.vf import Vf

POLL_S = 0.05
"""How often, in seconds, it is looked whether the last process of a pod's namespace has ended."""


def await_dead(mac: str, found: Vf, call: Call, sysfs_root: str) -> None:
    """Wait until other VFs of the PF that had the address in pods which are dead are back on the host, PATIENCE_S at
    most. found: the VF that is to have it. Raises CniError.
    """
    deadline = time.monotonic() + PATIENCE_S
    for rival in _rivals(mac, found, call, sysfs_root):
        # Its path is gone at once; a process of ours that waits for carrier sees that a moment later.
        while not call.records.lives(rival) and Living(call.log).has(rival) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if not call.records.lives(rival):
            returning.is_back(rival, call.host, max(0.0, deadline - time.monotonic()), sysfs_root)


def take(mac: str, found: Vf, call: Call, plugin: Ownership) -> None:
    """Take the address from other VFs of the PF that dead pods still have. One that a living pod has is said.

    Raises CniError: code 11 when the PF keeps it for such a VF; nothing was changed then.
    """
    for rival in _rivals(mac, found, call, plugin.sysfs_root):
        who = rival.owner.describe()
        if Living(call.log).has(rival):
            call.log.warning(f"VF {rival.address} of {found.pf} has the MAC address {mac}, too: {who} asked for it")
            continue
        with plugin.lock(rival.address, PATIENCE_S):
            is_given_back = call.records.load(*rival.owner.identity) is None
            if is_given_back or returning.without_mac(rival, call.host, plugin.sysfs_root, call.log):
                continue
        raise CniError(
            TRY_AGAIN_LATER,
            f"cannot give {found.address} the MAC address {mac}: VF {rival.address} of {found.pf} has it",
            f"the pod of {who} is gone, and the kernel has not given its VF back yet; nothing was changed",
        )


def _rivals(mac: str, found: Vf, call: Call, sysfs_root: str) -> list[VfAttachment]:
    """Return the recorded attachments of other VFs of the PF that were given the address."""
    return [
        x
        for x in call.records.all(mentioning=mac)
        if isinstance(x, VfAttachment)
        and (x.wanted.mac == mac and x.address != found.address)
        and (x.owner.identity != call.identity and x.is_of_this_boot)
        and _pf_path(x.address, sysfs_root) == found.pf_path
    ]


def _pf_path(address: str, sysfs_root: str) -> str:
    try:
        return vf.find(address, sysfs_root, needs_pf=False).pf_path
    except CniError:  # it has been removed
        return ""
