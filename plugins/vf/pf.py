"""Make settings of a VF at its PF, with errors that say which."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass

from cni.attach.restore import PERMANENT
from cni.linux.log import Logger
from cni.linux.netlink import vf
from cni.linux.netlink.socket import NetlinkError, RequestError
from cni.linux.netlink.vf import VF
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError
from plugins.vf import mac, plan
from plugins.vf.plan import Setting

NO_MAC = "00:00:00:00:00:00"
SETTERS: dict[str, Callable[..., None]] = {
    plan.TRUST: vf.set_trust,
    plan.SPOOFCHK: vf.set_spoofchk,
    plan.MAC: vf.set_mac,
    plan.VLAN: vf.set_vlan,
    plan.RATES: vf.set_rates,
    plan.LINK_STATE: vf.set_link_state,
}


@dataclass(slots=True, frozen=True)
class Entry:
    """A VF's entry in the table of its PF. pf: the name of the PF's link, pf_index its index. vf: its PCI address and
    index, for messages too.
    """

    host: NetNS
    pf: str
    pf_index: int
    address: str
    index: int

    def read(self) -> VF | None:
        """Return the entry, None when the driver does not tell it. Raises CniError."""
        try:
            return vf.get(self.host.netlink, self.pf_index, self.index)
        except RequestError as e:
            if e.errno == errno.EMSGSIZE:  # a table of more than some 330 VFs does not fit into its attribute
                return None
            raise CniError(GENERIC, f"cannot read the VF table of {self.pf}: {e.strerror}", f"errno {e.errno}") from e

    def make(self, setting: Setting, optional: bool = False) -> bool:
        """Make one setting; return whether it was made. A driver that is busy, because the setting before it has reset
        the VF, is asked again.

        optional: whether it may be left out when the driver knows no such setting (EOPNOTSUPP).
        Raises CniError naming attribute, value, VF and PF.
        """
        whose = f"VF {self.index} ({self.address}) of {self.pf}"
        for attempt in range(1, mac.ATTEMPTS + 1):
            try:
                self._send(setting)
                return True
            except RequestError as e:
                if optional and e.errno == errno.EOPNOTSUPP:
                    return False
                if e.errno not in (errno.EAGAIN, errno.EBUSY) or attempt == mac.ATTEMPTS:
                    refused = isinstance(e, NetlinkError)
                    raise CniError(
                        GENERIC,
                        f"cannot set {setting.describe()} on {whose}: {e.strerror}",
                        f"errno {e.errno}; " + (f"the driver of {self.pf} refused it" if refused else "no answer came"),
                    ) from e
            time.sleep(mac.INTERVAL_S)
        return False

    def make_or_warn(self, setting: Setting, log: Logger) -> None:
        """Make a setting what it was before ADD. What is refused for good, as while the PF is down, is a warning.

        Raises CniError, as `make`, for everything else.
        """
        try:
            self.make(setting)
        except CniError as e:
            if not isinstance(e.__cause__, RequestError) or e.__cause__.errno not in PERMANENT:
                raise
            log.warning(f"{e}; it stays as the pod had it")

    def _send(self, setting: Setting) -> None:
        values = setting.value if isinstance(setting.value, tuple) else (setting.value,)
        SETTERS[setting.attribute](self.host.netlink, self.pf_index, self.index, *values)
