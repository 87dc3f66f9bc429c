from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from tracer.kit import logs


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    log = logging.getLogger("tracer.x")
    try:
        raise ValueError("line one\nline two")
    except ValueError:
        log.exception("failed with %s", "ü")
    log.debug("not this")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == (
        "error",
        "tracer.x",
        "failed with ü",
    )
    assert "line two" in entry["exception"]


def test_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning", "console")
    logging.getLogger("tracer.x").info("not this")
    logging.getLogger("tracer.x").warning("this")
    line = capsys.readouterr().err
    assert line.endswith("WARNING tracer.x: this\n")
