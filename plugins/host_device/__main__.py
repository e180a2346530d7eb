"""The host-device executable. Each command loads only what it needs: DEL, for one, configures no link."""

from __future__ import annotations

from cni import skel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request
    from cni.result import Result


def _add(request: Request, conf: NetConf, log: Logger) -> Result:
    from plugins.host_device.add import add
    from plugins.host_device.claims import Claims

    return add(request, conf, log, Claims(log))


def _delete(request: Request, conf: NetConf, log: Logger) -> None:
    from plugins.host_device.claims import Claims
    from plugins.host_device.delete import delete

    delete(request, conf, log, Claims(log))


def _gc(request: Request, conf: NetConf, log: Logger) -> None:
    from plugins.host_device.claims import Claims
    from plugins.host_device.delete import collect_garbage

    collect_garbage(request, conf, log, Claims(log))


def _check(request: Request, conf: NetConf, log: Logger) -> None:
    from plugins.host_device.check import check
    from plugins.host_device.claims import Claims

    check(request, conf, log, Claims(log))


def _status(request: Request, conf: NetConf, log: Logger) -> None:
    from plugins.host_device.check import status
    from plugins.host_device.claims import Claims

    status(request, conf, log, Claims(log))


PLUGIN = skel.Plugin(
    name="host-device",
    about="moves a device of the host into a pod's network namespace, and back",
    add=_add,
    check=_check,
    delete=_delete,
    gc=_gc,
    status=_status,
)

if __name__ == "__main__":
    skel.main(PLUGIN)
