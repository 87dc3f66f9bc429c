"""The audit page keeps to its budget of statements, whatever is searched for."""

from __future__ import annotations

import pytest

from harness import Running
from tracer.features.audit import queries
from tracer.storage import counting

PAGE = "/settings/audit/"


@pytest.mark.parametrize(
    "search",
    [
        "",
        "?action=issue.archive",
        "?actor=person7",
        "?actor=nobody",
        "?query=nothing+of+the+kind",
        "?object_type=issue&object_id=12",
        "?project=7&end=2020-01-01",
        "?server=1",
    ],
)
def test_page_keeps_its_query_budget(
    tracer: Running, monkeypatch: pytest.MonkeyPatch, search: str
) -> None:
    tracer.page(PAGE)
    asked: list[int] = []
    monkeypatch.setattr(counting, "note_query", lambda: asked.append(1))
    assert tracer.page(PAGE + search).status_code == 200
    assert 3 <= len(asked) <= queries.QUERY_BUDGET
