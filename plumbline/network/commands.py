"""The commands of a runtime for a whole network: its plugins in turn (specification 1.1.0, section 3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cni.protocol.errors import CniError
from cni.protocol.version import OLDEST
from plumbline.errors import Status, VerbError
from plumbline.network import invoke
from plumbline.network.attachment import NOBODY, Attachment
from plumbline.network.cache import Cache, Cached
from plumbline.network.configuration import Document, NetworkList
from plumbline.network.invoke import Ran

CHECK_SINCE, PREV_RESULT_SINCE, GC_SINCE, STATUS_SINCE = "0.4.0", "0.4.0", "1.1.0", "1.1.0"
"""The versions of the specification that brought CHECK, prevResult for DEL, GC and STATUS."""

VALID = ("cni.dev/valid-attachments", "cni.dev/attachments")
"""What GC calls the list of valid attachments; the second is a slip of the specification's, and libcni sends both."""


@dataclass(slots=True)
class Network:
    """A network that commands are given to. folders: of plugins. heard: is told of each run as soon as it has ended.
    environ: what plugins get besides what is said to them.
    """

    conf: NetworkList
    folders: list[str]
    cache: Cache
    heard: Callable[[Ran], None] = field(default=lambda _: None)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def find_all(self) -> None:
        """Make sure that all plugins are there before one is executed. Raises VerbError."""
        for plugin in self.conf.plugins:
            invoke.find(str(plugin["type"]), self.folders)

    def require_versions(self) -> None:
        """Make sure that all plugins speak the network's version: one that does not would be found out by an ADD that
        has to be undone. Raises VerbError.
        """
        version = self.conf.version or OLDEST
        for kind in (str(plugin["type"]) for plugin in self.conf.plugins):
            spoken = invoke.speaks(kind, self.folders, self.environ)
            if spoken and version not in spoken:
                raise VerbError(
                    Status.FAILURE,
                    f"{invoke.find(kind, self.folders)} does not speak version {version} of network {self.conf.name}; "
                    f"it speaks {', '.join(spoken)}; nothing was done",
                    "an older cniVersion in the configuration, or a newer plugin",
                )

    def run(self, plugin: Document, command: str, attachment: Attachment, **more: object) -> Ran:
        """Execute one plugin with what the network and the runtime add to its configuration; None is left out."""
        whole = {**plugin, "name": self.conf.name, "cniVersion": self.conf.version}
        whole.update((key, value) for key, value in more.items() if value is not None)
        declared = plugin.get("capabilities")
        wanted = [key for key, value in declared.items() if value is True] if isinstance(declared, dict) else []
        given = {key: attachment.capabilities[key] for key in wanted if key in attachment.capabilities}
        if given:
            whole["runtimeConfig"] = given
        ran = invoke.run(whole, command, attachment, self.folders, self.environ)
        self.heard(ran)
        return ran

    def prev_result(self, cached: Cached | None) -> Document | None:
        """Return the cached result in the network's version. Raises CniError where it cannot be had in that."""
        if cached is None or cached.result is None:
            return None
        return invoke.as_version(cached.result, self.conf.version)


def add(network: Network, attachment: Attachment) -> Ran:
    """ADD in order, each plugin with the result of the one before; the last one's is cached. Return the last run, which
    failed or has the result. Raises CniError (code 5) where that could not be cached.
    """
    result: Document | None = None
    for plugin in network.conf.plugins:
        ran = network.run(plugin, "ADD", attachment, prevResult=result)
        if not ran.is_good:
            return ran
        result = ran.result
    network.cache.save(Cached(network.conf.name, attachment, network.conf.source, result))
    return ran


def check(network: Network, attachment: Attachment, cached: Cached | None) -> Ran | None:
    """CHECK in order, each with the result of ADD. Return the run that failed, None if all is well. Raises CniError."""
    result = network.prev_result(cached)
    runs = (network.run(plugin, "CHECK", attachment, prevResult=result) for plugin in network.conf.plugins)
    return next((ran for ran in runs if not ran.is_good), None)


def delete(network: Network, attachment: Attachment, cached: Cached | None) -> Ran | None:
    """DEL in reverse, until one fails; when none has, the cache forgets the attachment. Return the run that failed."""
    result = _prev_result_of_delete(network, cached)
    for plugin in reversed(network.conf.plugins):
        ran = network.run(plugin, "DEL", attachment, prevResult=result)
        if not ran.is_good:
            return ran
    network.cache.forget(network.conf.name, attachment)
    return None


def undo(network: Network, attachment: Attachment) -> list[Ran]:
    """DEL in reverse, of all plugins, after an ADD that failed, as a runtime gives it. Return the runs that failed."""
    runs = [network.run(plugin, "DEL", attachment) for plugin in reversed(network.conf.plugins)]
    network.cache.forget(network.conf.name, attachment)
    return [ran for ran in runs if not ran.is_good]


def collect_garbage(network: Network, valid: Iterable[Attachment]) -> list[Ran]:
    """GC, with the attachments that are valid. Return the runs that failed."""
    listed = [{"containerID": x.container_id, "ifname": x.ifname} for x in valid]
    runs = [network.run(plugin, "GC", NOBODY, **dict.fromkeys(VALID, listed)) for plugin in network.conf.plugins]
    return [ran for ran in runs if not ran.is_good]


def status(network: Network) -> Ran | None:
    """STATUS in order. Return the first run that failed."""
    runs = (network.run(plugin, "STATUS", NOBODY) for plugin in network.conf.plugins)
    return next((ran for ran in runs if not ran.is_good), None)


def _prev_result_of_delete(network: Network, cached: Cached | None) -> Document | None:
    """A result that makes no sense must not keep anything attached: DEL goes without then, as libcni's does."""
    if not network.conf.is_at_least(PREV_RESULT_SINCE):
        return None
    try:
        return network.prev_result(cached)
    except CniError:
        return None
