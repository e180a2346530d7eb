"""Where things are: the repository, and below build/lab what is prepared once and kept."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = REPOSITORY / "lab"
CACHE = REPOSITORY / "build" / "lab"
