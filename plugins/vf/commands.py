"""A plugin for VFs as `cni.skel` knows it. Each command loads only what it needs: DEL, for one, configures no link."""

from __future__ import annotations

from cni import skel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request
    from cni.result import Result
    from plugins.vf.kind import Kind


def plugin(name: str, about: str, kind: Callable[[], Kind], has_debug: bool = False) -> skel.Plugin:
    """Return the plugin of this name. about: the line about it. kind: loads and makes what is its own. has_debug: as in
    `skel.Plugin`.
    """

    def add(request: Request, conf: NetConf, log: Logger) -> Result:
        from plugins.vf.add import add
        from plugins.vf.claims import Claims

        return add(request, conf, log, Claims(kind(), log))

    def delete(request: Request, conf: NetConf, log: Logger) -> None:
        from plugins.vf.claims import Claims
        from plugins.vf.delete import delete

        delete(request, conf, log, Claims(kind(), log))

    def collect_garbage(request: Request, conf: NetConf, log: Logger) -> None:
        from plugins.vf.claims import Claims
        from plugins.vf.delete import collect_garbage

        collect_garbage(request, conf, log, Claims(kind(), log))

    def check(request: Request, conf: NetConf, log: Logger) -> None:
        from plugins.vf.check import check
        from plugins.vf.claims import Claims

        check(request, conf, log, Claims(kind(), log))

    def status(request: Request, conf: NetConf, log: Logger) -> None:
        from plugins.vf.check import status
        from plugins.vf.claims import Claims

        status(request, conf, log, Claims(kind(), log))

    return skel.Plugin(
        name, about, add=add, check=check, delete=delete, gc=collect_garbage, status=status, has_debug=has_debug
    )
