"""The steps of DEL, which are the same whatever device it is about."""

from __future__ import annotations

from cni.errors import CniError, combined
from ipam import delegate
from plugins.common import information
from plugins.common.steps import attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request


def delete(request: Request, conf: NetConf, log: Logger, give_back: Callable[[], object]) -> None:
    """Release the addresses, always and first, then give the device back. What is gone already counts as done.

    give_back: gives back what the attachment had, as far as its record tells; that stays where it does not work, for
    the next DEL. Raises CniError naming every step that failed, after doing all the others.
    """
    errors: list[CniError] = []
    if conf.ipam is not None:
        attempt(errors, delegate.delete, request, conf, log)
    attempt(errors, give_back)
    information.sweep(conf, log)
    if errors:
        raise combined(f"DEL of {request.ifname}", errors)
