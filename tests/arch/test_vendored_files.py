"""The vendored files are those that VENDORED.md says they are."""

from __future__ import annotations

import hashlib
import re

import pytest

from tracer.assets import STATIC

_LISTED = re.findall(
    r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$",
    (STATIC / "vendor" / "VENDORED.md").read_text(),
    re.MULTILINE,
)


@pytest.mark.parametrize(("name", "digest"), _LISTED)
def test_vendored_file_has_its_checksum(name: str, digest: str) -> None:
    assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest


def test_every_vendored_file_is_listed() -> None:
    files = {f"vendor/{path.name}" for path in (STATIC / "vendor").iterdir()}
    assert files - {"vendor/VENDORED.md"} <= {name for name, _ in _LISTED}
    assert _LISTED
