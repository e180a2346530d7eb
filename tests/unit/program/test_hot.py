"""The list of functions by which an image is laid out is of functions that there are."""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter

import pytest

from program.contents import STANDARD_LIBRARY
from program.hot import FUNCTIONS

LINES = [line.split() for line in FUNCTIONS.splitlines()]
OURS = [(module, name) for module, *names in LINES for name in names if module not in STANDARD_LIBRARY]


@pytest.mark.parametrize("module", sorted({module for module, _ in OURS}))
def test_functions(module: str) -> None:
    """One that was renamed is not hot any more, until `make hot` has listed it anew."""
    for name in (name for of, name in OURS if of == module):
        attrgetter(name)(import_module(module))


@pytest.mark.parametrize("module", ["cni.skel", "ipam.host_local.add", "plugins.host_device.device", "plugins.vf.pf"])
def test_what_usual_requests_run(module: str) -> None:
    """Those to plugins for VFs are among them."""
    assert module in {module for module, _ in OURS}
