"""The issue list as a browser sees it: rows, filters, paging, empty states, refusals."""

from __future__ import annotations

import re
from html import unescape

import pytest

from harness import Running
from issue_rows import listed, row_ids, send, titles
from tracer import clock
from tracer.issues.pages import listing
from tracer.kit.context import Req
from tracer.kit.forms import Query


def test_list_shows_type_value_culprit_short_id_and_counts(tracer: Running) -> None:
    frame = {"filename": "shop/cart.py", "module": "shop.cart", "function": "total", "in_app": True}
    error = {"type": "KeyError", "value": "'price'", "stacktrace": {"frames": [frame]}}
    for user in ("1", "2"):
        tracer.send(exception={"values": [error]}, level="fatal", user={"id": user})
    html = tracer.page("/issues/").text
    assert titles(html) == ["KeyError 'price'"]
    assert "shop.cart in total" in html
    assert f"{tracer.project.slug.upper()}-1" in html
    assert "issue-level-fatal" in html
    assert 'title="2 events"' in html
    assert 'title="2 users"' in html
    assert "2 events in 24 hours" in html
    assert "2 events in 14 days" in html
    assert ">New</span>" in html


def test_htmx_gets_the_list_without_the_frame(tracer: Running) -> None:
    send(tracer, "one")
    whole = tracer.page("/issues/").text
    part = tracer.page("/issues/", part=True).text
    assert part.lstrip().startswith('<div class="issue-list" id="issue-list">')
    assert "<html" not in part
    assert titles(part) == titles(whole) == ["one"]


def test_filters_narrow_the_list(tracer: Running) -> None:
    send(tracer, "in staging", environment="staging", level="warning", release="1.0")
    send(tracer, "in production", environment="production", level="error", release="2.0")
    assert listed(tracer, "environment=staging") == ["in staging"]
    assert listed(tracer, "level=error") == ["in production"]
    assert listed(tracer, "release=1.0") == ["in staging"]
    assert listed(tracer, "q=production") == ["in production"]
    assert listed(tracer, "q=level:warning+environment:staging") == ["in staging"]
    assert listed(tracer, "period=1h") == ["in production", "in staging"]
    assert listed(tracer, "q=nothing+like+this") == []


def test_chosen_filters_stay_chosen_and_are_kept_by_every_link(tracer: Running) -> None:
    send(tracer, "boom", environment="staging")
    html = tracer.page("/issues/?environment=staging&q=boom&sort=events").text
    assert '<option value="staging" selected>' in html
    assert '<option value="events" selected>' in html
    assert 'name="q" value="boom"' in html
    resolved = re.search(r'href="([^"]+)">Resolved<', html)
    assert resolved is not None
    query = "environment=staging&amp;status=resolved&amp;q=boom&amp;sort=events"
    assert resolved[1] == f"/issues/?{query}"


def test_environment_decides_which_counts_are_shown(tracer: Running) -> None:
    for environment in ("staging", "production", "production"):
        send(tracer, "boom", environment=environment)
    assert 'title="3 events"' in tracer.page("/issues/").text
    staging = tracer.page("/issues/?environment=staging").text
    assert 'title="1 event"' in staging
    assert "1 event in 24 hours" in staging


def test_project_is_chosen_by_slug_or_id(tracer: Running) -> None:
    other = tracer.add_project("other")
    send(tracer, "here")
    tracer.send(message="there", project=other)
    assert listed(tracer) == ["there", "here"]
    assert listed(tracer, "project=other") == ["there"]
    html = tracer.page(f"/issues/?project={other.id}").text
    assert titles(html) == ["there"]
    assert '<option value="other" selected>' in html
    assert f"/live/?topic=project:{other.id}" in html
    assert tracer.page("/issues/?project=nowhere").status_code == 404


def test_sorts_order_the_rows(tracer: Running) -> None:
    start = clock.now()
    for minute, message in enumerate(("often", "rarely", "often")):
        at = start.timestamp() - 600 + 60 * minute
        tracer.send(message=message, fingerprint=[message], timestamp=at, user={"id": message})
    assert listed(tracer) == ["often", "rarely"]
    assert listed(tracer, "sort=first_seen") == ["rarely", "often"]
    assert listed(tracer, "sort=events") == ["often", "rarely"]


def test_assigned_to_me_lists_what_i_was_given(tracer: Running) -> None:
    send(tracer, "mine")
    send(tracer, "nobody's")
    me = tracer.add_user()
    html = tracer.page("/issues/?q=mine").text
    tracer.post("/issues/bulk", {"id": row_ids(html), "assign": me})
    assert listed(tracer, "assigned=me") == ["mine"]
    assert listed(tracer, "assigned=none") == ["nobody's"]


def test_pages_lead_forth_and_back(tracer: Running) -> None:
    for number in range(27):
        tracer.send(message=f"n{number:02}", fingerprint=[f"n{number}"], digest=False)
    tracer.digest()
    first = tracer.page("/issues/?sort=first_seen").text
    assert len(titles(first)) == 25
    assert "25 of 27 issues" in first
    forth = re.search(r'href="([^"]+)"[^>]*rel="next"', first)
    assert forth is not None
    second = tracer.page(unescape(forth[1])).text
    assert len(titles(second)) == 2
    assert not set(titles(first)) & set(titles(second))
    back = re.search(r'href="([^"]+)"[^>]*rel="prev"', second)
    assert back is not None
    assert titles(tracer.page(unescape(back[1])).text) == titles(first)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("q=release:%22never+closed", "The search cannot be read"),
        ("q=level:awful", "level:awful"),
        ("q=no+such+text", "Nothing matches"),
        ("status=archived", "Nothing archived"),
    ],
)
def test_empty_list_says_why(tracer: Running, query: str, told: str) -> None:
    send(tracer, "boom")
    answer = tracer.page(f"/issues/?{query}")
    assert answer.status_code == 200
    assert titles(answer.text) == []
    assert told in answer.text


def test_search_error_marks_its_place(tracer: Running) -> None:
    send(tracer, "boom")
    html = tracer.page("/issues/?q=boom+release:%22never").text
    assert 'id="search-error"' in html
    marked = re.search(r'class="search-mark">(.*?)<mark>(.*?)</mark>', html)
    assert marked is not None
    assert unescape(marked[1] + marked[2]).startswith("boom release:")


def test_list_without_events_leads_to_the_set_up_page(tracer: Running) -> None:
    html = tracer.page("/issues/").text
    assert "No events yet" in html
    assert f'href="/projects/{tracer.project.slug}/start/"' in html


@pytest.mark.parametrize("query", ["sort=colour", "level=awful", "period=9y", "status=open"])
def test_filter_that_no_select_offers_is_refused(tracer: Running, query: str) -> None:
    assert tracer.page(f"/issues/?{query}").status_code == 400


def test_broken_cursor_is_told(tracer: Running) -> None:
    assert "The cursor is not one of this list." in tracer.page("/issues/?cursor=zzz").text


def test_title_is_escaped(tracer: Running) -> None:
    send(tracer, "<script>alert(1)</script>")
    html = tracer.page("/issues/").text
    assert "<script>alert" not in html
    assert titles(html) == ["<script>alert(1)</script>"]


def test_start_page_is_the_list(tracer: Running) -> None:
    answer = tracer.page("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/issues/")


def test_list_keeps_to_its_query_budget(tracer: Running) -> None:
    for number in range(30):
        tracer.send(message=f"n{number}", fingerprint=[f"n{number}"], digest=False)
    tracer.digest()
    query = Query.parse_query(b"environment=production&q=n1&level=error")
    req = Req(
        tracer=tracer.tracer, method="GET", path="/issues/", query=query, headers={}, cookies={},
        client_ip="", base_url="", reach=tracer.reach,
    )  # fmt: skip
    with tracer.meta.counted() as counter:
        view = listing.load(req, query)
    assert len(view.rows) > 5
    assert counter.count <= listing.QUERY_BUDGET
