"""Run on the node of test_boot.py: print, as JSON, what it is like after a boot."""

from __future__ import annotations

import json
import subprocess


def said(*command: str) -> str:
    """Return what a command writes, whatever its exit status."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout


def shown(unit: str, what: str) -> str:
    """Return a property of a unit."""
    return said("systemctl", "show", "--property", what, "--value", unit).strip()


def main() -> None:
    """Look at the unit first: what is tried anew holds the lock that `plumbline apply` needs."""
    state = shown("plumbline", "ActiveState")
    if state != "active":
        subprocess.run(["systemctl", "stop", "plumbline"], check=True)
    node = json.loads(said("plumbline", "vfs", "--json"))
    applied = subprocess.run(["plumbline", "apply", "--json"], stdout=subprocess.PIPE)
    told = {
        "node": node,
        "unit": state,
        "journal": said("journalctl", "--unit", "plumbline", "--output", "cat"),
        "ended": int(shown("plumbline", "ExecMainExitTimestampMonotonic")),
        "runtime began": int(shown("containerd", "ExecMainStartTimestampMonotonic")),
        "apply": json.loads(applied.stdout),
        "applied": applied.returncode,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
