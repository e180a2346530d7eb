"""The sriov executable. Each command loads only what it needs: DEL, for one, configures no link."""

from __future__ import annotations

from cni import skel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request
    from cni.result import Result


def _add(request: Request, conf: NetConf, log: Logger) -> Result:
    from plugins.sriov.add import add
    from plugins.sriov.claims import Claims

    return add(request, conf, log, Claims(log))


def _delete(request: Request, conf: NetConf, log: Logger) -> None:
    from plugins.sriov.claims import Claims
    from plugins.sriov.delete import delete

    delete(request, conf, log, Claims(log))


def _gc(request: Request, conf: NetConf, log: Logger) -> None:
    from plugins.sriov.claims import Claims
    from plugins.sriov.delete import collect_garbage

    collect_garbage(request, conf, log, Claims(log))


def _check(request: Request, conf: NetConf, log: Logger) -> None:
    from plugins.sriov.check import check
    from plugins.sriov.claims import Claims

    check(request, conf, log, Claims(log))


def _status(request: Request, conf: NetConf, log: Logger) -> None:
    from plugins.sriov.check import status
    from plugins.sriov.claims import Claims

    status(request, conf, log, Claims(log))


PLUGIN = skel.Plugin(
    name="sriov",
    about="gives an SR-IOV virtual function to a pod, configured through its physical function",
    add=_add,
    check=_check,
    delete=_delete,
    gc=_gc,
    status=_status,
)

if __name__ == "__main__":
    skel.main(PLUGIN)
