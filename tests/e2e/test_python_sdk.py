"""What a program with sentry-sdk sends is grouped, and shown in the API and on the pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.clients import PYTHON_CLIENT, entry, event, issue, outcomes, page, run, until
from serving import ORGANIZATION, PROJECT, Server


@pytest.fixture(scope="module")
def chained(server: Server) -> dict[str, Any]:
    """The event that says everything an SDK can say."""
    [event_id] = run(PYTHON_CLIENT, server, "chained", password="hunter2")
    return event(server, event_id)


@pytest.fixture(scope="module")
def chained_page(server: Server, chained: dict[str, Any]) -> str:
    return page(server, f"/issues/{chained['groupID']}/events/{chained['id']}/?view=full")


def test_chained_exceptions_keep_frames_and_locals(chained: dict[str, Any]) -> None:
    cause, thrown = entry(chained, "exception")["values"]
    assert (cause["type"], cause["value"]) == ("OutOfStock", "only 2 of tea left")
    assert (thrown["type"], thrown["value"]) == ("CheckoutFailed", "order of Ada failed")
    frame = cause["stacktrace"]["frames"][-1]
    assert frame["function"] == "reserve"
    assert frame["inApp"]
    assert frame["vars"]["shelf"] == {"tea": "2", "cups": "0"}
    assert [
        frame["lineNo"],
        '        raise OutOfStock(f"only {shelf[article]} of {article} left")',
    ] in (frame["context"])


def test_page_shows_both_exceptions_with_source_and_locals(chained_page: str) -> None:
    assert chained_page.index("CheckoutFailed") < chained_page.index("was caused by")
    for text in ("OutOfStock", "only 2 of tea left", "order of Ada failed", "reserve", "shelf"):
        assert text in chained_page


def test_secret_in_a_local_variable_is_not_stored(
    chained: dict[str, Any], chained_page: str
) -> None:
    _, thrown = entry(chained, "exception")["values"]
    assert thrown["stacktrace"]["frames"][-1]["vars"]["customer"]["password"] == "[Filtered]"
    assert "hunter2" not in json.dumps(chained)
    assert "hunter2" not in chained_page


def test_breadcrumbs_user_tags_and_contexts_are_kept(
    chained: dict[str, Any], chained_page: str
) -> None:
    crumbs = entry(chained, "breadcrumbs")["values"]
    assert [(crumb["category"], crumb["message"]) for crumb in crumbs[-2:]] == [
        ("cart", "added tea to the cart"),
        ("query", "SELECT * FROM shelf"),
    ]
    assert chained["user"]["email"] == "ada@example.com"
    tags = {tag["key"]: tag["value"] for tag in chained["tags"]}
    assert tags["customer_tier"] == "gold"
    assert (tags["release"], tags["environment"]) == ("shop@1.4.0", "testing")
    assert tags["server_name"] == "till-7"
    assert chained["contexts"]["cart"]["currency"] == "EUR"
    assert chained["contexts"]["runtime"]["name"] == "CPython"
    assert chained["sdk"]["name"].startswith("sentry.python")
    assert "sentry-sdk" in chained["packages"]
    for text in ("added tea to the cart", "ada@example.com", "gold", "EUR", "CPython", "till-7"):
        assert text in chained_page


def test_attachments_are_downloaded_as_they_were(server: Server, chained: dict[str, Any]) -> None:
    rows = dict(server.rows("SELECT name, id FROM attachments WHERE event_id = ?", chained["id"]))
    status, headers, data = server.request("GET", f"/attachments/{rows['order.csv']}")
    assert (status, data) == (200, b"a,b\n1,2\n")
    assert "order.csv" in headers["content-disposition"]
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"
    status, headers, data = server.request("GET", f"/attachments/{rows['screen.png']}?inline")
    assert (status, headers["content-type"], data[:4]) == (200, "image/png", b"\x89PNG")


def test_page_lists_the_attachments(chained_page: str) -> None:
    assert "order.csv" in chained_page
    assert 'alt="screen.png"' in chained_page


def test_feedback_of_both_kinds_is_shown_with_the_issue(
    server: Server, chained: dict[str, Any]
) -> None:
    run(PYTHON_CLIENT, server, "feedback", event_id=chained["id"])
    path = f"/api/0/projects/{ORGANIZATION}/{PROJECT}/user-feedback/"
    until(lambda: len(server.api(path)) == 2)
    written = {one["comments"]: one for one in server.api(path)}
    assert set(written) == {"I wanted three teas", "Me too"}
    assert {one["issue"]["id"] for one in written.values()} == {chained["groupID"]}
    for place in ("/feedback/", f"/feedback/of-issue/{chained['groupID']}/"):
        shown = page(server, place)
        assert "I wanted three teas" in shown
        assert "Me too" in shown


def test_same_error_is_one_issue_and_another_error_another(server: Server) -> None:
    first, second, third = run(PYTHON_CLIENT, server, "repeated", times=3)
    [other] = run(PYTHON_CLIENT, server, "other")
    found = issue(server, first)
    assert issue(server, second)["id"] == issue(server, third)["id"] == found["id"]
    assert found["count"] == "3"
    assert issue(server, other)["id"] != found["id"]
    listing = page(server, "/issues/")
    assert "OutOfStock" in listing
    assert "ZeroDivisionError" in listing


@pytest.mark.parametrize("algorithm", ["gzip", "br", "none"])
def test_every_compression_of_the_sdk_is_taken(server: Server, algorithm: str) -> None:
    options = {"_experiments": {"transport_compression_algo": algorithm}}
    [event_id] = run(PYTHON_CLIENT, server, "message", options)
    found = event(server, event_id)
    assert found["title"] == "the stock is low"
    assert issue(server, event_id)["level"] == "warning"


def test_transaction_is_counted_as_unsupported(server: Server) -> None:
    run(PYTHON_CLIENT, server, "not_kept")
    assert until(lambda: outcomes(server, "transaction")) == {"unsupported": 1}
    assert server.rows("SELECT count(*) FROM outcomes WHERE outcome = 'dead_letter'") == [(0,)]
