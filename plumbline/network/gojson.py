"""JSON as Go's encoding/json writes it: without white space, and with escapes that keep it harmless in HTML."""

from __future__ import annotations

import json

_ESCAPED = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def written(value: object, is_sorted: bool = True) -> bytes:
    """Return a value as JSON. is_sorted: whether members stand in the order of their names, as of a Go map."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=is_sorted)
    return text.translate(_ESCAPED).encode("utf-8", "replace")
