"""The host-device executable."""

from __future__ import annotations

from cni import skel
from plugins.host_device.add import add
from plugins.host_device.check import check, status
from plugins.host_device.claims import Claims
from plugins.host_device.delete import collect_garbage, delete

PLUGIN = skel.Plugin(
    name="host-device",
    about="moves a device of the host into a pod's network namespace, and back",
    add=lambda request, conf, log: add(request, conf, log, Claims(log)),
    check=lambda request, conf, log: check(request, conf, log, Claims(log)),
    delete=lambda request, conf, log: delete(request, conf, log, Claims(log)),
    gc=lambda request, conf, log: collect_garbage(request, conf, log, Claims(log)),
    status=lambda request, conf, log: status(request, conf, log, Claims(log)),
)

if __name__ == "__main__":
    skel.main(PLUGIN)
