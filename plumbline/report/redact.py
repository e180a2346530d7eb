"""Secrets out of texts and JSON values. What looks like one is replaced, be it one or not.

Secrets are known by the name that they stand under (password, token, and the like), be it a member's, an option's
before them, or that of an object with a name and a value; or by their form: PEM blocks, JSON Web Tokens (RFC 7519),
HTTP credentials (RFC 9110, 11.6.2), the user information (RFC 3986, 3.2.1) and signatures of URLs.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

REDACTED = "(redacted)"

_WORD = r"(?:(?<![A-Za-z])|(?-i:(?<=[a-z0-9])(?=[A-Z])))(?:pass|pwd|auth)(?![A-Za-z])"
"""Too short to be looked for within other words: DB_PASS and dbPass, and no bypass."""

_NAME = (
    r"pass(?:word|wd|phrase)|secret|token|credential|authorization|bearer|api[-_]?key|private[-_]?key|access[-_]?key"
    r"|shared[-_]?key|(?:en|de)cryption[-_]?key|signing[-_]?key"
    r"|psk|key[-_]?data|certificate[-_]?(?:authority[-_]?)?data|kubeconfig[-_]?data|" + _WORD
)
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)

_KEY_NAME = re.compile(r".key\Z", re.IGNORECASE)
_KEY_LENGTH = 16
"""From how many characters on a text under any other name that ends in `key` counts as a key."""

_SMALL = 1000
"""A number below it is no secret: doctor counts how many checks `pass`."""

_QUOTE = r"""\\{0,8}["']?"""
_VALUE = r"""(?:\\+".{0,4096}?\\+"|"(?:\\.|[^"\\])*"|'[^']*'|(?:(?:Bearer|Basic)\s+)?[^\s,;}\]]+)"""
_NAMED = tuple(
    re.compile(rf"(?P<before>{before}){_VALUE}", re.IGNORECASE | re.DOTALL)
    for before in (
        rf"(?:{_NAME})[\w.-]{{0,40}}{_QUOTE}\s{{0,8}}[:=]\s{{0,8}}",
        rf"(?:name|key){_QUOTE}\s{{0,8}}:\s{{0,8}}{_QUOTE}[\w.-]{{0,40}}(?:{_NAME})[\w.-]{{0,40}}{_QUOTE}"
        rf"\s{{0,8}},?\s{{0,40}}{_QUOTE}value{_QUOTE}\s{{0,8}}:\s{{0,8}}",
        rf"(?<![\w-])--?[\w-]{{0,40}}(?:{_NAME})[\w-]{{0,40}}{_QUOTE}(?:\s{{0,8}},\s{{0,40}}|\s{{1,8}})(?!-)",
        rf"[\w-]key{_QUOTE}\s{{0,8}}[:=]\s{{0,8}}(?={_QUOTE}[^\s,;\"'\\}}\]]{{{_KEY_LENGTH}}})",
    )
)
_FORMS = (
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"),
    re.compile(r"(?<=\bBearer )\S+|(?<=\bBasic )[A-Za-z0-9+/=]{8,}", re.IGNORECASE),
    re.compile(r"""(?<=://)[^/\s"']+(?=@)"""),
    re.compile(r"""(?<=[?&]sig=)[^&#\s"']+|(?<=[?&-]signature=)[^&#\s"']+""", re.IGNORECASE),
)
_BORDER = re.compile(r"-----(BEGIN|END) [A-Z ]+-----")
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
        return _object(value)
    if isinstance(value, list | tuple):
        options = [None, *value]  # the item before each
        return [REDACTED if _is_option(x) else document(item) for x, item in zip(options, value, strict=False)]
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith(("{", "[")):
        return text(value)
    decoded = _decoded(value)
    return _plain(value) if decoded is None else {"base64 of": document(decoded)}


def _object(members: dict[str, Any]) -> dict[str, Any]:
    """Return an object without its secrets, which may be a name and a value, as containers have their environment."""
    names = [text for key, text in members.items() if key.lower() in ("name", "key") and isinstance(text, str)]
    return {
        key: REDACTED
        if _is_secret(key, member) or (key.lower() == "value" and any(_is_secret(name, member) for name in names))
        else document(member)
        for key, member in members.items()
    }


def _is_secret(name: str, member: Any) -> bool:
    if member in (None, "", [], {}) or isinstance(member, bool):
        return False
    if _SECRET_NAME.search(name):
        return not (isinstance(member, int) and abs(member) < _SMALL)
    return isinstance(member, str) and len(member) >= _KEY_LENGTH and bool(_KEY_NAME.search(name))


def _is_option(before: Any) -> bool:
    """Return whether what stands before an item of a list is an option whose value it is, and that a secret."""
    return (
        isinstance(before, str) and before.startswith("-") and "=" not in before and bool(_SECRET_NAME.search(before))
    )


def _plain(whole: str) -> str:
    border = _BORDER.search(whole)
    if border is not None and border[1] == "END":  # the end of a longer text
        whole = REDACTED + whole[border.end() :]
    for form in _FORMS:
        whole = form.sub(REDACTED, whole)
    for named in _NAMED:
        whole = named.sub(rf"\g<before>{REDACTED}", whole)
    return whole


def _decoded(value: str) -> Any:
    """Return what a text in base64 holds, None where it is none, or holds no JSON. libcni caches configurations so."""
    if not _BASE64.fullmatch(value):
        return None
    try:
        found = json.loads(base64.b64decode(value))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None
