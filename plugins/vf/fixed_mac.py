"""A MAC address that a network gives, when the VF of a pod that has died still has it: two VFs of a PF may not.

Such a pod comes again at once, and the kernel takes its time to bring the old pod's VF back. ADD waits for that, as it
does for a VF of its own. If the VF does not come, only the address is taken from it, at the PF; all else is for whoever
gives it back later.
"""

from __future__ import annotations

import time

from cni.attach.dead import Living
from cni.attach.waiting import PATIENCE_S
from cni.linux.netns import NetNS
from cni.protocol.errors import TRY_AGAIN_LATER, CniError
from plugins.vf import device, transfer
from plugins.vf.attachment import Attachment
from plugins.vf.claims import Claims
from plugins.vf.config import VfConfig
from plugins.vf.device import Device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.linux.log import Logger

POLL_S = 0.05
"""How often, in seconds, it is looked whether the last process of a pod's namespace has ended."""


def await_dead(
    wanted: VfConfig, vf: Device, identity: tuple[str, str, str], host: NetNS, claims: Claims, log: Logger
) -> None:
    """Wait until other VFs of the PF that had the address in pods which are dead are back on the host, PATIENCE_S at
    most. identity: of the attachment that wants it. Raises CniError.
    """
    deadline = time.monotonic() + PATIENCE_S
    for rival in _rivals(wanted, vf, identity, claims):
        # Its path is gone at once; a process of ours that waits for carrier sees that a moment later.
        while not claims.lives(rival) and Living(log).has(rival) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if not claims.lives(rival):
            transfer.is_back(rival, host, max(0.0, deadline - time.monotonic()), claims.sysfs_root)


def take(
    wanted: VfConfig, vf: Device, identity: tuple[str, str, str], host: NetNS, claims: Claims, log: Logger
) -> None:
    """Take the address from other VFs of the PF that dead pods still have. One that a living pod has is said.

    Raises CniError: code 11 when the PF keeps it for such a VF; nothing was changed then.
    """
    for rival in _rivals(wanted, vf, identity, claims):
        if Living(log).has(rival):
            log.warning(
                f"VF {rival.address} of {vf.pf} has the MAC address {wanted.mac}, too: {rival.owner.describe()} asked "
                "for it"
            )
            continue
        with claims.lock(rival.address, PATIENCE_S):
            if claims.load(*rival.owner.identity) is None or transfer.without_mac(rival, host, claims.sysfs_root, log):
                continue
        raise CniError(
            TRY_AGAIN_LATER,
            f"cannot give {wanted.address} the MAC address {wanted.mac}: VF {rival.address} of {vf.pf} has it",
            f"the pod of {rival.owner.describe()} is gone, and the kernel has not given its VF back yet; nothing was "
            "changed",
        )


def _rivals(wanted: VfConfig, vf: Device, identity: tuple[str, str, str], claims: Claims) -> list[Attachment]:
    """Return the recorded attachments of other VFs of the PF that were given the address."""
    return [
        claim
        for claim in claims.load_all(mentioning=wanted.mac)
        if claim.wanted.mac == wanted.mac
        and claim.address != wanted.address
        and claim.owner.identity != identity
        and claim.is_of_this_boot
        and _pf_path(claim.address, claims.sysfs_root) == vf.pf_path
    ]


def _pf_path(address: str, sysfs_root: str) -> str:
    try:
        return device.find(address, sysfs_root, needs_pf=False).pf_path
    except CniError:  # it has been removed
        return ""
