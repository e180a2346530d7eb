"""How much of anything is taken: limits that no honest request meets. Errors name them, docs/limits.md lists them."""

from __future__ import annotations

CONFIG_BYTES = 1 << 20
"""How long a network configuration may be for ADD. The longest seen in the field, with a large prevResult, have some
ten thousand."""

FILE_BYTES = 1 << 20
"""How much a file that is read may hold; records, resolv.conf and the like have a few hundred bytes."""
