"""Who changes PFs is alone: no other one does, and no plugin attaches their VFs meanwhile."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from cni.linux import files
from cni.linux.lock import FileLock
from cni.protocol.errors import TRY_AGAIN_LATER, CniError
from plumbline.errors import Status, VerbError
from plumbline.node.recorded import PLUGINS
from plumbline.prepare.places import Places

NODE_S = 60.0
"""How long, in seconds, to wait for somebody else who changes PFs."""

VF_S = 15.0
"""How long, in seconds, to wait for an ADD or DEL; these take a second or two."""


@contextmanager
def of_node(places: Places, timeout_s: float = NODE_S) -> Iterator[None]:
    """Be the only one who changes PFs or their file. Raises VerbError (3) when another one takes longer than that."""
    files.ensure_folder(os.path.dirname(places.lock), 0o755)
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(places.lock, timeout_s))
        except CniError as e:
            if e.code != TRY_AGAIN_LATER:
                raise
            raise VerbError(
                Status.TIMED_OUT,
                f"somebody else is changing PFs of this node, for more than {timeout_s:g} s; nothing was changed",
                f"{e.details or e}",
            ) from e
        yield


@contextmanager
def of_vfs(addresses: list[str], sysfs_root: str, timeout_s: float = VF_S) -> Iterator[None]:
    """Have no plugin attach or give back these VFs. addresses: theirs, also of some that are yet to come.

    Raises VerbError (4) when a plugin has one for longer than that.
    """
    plugins = [make(sysfs_root) for make in PLUGINS]
    _allow_open_files(len(addresses) * len(plugins))
    with ExitStack() as stack:
        for address in addresses:
            for plugin in plugins:
                try:
                    stack.enter_context(plugin.lock(address, timeout_s))
                except CniError as e:
                    if e.code != TRY_AGAIN_LATER:
                        raise
                    raise VerbError(
                        Status.IN_USE,
                        f"{address} is being attached or given back by {plugin.name}, for more than {timeout_s:g} s; "
                        "nothing was changed",
                        f"{e.details or e}",
                    ) from e
        yield


def _allow_open_files(more: int) -> None:
    """Raise the number of files that may be open, as far as that is allowed: each lock is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = more + 256
    if soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted, hard)
        )
