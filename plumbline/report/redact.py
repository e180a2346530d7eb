"""Secrets out of texts and JSON values. What looks like one is replaced, be it one or not.

Secrets are known by the name that they stand under (password, token, and the like), or by their form: PEM blocks, JSON
Web Tokens (RFC 7519), HTTP credentials (RFC 9110, 11.6.2), passwords in URLs (RFC 3986, 3.2.1).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

REDACTED = "(redacted)"

_NAME = (
    r"pass(?:word|wd|phrase)|secret|token|credential|authorization|bearer|api[-_]?key|private[-_]?key|access[-_]?key"
    r"|psk|key[-_]?data|certificate[-_]?(?:authority[-_]?)?data|kubeconfig[-_]?data"
)
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
_NAMED = re.compile(
    rf"""(?P<before>(?:{_NAME})[\w.-]{{0,40}}\\{{0,8}}["']?\s{{0,8}}[:=]\s{{0,8}})"""
    r"""(?:\\+".{0,4096}?\\+"|"(?:\\.|[^"\\])*"|'[^']*'|(?:(?:Bearer|Basic)\s+)?[^\s,;}\]]+)""",
    re.IGNORECASE | re.DOTALL,
)
_FORMS = (
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"),
    re.compile(r"(?<=\bBearer )\S+|(?<=\bBasic )[A-Za-z0-9+/=]{8,}", re.IGNORECASE),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
)
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{16,}={0,2}\s*")


def text(whole: str) -> str:
    """Return a text without its secrets: JSON is read, and stays as it is written if nothing is in it."""
    try:
        value = json.loads(whole)
    except (ValueError, RecursionError):
        return _plain(whole)
    if not isinstance(value, dict | list):
        return _plain(whole)
    clean = document(value)
    return whole if clean == value else json.dumps(clean, indent=2, ensure_ascii=False)


def document(value: Any) -> Any:
    """Return a JSON value without its secrets, and those of texts in it that are JSON, or JSON in base64."""
    if isinstance(value, dict):
        return {key: REDACTED if _is_secret(key, member) else document(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [document(item) for item in value]
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith(("{", "[")):
        return text(value)
    decoded = _decoded(value)
    return _plain(value) if decoded is None else {"base64 of": document(decoded)}


def _is_secret(key: str, member: Any) -> bool:
    return bool(_SECRET_NAME.search(key)) and member not in (None, "", [], {}) and not isinstance(member, bool)


def _plain(whole: str) -> str:
    for form in _FORMS:
        whole = form.sub(REDACTED, whole)
    return _NAMED.sub(rf"\g<before>{REDACTED}", whole)


def _decoded(value: str) -> Any:
    """Return what a text in base64 holds, None where it is none, or holds no JSON. libcni caches configurations so."""
    if not _BASE64.fullmatch(value):
        return None
    try:
        found = json.loads(base64.b64decode(value))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None
