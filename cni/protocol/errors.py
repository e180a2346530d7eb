"""The one exception type that crosses module borders, and the error codes of the CNI specification."""

from __future__ import annotations

# CNI specification 1.1.0, section "Error": codes 1 to 99 are reserved for the specification.
INCOMPATIBLE_VERSION = 1
BAD_ENVIRONMENT = 4
IO_FAILURE = 5
DECODING_FAILURE = 6
INVALID_CONFIG = 7
TRY_AGAIN_LATER = 11
PLUGIN_UNAVAILABLE = 50
# The reference plugins answer with 999 whenever no code of the specification fits; operators' alerts match on it.
GENERIC = 999


class CniError(Exception):
    """A failure that the runtime is told about.

    code: one of the constants above. msg: one sentence for the operator, naming what was attempted, on which device,
    with which value. details: what the kernel or a delegate said, and what state things are in now; may be empty.
    """

    def __init__(self, code: int, msg: str, details: str = "") -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg
        self.details = details

    def __str__(self) -> str:
        return f"{self.msg}; {self.details}" if self.details else self.msg


def escaped(text: str) -> str:
    """Return the text with whatever is not printable written as escapes: control characters, line ends among them,
    those that turn the direction of writing, and halves of surrogate pairs. No input forges a line, or speaks to a
    terminal.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def told(text: str, most: int) -> str:
    """Return the text as it may be told to anybody: escaped, and with its middle left out where it has more than `most`
    characters. What was attempted stands at the beginning, what state things are in at the end.
    """
    if len(text) <= most:
        whole = escaped(text)
        if len(whole) <= most:
            return whole
    said = f" ... (the middle of {len(text)} characters is left out, {most} is the limit) ... "
    room = most - len(said)
    # Escapes make it longer only, and to write those of a megabyte would take a second.
    return escaped(text[:room])[: room - room // 4] + said + escaped(text[-room:])[-(room // 4) :]


def combined(attempt: str, errors: list[CniError]) -> CniError:
    """Return one error for what went wrong in a command that goes on after a failure, with the first one's code.

    attempt: the command in words, such as `DEL of net1`. errors: at least one.
    """
    if len(errors) == 1:
        return errors[0]
    return CniError(errors[0].code, f"{attempt}: {len(errors)} steps failed", "; ".join(str(e) for e in errors))


def invalid_config(msg: str, details: str = "") -> CniError:
    """Return the error for a configuration value that is not allowed (code 7)."""
    return CniError(INVALID_CONFIG, msg, details)
