"""Lines for a person, whoever their words come from."""

from __future__ import annotations

from rich.text import Text

from cni.protocol.errors import escaped
from plumbline import output


def say(text: str, style: str = "") -> None:
    """Print one line. Plugins, records and configurations have a say in what it holds: nothing in it speaks to the
    terminal, and square brackets are no markup.
    """
    output.console().print(Text(escaped(text), style=style), soft_wrap=True)
