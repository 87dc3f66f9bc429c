from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tracer import clock

MEMORY = Path("/dev/shm")
ROOMY_BYTES = 4 << 30

# Waiting for a disk's fsync is half of what a test takes. Servers in processes of their own, and
# with them the tests of crashes and full disks, use the disk all the same.
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOMY_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# How fast examples are made says how busy the machine is, and nothing of tracer.
settings.register_profile("any machine", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def system_clock() -> Iterator[None]:
    """A test that set the clock leaves the real one to the next."""
    yield
    clock.set_clock(None)
