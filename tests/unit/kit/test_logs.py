from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from tracer.kit import logs, tracing


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


def test_lines_name_the_request_that_they_were_written_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logging.getLogger("tracer.x")
    trace = tracing.Trace("request-1", "4bf92f3577b34da6a3ce929d0e0e4736")
    logs.configure("info", "json")
    with tracing.working_for(trace):
        log.info("token=abcdef123456 was refused")
    log.info("later")
    within, later = map(json.loads, capsys.readouterr().err.splitlines())
    assert (within["request_id"], within["trace_id"]) == (trace.request_id, trace.trace_id)
    assert "abcdef123456" not in within["message"]
    assert "request_id" not in later
    logs.configure("info", "console")
    with tracing.working_for(trace):
        log.info("on the console")
    assert capsys.readouterr().err.endswith("tracer.x: on the console [request-1]\n")
