"""What goes wrong in preparing or running the machine."""

from __future__ import annotations


class LabError(Exception):
    """The machine cannot be prepared or run; the message says what was attempted and what to do."""


class BrokeDownError(LabError):
    """The machine ended while the command ran: it says nothing about the command."""


class NeverReadyError(LabError):
    """The machine ended before its guest was ready."""
