"""Steps of a command that goes on after a failure: DEL and GC do what they can, then say what they could not."""

from __future__ import annotations

from cni.linux.netlink.socket import RequestError
from cni.protocol.errors import GENERIC, CniError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def attempt(errors: list[CniError], function: Callable[..., object], *arguments: object, **options: object) -> None:
    """Call the function; its failure is added to the errors and is no reason to leave the other steps undone."""
    try:
        function(*arguments, **options)
    except CniError as e:
        errors.append(e)
    except OSError as e:
        attempted = "the kernel refused a step"
        if isinstance(e, RequestError) and e.question:
            attempted = f"cannot {e.question}"
        errors.append(CniError(GENERIC, f"{attempted}: {e.strerror}", f"errno {e.errno}; the record was kept"))
