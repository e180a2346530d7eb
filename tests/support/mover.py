"""The shortest plugin for links: it moves a macvlan, or any virtual link, by its name. See docs/architecture.md."""

from __future__ import annotations

from cni.attach.call import Call
from cni.attach.plugin import Device, Plugin
from cni.linux.netlink import link
from cni.linux.netlink.link import Link, is_name
from cni.protocol.config import NetConf
from cni.protocol.errors import invalid_config
from cni.protocol.section import refused


class NamedLink(Device):
    """A link with a name."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def describe(self) -> str:
        """See `Device`."""
        return f'link "{self._name}"'

    def key(self, call: Call) -> str:
        """See `Device`."""
        return self.link(call).name

    def link(self, call: Call) -> Link:
        """See `Device`."""
        found = link.get(call.host.netlink, name=self._name)
        if found is None:
            raise invalid_config(f"there is no {self.describe()} on the host", "it may be in a pod")
        return found


class Mover(Plugin):
    """Moves a link into a pod, and back."""

    __slots__ = ()

    name = "mover"
    about = "moves a link that has a name into a pod, and back"
    state_folder = "/var/lib/cni/mover"

    def device(self, conf: NetConf, args: str) -> NamedLink:
        """See `Plugin`."""
        name = conf.section.string("link")
        if not is_name(name):
            raise refused("link", name, "the name of a link")
        return NamedLink(name)

    def named(self, conf: NetConf) -> NamedLink | None:
        """See `Plugin`."""
        return self.device(conf, "") if conf.section.has("link") else None
