"""Fixtures for the tests of the executables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers import peer, versions
from tests.support import disk

pytest.register_assert_rewrite("tests.support.called_by_cnitool")  # a failure says what differs


@pytest.fixture(autouse=True)
def empty_disk() -> Iterator[None]:
    """Take away what a failed test left on disk, so that the next one does not fail for it."""
    yield
    disk.clear()


@pytest.fixture(params=versions("plugins"))
def reference(request: pytest.FixtureRequest) -> str:
    """The folder of the reference plugins, of each version in turn."""
    return peer("plugins", request.param)
