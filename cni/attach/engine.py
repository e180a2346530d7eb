"""The engine: what the commands of every plugin do, for the door to call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni.attach import add, check, delete, garbage
from cni.attach.call import Call
from cni.attach.plugin import Plugin
from cni.linux import netns
from cni.linux.log import Logger
from cni.protocol.config import NetConf
from cni.protocol.request import Request
from cni.protocol.result import Result

if TYPE_CHECKING:
    from cni.attach.call import IPAM


class Engine:
    """The commands of one plugin. They raise CniError. ipam: gives addresses."""

    __slots__ = ("_ipam", "_plugin")

    def __init__(self, plugin: Plugin, ipam: IPAM) -> None:
        self._plugin = plugin
        self._ipam = ipam

    def add(self, request: Request, conf: NetConf, log: Logger) -> Result:
        """See `cni.attach.add`."""
        with netns.own() as host:
            return add.add(Call(request, conf, host, self._ipam, log), self._plugin)

    def check(self, request: Request, conf: NetConf, log: Logger) -> None:
        """See `cni.attach.check`."""
        with netns.own() as host:
            check.check(Call(request, conf, host, self._ipam, log), self._plugin)

    def delete(self, request: Request, conf: NetConf, log: Logger) -> None:
        """See `cni.attach.delete`."""
        with netns.own() as host:
            delete.delete(Call(request, conf, host, self._ipam, log), self._plugin)

    def gc(self, request: Request, conf: NetConf, log: Logger) -> None:
        """See `cni.attach.garbage`."""
        with netns.own() as host:
            garbage.collect_garbage(Call(request, conf, host, self._ipam, log), self._plugin)

    def status(self, request: Request, conf: NetConf, log: Logger) -> None:
        """See `cni.attach.check`."""
        with netns.own() as host:
            check.status(Call(request, conf, host, self._ipam, log), self._plugin)
