"""Steps that go on after a failure: what is said of each."""

from __future__ import annotations

import pytest

from cni.attach.step import attempt, trying
from cni.linux.netlink.socket import NetlinkError
from cni.protocol.errors import CniError


def refused(question: str) -> NetlinkError:
    """Return the refusal of a question."""
    error = NetlinkError(22, "Invalid argument")
    error.question = question
    return error


@pytest.mark.parametrize(
    ("error", "msg", "details"),
    [
        (CniError(7, "cannot do it", "why"), "cannot do it", "why"),
        (refused("look up link ens5"), "cannot look up link ens5: Invalid argument", "errno 22; the record was kept"),
        (OSError(5, "I/O error"), "the kernel refused a step: I/O error", "errno 5; the record was kept"),
    ],
    ids=["in words", "a question", "a file"],
)
def test_a_failure_is_added(error: Exception, msg: str, details: str) -> None:
    """In its own words, or with what was asked for."""
    errors: list[CniError] = []

    def fail() -> None:
        raise error

    attempt(errors, fail)
    assert [(x.msg, x.details) for x in errors] == [(msg, details)]


@pytest.mark.parametrize(("then", "details"), [("", "errno 22"), ("repeat DEL", "errno 22; repeat DEL")])
def test_what_is_refused_is_said(then: str, details: str) -> None:
    """With what was tried, and with what the kernel said as its cause."""
    error = refused("")
    with pytest.raises(CniError) as caught, trying("bring it up", then):
        raise error
    assert (caught.value.msg, caught.value.details) == ("cannot bring it up: Invalid argument", details)
    assert caught.value.__cause__ is error
