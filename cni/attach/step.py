"""Steps that say what they do: those of ADD, each with its undo, and those of commands that go on after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cni.attach.rollback import Rollback
from cni.linux.log import Logger
from cni.linux.netlink.socket import RequestError
from cni.protocol.errors import GENERIC, CniError, combined


@dataclass(slots=True, frozen=True)
class Step:
    """One step of ADD. does: what, in the infinitive, as in `move ens5 into the pod as net1`. undos: what takes it
    back, each with what it does, in the order in which they are registered, which is before the step begins.
    """

    does: str
    do: Callable[[], object]
    undos: Sequence[tuple[str, Callable[[], object]]] = ()


def carry_out(steps: Sequence[Step], undo: Rollback, log: Logger) -> None:
    """Do all steps, in order. Raises CniError, which says at which step, and whatever else the step raised."""
    for step in steps:
        for does, function in step.undos:
            undo.push(does, function)
        log.debug(f"step: {step.does}")
        try:
            step.do()
        except CniError as e:
            at = f"failed step: {step.does}"
            e.details = f"{e.details}; {at}" if e.details else at
            raise
        except OSError as e:
            e.add_note(f"failed step: {step.does}")
            raise


@contextmanager
def trying(to: str, then: str = "") -> Iterator[None]:
    """Raise CniError for what the kernel refuses, or does not answer to, in the block. to: what is tried there, in the
    infinitive; then: what becomes of it, for the details.
    """
    try:
        yield
    except RequestError as e:
        raise CniError(GENERIC, f"cannot {to}: {e.strerror}", f"errno {e.errno}" + (f"; {then}" if then else "")) from e


def settle(what: str, errors: list[CniError]) -> None:
    """Raise CniError for all that failed, if anything did. what: as in `errors.combined`."""
    if errors:
        raise combined(what, errors)


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
