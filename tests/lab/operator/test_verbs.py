"""Every verb, as a user types it, through the built binary: here, or elsewhere. What it does in which case the other
modules show, mostly from source, which starts faster than a binary that unpacks itself.
"""

from __future__ import annotations

import json
from pathlib import Path

from plumbline.cli import command
from tests.lab.operator.test_prepare import attachment
from tests.support.command import BINARY, plumbline
from tests.support.net import Space
from tests.support.vfs import PF, VF, lent

ELSEWHERE = {"vfs", "doctor", "setup", "apply", "gc", "release", "network"}
"""What other modules, and tests/boot, run through the built binary."""

LINTED = {"cniVersion": "1.1.0", "name": "blue", "type": "sriov", "vlann": 100}


def test_every_verb(pfs: list[PF], pod: Space, tmp_path: Path) -> None:
    """A pod has the first VF; what would take it from the pod is refused, and the rest is done."""
    pf, vf, spare = pfs[0], pfs[0].vfs[0], pfs[0].vfs[1]
    configuration, written = tmp_path / "blue.conf", tmp_path / "report.tar.gz"
    configuration.write_text(json.dumps(LINTED))
    folder = str(tmp_path)
    steps: list[tuple[int, str, tuple[str, ...]]] = [
        (0, " 1/7/7 ", ("status",)),
        (0, "web/front-1", ("show", f"{pf.name}:0")),
        (0, "web/front-1", ("tree",)),
        (0, "did you mean vlan?", ("lint", str(configuration))),
        (0, str(written), ("report", "-o", str(written))),
        (0, "vfio-pci", ("bind", spare.address, "--driver", "vfio-pci")),
        (0, "bound to the kernel's driver", ("bind", f"{pf.name}:1", "--driver", "default")),
        (4, "is in pod web/front-1", ("bind", f"{pf.name}:0", "--driver", "vfio-pci")),
        (1, "makes no vDPA devices", ("vdpa", "add", f"{pf.name}:1")),
        (1, "there is no PF in", ("wait", "--timeout", "0")),
        (10, "is not in", ("forget", pf.name)),
        (0, "installed", ("install", "--folder", folder, "--only", "static")),
        (0, "_plumbline_completion", ("completion", "bash")),
    ]
    one = attachment(vf, pod)
    with lent(vf):
        one.add()
        for status, text, words in steps:
            said = plumbline(*words, program=BINARY).ended(status)
            assert text in said.stdout + said.stderr, (words, said)
        assert pod.links() == ["net1"]
        one.delete()
    assert VF(pf, 1).driver == "igbvf"
    assert set(command.commands) - ELSEWHERE == {words[0] for _, _, words in steps}
