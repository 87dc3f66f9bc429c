from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Running, running


@pytest.fixture
def tracer(tmp_path: Path) -> Iterator[Running]:
    """The whole application on an empty data folder."""
    with running(tmp_path / "data") as started:
        yield started
