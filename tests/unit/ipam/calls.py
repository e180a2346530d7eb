"""Requests, configurations and loggers for IPAM handlers, as a runtime would cause them."""

from __future__ import annotations

import io
import json
from typing import Any

from cni.linux.log import Logger
from cni.protocol import config
from cni.protocol.config import NetConf
from cni.protocol.request import Request
from cni.protocol.result import Result
from ipam.host_local.boot import Boot
from ipam.host_local.commands import HostLocal


def request(container_id: str = "c1", ifname: str = "net1", args: str = "", command: str = "ADD") -> Request:
    """Return a request for one attachment."""
    return Request(command, container_id, "/run/netns/pod", ifname, args, [], {}, b"")


def conf(ipam: dict[str, Any], version: str = "1.1.0", **top: Any) -> NetConf:
    """Return the parsed configuration of network `net` with this `ipam`."""
    raw = {"cniVersion": version, "name": "net", "type": "host-device", "ipam": ipam, **top}
    return NetConf(config.decode(json.dumps(raw).encode()))


class Log:
    """A logger and what it wrote."""

    def __init__(self) -> None:
        self._stream = io.BytesIO()
        self.logger = Logger("debug", self._stream)

    @property
    def text(self) -> str:
        """All lines so far."""
        return self._stream.getvalue().decode()


def addresses(result: Result) -> list[str]:
    """Return the addresses of a result with their prefix lengths."""
    return [str(ip.address) for ip in result.ips]


class Network:
    """A host-local network with its store in a folder of the test, and a boot that the test chooses."""

    def __init__(self, folder: str, boot: Boot | None = None, **ipam: Any) -> None:
        self.folder = f"{folder}/net"
        self._data_dir = folder
        self.ipam: dict[str, Any] = {"type": "host-local", **(ipam or {"subnet": "10.1.0.0/29"})}
        self.node_config = f"{folder}.node.json"
        self.handlers = HostLocal(folder, boot, self.node_config)
        self.log = Log()

    def allow(self, **node: Any) -> None:
        """Have the node's administrator say something."""
        with open(self.node_config, "w") as file:
            json.dump(node, file)

    def at(self, boot: Boot) -> Network:
        """Return the same network after a reboot."""
        other = Network(self._data_dir, boot)
        other.ipam = self.ipam
        return other

    def conf(self, **top: Any) -> NetConf:
        """Return the parsed configuration, with more members at the top."""
        return conf(self.ipam, **top)

    def add(self, container_id: str = "c1", ifname: str = "net1", cni_args: str = "", **top: Any) -> list[str]:
        """ADD; return the addresses."""
        return addresses(self.handlers.add(request(container_id, ifname, cni_args), self.conf(**top), self.log.logger))

    def delete(self, container_id: str = "c1", ifname: str = "net1") -> None:
        """DEL."""
        self.handlers.delete(request(container_id, ifname, command="DEL"), self.conf(), self.log.logger)

    def check(self, container_id: str = "c1", ifname: str = "net1", given: list[str] | None = None) -> None:
        """CHECK, with prevResult when addresses are given."""
        top = {"prevResult": {"cniVersion": "1.1.0", "ips": [{"address": one} for one in given]}} if given else {}
        self.handlers.check(request(container_id, ifname, command="CHECK"), self.conf(**top), self.log.logger)

    def gc_without_list(self) -> None:
        """GC as `cnitool gc` gives it."""
        self.handlers.gc(request(command="GC"), self.conf(), self.log.logger)

    def gc(self, *valid: tuple[str, str]) -> None:
        """GC with these attachments as the valid ones."""
        listed = [{"containerID": container_id, "ifname": ifname} for container_id, ifname in valid]
        top = {"cni.dev/valid-attachments": listed}
        self.handlers.gc(request(command="GC"), self.conf(**top), self.log.logger)

    def status(self) -> None:
        """STATUS."""
        self.handlers.status(request(command="STATUS"), self.conf(), self.log.logger)
