"""How much of anything is taken: limits that no honest request meets. Errors name them, docs/limits.md lists them."""

from __future__ import annotations

CONFIG_BYTES = 1 << 20
"""How long a network configuration may be for ADD. The longest seen in the field, with a large prevResult, have some
ten thousand."""

FILE_BYTES = 1 << 20
"""How much a file that is read may hold; records, resolv.conf and the like have a few hundred bytes."""

ANNOUNCERS = 16
"""How many processes on a node may wait for the carrier of a link at a time, to announce its addresses then. Each has
2 MiB of memory of its own."""

ANNOUNCER_S = 10
"""How long such a process lives, in seconds. A NIC that has negotiated with its switch has carrier after 2 to 5."""

ANNOUNCEMENT_S = 1
"""How long the sending of an announcement may take, in seconds: the pod can make a queue that lets nothing out."""
