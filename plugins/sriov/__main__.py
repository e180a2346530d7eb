"""The sriov executable."""

from __future__ import annotations

from cni import skel
from plugins.program import program
from plugins.sriov.plugin import Sriov

PROGRAM = program(Sriov())

if __name__ == "__main__":
    skel.main(PROGRAM)
