from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import running
from security.shown import Shown
from security.world import World
from security.world import world as make_world


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all tests that only ask; its folder goes with the session."""
    with make_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def world(built: World) -> World:
    """The world as it was built, whatever the test before did to it."""
    built.restore()
    return built


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """An application of its own for what is hostile."""
    with running(tmp_path_factory.mktemp("hostile") / "data") as app:
        made = Shown(app)
        yield made
        made.door.close()
