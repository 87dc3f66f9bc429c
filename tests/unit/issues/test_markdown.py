from __future__ import annotations

import re
from typing import Any

from tracer.issues.markdown import issue_markdown
from tracer.issues.model import Issue


def _issue(**fields: Any) -> Issue:
    values: dict[str, Any] = {
        "id": 4,
        "project_id": 1,
        "project_slug": "shop",
        "short_id": 12,
        "title": "ValueError: no stock",
        "culprit": "shop.cart in checkout",
        "type": "ValueError",
        "value": "no stock",
        "platform": "python",
        "level": 40,
        "is_handled": 1,
        "status": 0,
        "status_at": 0,
        "resolved_in": None,
        "regressed_at": None,
        "assignee_id": None,
        "assignee": None,
        "first_seen_at": 1_700_000_000_000,
        "last_seen_at": 1_700_000_060_000,
        "event_count": 1234,
        "user_count": 3,
        "first_release": "shop@1.0.0",
        "last_release": None,
        "grouping_version": 1,
        **fields,
    }
    return Issue(**values)


def _exception(type_: str, value: str, **frame: Any) -> dict[str, Any]:
    frames = [{"filename": "shop/cart.py", "function": "checkout", "lineno": 7, **frame}]
    return {"type": type_, "value": value, "stacktrace": {"frames": frames}}


def test_says_what_a_ticket_needs() -> None:
    data = {
        "exception": {
            "values": [
                _exception("KeyError", "7"),
                _exception("ValueError", "no stock", in_app=True, context_line="  raise x"),
            ]
        },
        "breadcrumbs": {
            "values": [{"timestamp": 0, "category": "http", "message": "GET /cart", "data": {}}]
        },
        "request": {"url": "https://shop.test/cart", "method": "POST", "headers": [["Host", "x"]]},
        "user": {"id": "42", "email": ""},
        "tags": [["browser", "Chrome"]],
        "contexts": {"runtime": {"type": "runtime", "name": "CPython"}},
        "extra": {"retries": 3},
    }
    text = issue_markdown(_issue(), None, data)
    assert text.startswith("# ValueError: no stock\n")
    assert "- **Issue:** `SHOP-12`" in text
    assert "- **Events:** `1,234`" in text
    assert "2023-11-14 22:13:20 UTC in shop@1.0.0" in text
    assert "ValueError: no stock\n> shop/cart.py:7 in checkout\n      raise x" in text
    assert text.index("ValueError: no stock\n>") < text.index("Caused by KeyError: 7")
    assert "- `00:00:00` `[http] GET /cart`" in text
    assert "`POST https://shop.test/cart`" in text
    assert "- `runtime.name`: `CPython`" in text
    assert "- `retries`: `3`" in text
    assert "email" not in text


def test_without_payload_has_the_facts() -> None:
    text = issue_markdown(_issue(level=50, status=1), None, None)
    assert "- **Level:** `fatal`" in text
    assert "- **Status:** `resolved`" in text
    assert "## " not in text


def test_hostile_text_cannot_leave_its_place() -> None:
    hostile = "```\n# Owned\n<script>alert(1)</script> ``[x](javascript:1)``"
    data = {
        "exception": {"values": [_exception("E", hostile, context_line=hostile)]},
        "logentry": {"formatted": hostile},
        "tags": [["k", hostile]],
    }
    text = issue_markdown(_issue(title=hostile, culprit=hostile), None, data)
    assert "\\<script\\>" in text.splitlines()[0]
    fence = re.compile(r"^(`{3,})\n(.*?)\n\1$", re.DOTALL | re.MULTILINE)
    outside = fence.sub("", text)
    outside = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", outside)
    assert "<script>" not in outside
    assert "\n# Owned" not in outside


def test_many_frames_are_cut() -> None:
    exception = _exception("E", "x")
    exception["stacktrace"]["frames"] *= 80
    text = issue_markdown(_issue(), None, {"exception": {"values": [exception]}})
    assert text.count("in checkout") == 50 + 1  # the culprit says it too
    assert "… 30 more" in text
