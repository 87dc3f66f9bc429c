from __future__ import annotations

from collections.abc import Iterator

import pytest

from tracer import clock


@pytest.fixture(autouse=True)
def system_clock() -> Iterator[None]:
    """A test that set the clock leaves the real one to the next."""
    yield
    clock.set_clock(None)
