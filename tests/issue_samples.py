"""Events as SDKs send them, for tests of issues."""

from __future__ import annotations

import time
from typing import Any

from harness import Running


def failure(type_: str = "ValueError", value: str = "no stock", **fields: Any) -> dict[str, Any]:
    """An error event; its type, and the function of its frame, decide the issue."""
    frames = [
        {"filename": "site/run.py", "module": "run", "function": "main", "in_app": False},
        {
            "filename": "shop/cart.py",
            "module": "shop.cart",
            "function": f"raise_{type_.lower()}",
            "lineno": 12,
            "context_line": "    raise error",
            "pre_context": ["def checkout(cart):"],
            "post_context": ["", "# end"],
            "vars": {"cart": "<Cart 7>"},
            "in_app": True,
        },
    ]
    exception = {"type": type_, "value": value, "stacktrace": {"frames": frames}}
    return {
        "timestamp": time.time(),
        "platform": "python",
        "level": "error",
        "environment": "production",
        "exception": {"values": [exception]},
        **fields,
    }


def issues(tracer: Running, query: str = "", **params: Any) -> list[dict[str, Any]]:
    """The organization's issues as the API lists them; all statuses unless the query says so."""
    wanted = {"query": query, **params}
    path = f"/api/0/organizations/{tracer.org.slug}/issues/"
    answer = tracer.visitor.get(
        path, params=wanted, headers={"Authorization": f"Bearer {tracer.token()}"}
    )
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def the_issue(tracer: Running, query: str = "") -> dict[str, Any]:
    """The only issue there is."""
    [issue] = issues(tracer, query)
    return issue


def detail(tracer: Running, issue_id: str) -> dict[str, Any]:
    """One issue by itself."""
    answer = tracer.api(f"/api/0/issues/{issue_id}/")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def outcomes(tracer: Running, category: str = "error") -> dict[str, int]:
    """Outcomes of a data category, as "outcome:reason"."""
    rows = tracer.meta.read().rows(
        "SELECT outcome || ':' || reason, sum(quantity) FROM outcomes"
        " WHERE category = :category GROUP BY 1",
        category=category,
    )
    return dict(rows)
