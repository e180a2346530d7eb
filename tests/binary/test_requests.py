"""Requests that nobody would make get an answer, change nothing where they are refused, and are undone by DEL.

FAULTS 3.5 (DEL of what ADD took or refused), 4 (processes), 5 (files) and 6 (quantity, text) as one property, for all
five binaries. `tests.support.requests` says what is compared after each request, `tests.support.mutations` what is
mutated. `make fuzz` tries twenty times as many, from a new seed each time.
"""

from __future__ import annotations

import unicodedata

import pytest

from tests.support import requests
from tests.support.mutations import Request
from tests.support.requests import Ended

SEED = 16
REQUESTS = 1_000


def test_mutated_requests(capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand, always the same; two processes with a host each."""
    report = requests.attempt(SEED, REQUESTS)
    with capsys.disabled():
        print(f"\n{report.summary()}")
    if report.failures:
        pytest.fail(report.complaint(), pytrace=False)
    assert report.requests >= REQUESTS
    # Where all is refused, little is proven.
    assert report.counts["ADD done"] > REQUESTS / 20
    assert report.counts["CHECK done"] > 0


def error(text: str, **more: str) -> bytes:
    """Return an error object, as a plugin writes it."""
    members = "".join(f', "{key}": "{value}"' for key, value in more.items())
    return f'{{"cniVersion": "1.1.0", "code": 7, "msg": "{text}"{members}}}'.encode()


FAULTY: dict[str, tuple[Ended, str]] = {
    "a signal": (Ended(-11, b"", b"", 0, 0, ""), "exit status"),
    "another exit status": (Ended(2, error("x"), b"", 0, 0, ""), "exit status"),
    "killed": (Ended(-9, b"", b"", 0, 0, "not over"), "killed"),
    "CPU time": (Ended(0, b"{}", b"", 2.5, 3, ""), "too slow"),
    "no JSON": (Ended(1, b"oops", b"", 0, 0, ""), "no JSON"),
    "two documents": (Ended(1, error("x") * 2, b"", 0, 0, ""), "no JSON"),
    "no answer": (Ended(1, b"", b"", 0, 0, ""), "no answer"),
    "no result": (Ended(0, b"", b"", 0, 0, ""), "no answer"),
    "a fault": (Ended(1, error("sriov has a fault: KeyError"), b"", 0, 0, ""), "a fault of ours"),
    "a traceback": (Ended(0, b"{}", b"Traceback of KeyError", 0, 0, ""), "a fault of ours"),
    "half an error": (Ended(1, b'{"code": 7}', b"", 0, 0, ""), "no error object"),
    "a long message": (Ended(1, error("x" * 5000), b"", 0, 0, ""), "msg too long"),
    "long details": (Ended(1, error("x", details="x" * 5000), b"", 0, 0, ""), "details too long"),
    "a line break": (Ended(1, error("a\\nb"), b"", 0, 0, ""), "control characters in msg"),
    "an escape": (Ended(1, error("x", details="\\u001b[2J"), b"", 0, 0, ""), "control characters in details"),
    "a C1 control": (Ended(1, error("\\u009b31m"), b"", 0, 0, ""), "control characters in msg"),
    "bidirectional text": (Ended(1, error("\\u202etxt.exe"), b"", 0, 0, ""), "control characters in msg"),
    "a surrogate": (Ended(1, error("\\ud800"), b"", 0, 0, ""), "control characters in msg"),
    "an escape in a log line": (Ended(0, b"{}", b"info \x1b[2J\n", 0, 0, ""), "control characters on stderr"),
}


@pytest.mark.parametrize(("ended", "kind"), FAULTY.values(), ids=FAULTY)
def test_what_is_wrong_is_seen(ended: Ended, kind: str) -> None:
    """Each kind of fault in an answer is known for what it is."""
    request = Request("sriov", {"CNI_COMMAND": "ADD"}, b"{}")
    assert kind in [found for found, _ in requests.wrong(request, ended)]


def test_what_is_right_is_not_complained_about() -> None:
    """A result, an error in words of any language, and nothing from a command that has no answer."""
    for command, ended in (
        ("ADD", Ended(0, b'{"cniVersion": "1.1.0"}\n', b"2026-11-30T03:15:27.519Z info done\n", 0.01, 0.1, "")),
        ("ADD", Ended(1, error("kein Ger\\u00e4t"), b"", 0.01, 0.1, "")),
        ("DEL", Ended(0, b"", b"", 0.01, 0.1, "")),
    ):
        assert list(requests.wrong(Request("sriov", {"CNI_COMMAND": command}, b"{}"), ended)) == []
    assert unicodedata.category("\u202e") == "Cf"
