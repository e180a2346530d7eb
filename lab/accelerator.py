"""Whether the machine can run on hardware virtualisation (KVM), found out by booting it.

/dev/kvm may be there and not work, as in many a virtual machine: QEMU ends at once, or the guest hangs. The answer is
kept until the host boots again.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.kernel import Prepared
from lab.machine import Machine
from lab.places import CACHE

PROBE_SECONDS = 30
"""How long a boot, and then the end, may take on KVM, which needs a few seconds."""

_ANSWER = CACHE / "kvm"


def has_kvm(kernel: Prepared) -> bool:
    """Return whether the machine boots on KVM with a kernel."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    now = f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {kernel.release}"
    if _ANSWER.exists():
        known, _, answer = _ANSWER.read_text().rpartition(" ")
        if known == now:
            return answer == "works"
    try:
        works = Machine(kernel, kvm=True).run("true", subprocess.DEVNULL, PROBE_SECONDS, PROBE_SECONDS, boots=1) == 0
    except LabError:
        works = False
    _ANSWER.write_text(f"{now} {'works' if works else 'fails'}")
    return works
