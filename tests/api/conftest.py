from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.world import World

TOKEN = "a-token-for-tests-only"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server on loopback, without a token."""
    with World(tmp_path_factory.mktemp("world")) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server that asks for TOKEN."""
    with World(tmp_path_factory.mktemp("guarded"), host="0.0.0.0", token=TOKEN) as running:
        yield running
