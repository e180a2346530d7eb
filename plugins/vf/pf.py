"""Make settings of a VF at its PF, with errors that say which."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from typing import Any

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
                self._send(setting.attribute, setting.value)
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

    def _send(self, attribute: str, value: Any) -> None:
        target = (self.host.netlink, self.pf_index, self.index)
        if attribute == plan.TRUST:
            vf.set_trust(*target, value)
        elif attribute == plan.SPOOFCHK:
            vf.set_spoofchk(*target, value)
        elif attribute == plan.MAC:
            vf.set_mac(*target, value)
        elif attribute == plan.VLAN:
            vf.set_vlan(*target, *value)
        elif attribute == plan.RATES:
            vf.set_rates(*target, *value)
        else:
            vf.set_link_state(*target, value)
