"""A plugin for VFs as `cni.skel` knows it."""

from __future__ import annotations

from cni import skel
from plugins.vf.add import add
from plugins.vf.check import check, status
from plugins.vf.claims import Claims
from plugins.vf.delete import collect_garbage, delete

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plugins.vf.kind import Kind


def plugin(name: str, about: str, kind: Kind, has_debug: bool = False) -> skel.Plugin:
    """Return the plugin of this name. about, has_debug: as in `skel.Plugin`. kind: what is its own."""
    return skel.Plugin(
        name,
        about,
        add=lambda request, conf, log: add(request, conf, log, Claims(kind, log)),
        check=lambda request, conf, log: check(request, conf, log, Claims(kind, log)),
        delete=lambda request, conf, log: delete(request, conf, log, Claims(kind, log)),
        gc=lambda request, conf, log: collect_garbage(request, conf, log, Claims(kind, log)),
        status=lambda request, conf, log: status(request, conf, log, Claims(kind, log)),
        has_debug=has_debug,
    )
