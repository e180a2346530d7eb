"""The effective MAC address of a VF: what its link has, as against the administrative one that its PF holds.

Drivers differ in when they let the two meet. iavf applies an address that the PF set some time later, and answers
EAGAIN or EBUSY until then. igbvf takes it when the VF is reset, which is when the link comes up, and until then refuses
even the same address from inside with EADDRNOTAVAIL.
"""

from __future__ import annotations

import errno
import time

from cni.linux.netlink import link
from cni.linux.netlink.socket import NetlinkError, RequestError
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError

ATTEMPTS = 20
INTERVAL_S = 0.1
REPORTING_WHEN_RESET = ("igbvf",)
"""Drivers of VFs that tell the PF their address when the VF is reset, and on no other occasion. One that came to be
while its PF was down could not tell it; nothing reaches it until it does.
"""

NOT_YET = (errno.EAGAIN, errno.EBUSY, errno.EADDRNOTAVAIL)


def set_effective(netns: NetNS, index: int, mac: str) -> None:
    """Give the link this address and make sure that it has it.

    The link is down, and is left so. Raises CniError when it does not get the address within two seconds, or when it is
    not known whether it got it; its cause is what the kernel said.
    """
    reason = "the driver keeps another one"
    cause: RequestError | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(INTERVAL_S)
        current = _address(netns, index)
        if current == mac:
            return
        try:
            link.change(netns.netlink, index, mac=mac)
            if _address(netns, index) == mac:
                return
        except RequestError as e:
            reason, cause = f"{e.strerror} (errno {e.errno})", e
            if e.errno not in NOT_YET:
                break
            if reset(netns, index) == mac:
                return
    raise CniError(
        GENERIC,
        f"cannot set MAC address {mac} on {_name(netns, index)}: {reason}",
        f"it has {_address(netns, index) or 'none'}",
    ) from cause


def reset(netns: NetNS, index: int) -> str:
    """Take the link up and down, which resets the VF; return its address after that, empty when the driver refused it.

    Raises CniError where no answer came: nobody knows then whether the VF was reset, and the link may be up.
    """
    try:
        link.change(netns.netlink, index, up=True)
        link.change(netns.netlink, index, up=False)
    except NetlinkError:
        return ""
    except RequestError as e:
        raise CniError(
            GENERIC, f"cannot reset {_name(netns, index)}: {e.strerror}", f"errno {e.errno}; no answer came"
        ) from e
    return _address(netns, index)


def _address(netns: NetNS, index: int) -> str:
    found = link.get(netns.netlink, index=index)
    return found.mac if found is not None else ""


def _name(netns: NetNS, index: int) -> str:
    found = link.get(netns.netlink, index=index)
    return f"{found.name} in {netns.path}" if found is not None else f"link {index} in {netns.path}"
