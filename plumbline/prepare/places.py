"""Where what this part of the command keeps lies."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from plumbline.node.roots import Roots


@dataclass(frozen=True, slots=True)
class Places:
    """roots: where configuration lies, and what does not outlive a boot."""

    roots: Roots = field(default_factory=Roots)

    @property
    def pfs(self) -> str:
        """The file of the PFs and what they are to be."""
        return self.roots.pfs_file

    @property
    def unit(self) -> str:
        """systemd's unit."""
        return os.path.join(self.roots.etc, "systemd/system/plumbline.service")

    @property
    def unit_wanted(self) -> str:
        """The link by which systemd starts the unit at boot, as `systemctl enable` makes it."""
        return os.path.join(self.roots.etc, "systemd/system/multi-user.target.wants/plumbline.service")

    @property
    def rule(self) -> str:
        """udev's rule for NetworkManager. Its own, which say what it manages, are 85-nm-unmanaged.rules."""
        return os.path.join(self.roots.etc, "udev/rules.d/86-plumbline.rules")

    @property
    def lock(self) -> str:
        """Who changes PFs holds it."""
        return os.path.join(self.roots.run, "plumbline/prepare.lock")

    @property
    def systemd(self) -> str:
        """A folder that is there where systemd is the init (sd_booted(3))."""
        return os.path.join(self.roots.run, "systemd/system")
