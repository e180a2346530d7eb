"""The engine: what the commands of every plugin do, for the door to call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from cni.attach import add, check, delete, garbage
from cni.attach.call import Call
from cni.attach.plugin import Plugin
from cni.attach.records import Records
from cni.linux import netns
from cni.linux.log import Logger
from cni.protocol.config import NetConf
from cni.protocol.request import Request

if TYPE_CHECKING:
    from cni.attach.call import IPAM

T = TypeVar("T")


class Engine:
    """The commands of one plugin, which take (Request, NetConf, Logger) and raise CniError. ipam: gives addresses."""

    def __init__(self, plugin: Plugin, ipam: IPAM) -> None:
        def command(run: Callable[[Call, Plugin], T]) -> Callable[[Request, NetConf, Logger], T]:
            def on_host(request: Request, conf: NetConf, log: Logger) -> T:
                with netns.own() as host:
                    return run(Call(request, conf, host, ipam, log, Records(plugin, log)), plugin)

            return on_host

        self.add = command(add.add)
        self.check = command(check.check)
        self.delete = command(delete.delete)
        self.gc = command(garbage.collect_garbage)
        self.status = command(check.status)
