"""How much of anything is taken: limits that no honest request meets. Errors name them, docs/limits.md lists them."""

from __future__ import annotations

CONFIG_BYTES = 1 << 20
"""How long a network configuration may be for ADD. The longest seen in the field, with a large prevResult, have some
ten thousand."""

FILE_BYTES = 1 << 20
"""How much a file that is read may hold; records, resolv.conf and the like have a few hundred bytes."""

RANGE_SETS = 16
"""How many range sets a host-local configuration may have, those of the runtime included: an attachment gets an address
of each. Two are usual, one a family."""

RANGES = 256
"""How many ranges a range set may have."""

ADDRESSES = 256
"""How many addresses an attachment may have: those of a static configuration, those that are asked for, those of a
result."""

ROUTES = 1024
"""How many routes a configuration or a result may have."""

DNS_ENTRIES = 64
"""How many name servers, search domains and options each there may be in a configuration or a result."""

INTERFACES = 256
"""How many interfaces a result may have."""

RESOLV_CONF_BYTES = 1 << 14
"""How long a file that `resolvConf` names may be."""

NAME_BYTES = 255
"""How long a network's name may be for host-local, whose folder bears it: NAME_MAX of linux/limits.h."""
