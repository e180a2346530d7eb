"""Our own version, and those of the CNI specification that we speak."""

from __future__ import annotations

try:
    from _plumbline import BUILD as _BUILD  # type: ignore[import-not-found]  # built in (program/module.c)
except ImportError:  # from the source
    _BUILD = ""

SUPPORTED = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
CURRENT = "1.1.0"
OLDEST = "0.1.0"
"""What a configuration without cniVersion means."""


def build() -> str:
    """Return what this was built of, for a person: version and commit, and the versions of CPython and C library."""
    if _BUILD:
        return str(_BUILD)
    from program.version import described_with_libraries

    return described_with_libraries()


def at_least(version: str, minimum: str) -> bool:
    """Return whether `version` is `minimum` or later; both are members of SUPPORTED. Raises ValueError otherwise."""
    return SUPPORTED.index(version) >= SUPPORTED.index(minimum)


def reply(cni_version: str) -> dict[str, object]:
    """Return the answer to VERSION (specification 1.1.0, section "Version success").

    cni_version: the one that the runtime sent; one that we do not speak is answered with the current one.
    """
    return {
        "cniVersion": cni_version if cni_version in SUPPORTED else CURRENT,
        "supportedVersions": list(SUPPORTED),
    }
