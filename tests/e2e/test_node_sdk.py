"""What a program with @sentry/node sends."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.clients import NODE_CLIENT, entry, event, issue, outcomes, page, run, until
from serving import ORGANIZATION, PROJECT, Server


@pytest.fixture(scope="module")
def chained(server: Server) -> dict[str, Any]:
    [event_id] = run(NODE_CLIENT, server, "chained")
    return event(server, event_id)


def test_error_with_a_cause_is_shown_with_source(server: Server, chained: dict[str, Any]) -> None:
    cause, thrown = entry(chained, "exception")["values"]
    assert (cause["type"], cause["value"]) == ("RangeError", "only 2 of tea left, not 3")
    assert (thrown["type"], thrown["value"]) == ("Error", "checkout failed")
    frame = cause["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["inApp"]) == ("reserve", True)
    assert any("throw new RangeError" in text for _, text in frame["context"])
    shown = page(server, f"/issues/{chained['groupID']}/")
    for text in (
        "RangeError",
        "checkout failed",
        "was caused by",
        "throw new",
        "grace@example.com",
    ):
        assert text in shown
    assert chained["platform"] == "node"


def test_breadcrumb_and_tag_and_attachment_are_kept(
    server: Server, chained: dict[str, Any]
) -> None:
    messages = [crumb.get("message") for crumb in entry(chained, "breadcrumbs")["values"]]
    assert "added tea to the cart" in messages
    assert {"key": "customer_tier", "value": "silver"} in chained["tags"]
    [(name, number)] = server.rows(
        "SELECT name, id FROM attachments WHERE event_id = ?", chained["id"]
    )
    assert name == "order.txt"
    assert server.get(f"/attachments/{number}") == (200, b"three teas")


def test_message_becomes_an_issue_of_its_own(server: Server, chained: dict[str, Any]) -> None:
    [event_id] = run(NODE_CLIENT, server, "message")
    found = issue(server, event_id)
    assert (found["title"], found["level"]) == ("the stock is low", "warning")
    assert found["id"] != chained["groupID"]


def test_feedback_is_tied_to_its_event(server: Server, chained: dict[str, Any]) -> None:
    run(NODE_CLIENT, server, "feedback", event_id=chained["id"])
    path = f"/api/0/projects/{ORGANIZATION}/{PROJECT}/user-feedback/"
    [written] = until(lambda: server.api(path))
    assert (written["comments"], written["name"]) == ("I wanted three teas", "Grace")
    assert written["issue"]["id"] == chained["groupID"]


def test_transaction_and_spans_are_counted_as_unsupported(server: Server) -> None:
    run(NODE_CLIENT, server, "not_kept", {"traceLifecycle": "static"})
    assert until(lambda: outcomes(server, "transaction")) == {"unsupported": 1}
    run(NODE_CLIENT, server, "not_kept", {"traceLifecycle": "stream"})
    assert set(until(lambda: outcomes(server, "span"))) == {"unsupported"}
    assert server.rows("SELECT count(*) FROM outcomes WHERE outcome = 'dead_letter'") == [(0,)]
