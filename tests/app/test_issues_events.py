from __future__ import annotations

import time
from typing import Any

from harness import Running
from issue_samples import failure, the_issue
from tracer import clock
from tracer.issues import queries
from tracer.issues.model import EventRow, Issue
from tracer.storage.meta import Meta


def _issue(tracer: Running) -> Issue:
    found = queries.issue(tracer.meta.read(), tracer.reach, int(the_issue(tracer)["id"]))
    assert found is not None
    return found


def _find(tracer: Running, issue: Issue, which: str) -> EventRow:
    found = queries.find_event(tracer.tracer, tracer.reach, issue, which)
    assert found is not None
    return found


def _send_some(tracer: Running, count: int, **fields: Any) -> list[str]:
    """Events of one issue a minute apart; their ids, the oldest first."""
    now = time.time()
    ids = [
        tracer.send(failure(timestamp=now - 60 * (count - n), **fields), digest=False)
        for n in range(count)
    ]
    tracer.digest()
    return ids


def test_latest_oldest_and_neighbours(tracer: Running) -> None:
    ids = _send_some(tracer, 5)
    issue = _issue(tracer)
    assert _find(tracer, issue, "latest").event_id == ids[-1]
    assert _find(tracer, issue, "oldest").event_id == ids[0]
    for place, event_id in enumerate(ids):
        around = queries.neighbours(
            tracer.tracer, tracer.reach, issue, _find(tracer, issue, event_id)
        )
        assert (around.first, around.last) == (ids[0], ids[-1])
        assert around.previous == (ids[place - 1] if place else None)
        assert around.next == (ids[place + 1] if place < 4 else None)
        assert (around.position, around.total) == (place + 1, 5)


def test_events_of_the_same_moment_are_in_the_order_of_their_ids(tracer: Running) -> None:
    now = time.time()
    ids = sorted(tracer.send(failure(timestamp=now), digest=False) for _ in range(4))
    tracer.digest()
    issue, walked = _issue(tracer), []
    next_: str | None = _find(tracer, issue, "oldest").event_id
    while next_ is not None:
        walked.append(next_)
        next_ = queries.neighbours(
            tracer.tracer, tracer.reach, issue, _find(tracer, issue, next_)
        ).next
    assert walked == ids


def test_recommended_is_the_recent_event_with_the_most_context(tracer: Running) -> None:
    now = time.time()
    rich = {
        "request": {"url": "https://shop.test/cart", "method": "GET"},
        "user": {"id": "1"},
        "breadcrumbs": [{"message": "clicked", "timestamp": now}] * 10,
    }
    tracer.send(failure(timestamp=now - 20 * 86_400, **rich, extra={"more": 1}))
    wanted = tracer.send(failure(timestamp=now - 3600, **rich))
    tracer.send(failure(timestamp=now))
    assert _find(tracer, _issue(tracer), "recommended").event_id == wanted


def test_event_with_those_around_it_is_the_one_that_is_found_alone(tracer: Running) -> None:
    now = time.time()
    rich = {"user": {"id": "1"}, "breadcrumbs": [{"message": "clicked", "timestamp": now}] * 5}
    ids = _send_some(tracer, 3)
    twins = sorted(tracer.send(failure(timestamp=now, **rich), digest=False) for _ in range(2))
    poor = tracer.send(failure(timestamp=now), digest=False)
    tracer.digest()
    issue = _issue(tracer)
    for which in ("recommended", "latest", "oldest", poor, *ids, *twins):
        found = queries.find_around(tracer.tracer, tracer.reach, issue, which)
        alone = _find(tracer, issue, which)
        assert found is not None
        assert (found[0].event_id, found[0].timestamp) == (alone.event_id, alone.timestamp)
        assert found[0].size_bytes == alone.size_bytes
        assert found[1] == queries.neighbours(tracer.tracer, tracer.reach, issue, alone)
    assert found[1].total == 6
    for missing in (clock.new_id(), "nonsense"):
        assert queries.find_around(tracer.tracer, tracer.reach, issue, missing) is None


def test_event_of_another_issue_or_project_is_not_found(tracer: Running) -> None:
    other = tracer.send(failure("KeyError"))
    elsewhere = tracer.send(failure(), project=tracer.add_project("billing"))
    mine = tracer.send(failure())
    issue = queries.issue_by_name(
        tracer.meta.read(), tracer.reach, f"{tracer.project.slug.upper()}-2"
    )
    assert issue is not None
    assert _find(tracer, issue, mine).event_id == mine
    dashed = f"{mine[:8]}-{mine[8:12]}-{mine[12:16]}-{mine[16:20]}-{mine[20:]}"
    assert _find(tracer, issue, dashed.upper()).event_id == mine
    for missing in (other, elsewhere, clock.new_id(), "nonsense"):
        assert queries.find_event(tracer.tracer, tracer.reach, issue, missing) is None


def test_payload_is_the_whole_event_with_why_it_was_grouped(tracer: Running) -> None:
    event_id = tracer.send(failure(extra={"basket": [1, 2]}, tags={"shop": "Köln"}))
    event = _find(tracer, _issue(tracer), event_id)
    data = queries.payload(tracer.tracer, event)
    assert data is not None
    assert data["event_id"] == event_id
    assert data["extra"] == {"basket": [1, 2]}
    assert data["grouping"]["hashes"][0] == event.group_hash
    assert data["grouping"]["version"] == 1
    assert event.tags["shop"] == "Köln"
    assert dict(data["tags"])["shop"] == "Köln"


def test_secrets_are_removed_from_tags_and_user_too(tracer: Running) -> None:
    event_id = tracer.send(
        failure(
            tags={"api_key": "sk_live_1234567890abcdefghij"},
            request={"url": "https://joe:hunter2secret@shop.test/"},
            extra={"password": "hunter2secret"},
        )
    )
    event = _find(tracer, _issue(tracer), event_id)
    assert "sk_live_1234567890abcdefghij" not in str(event)
    assert "hunter2secret" not in str(queries.payload(tracer.tracer, event))
    tag = queries.tag(tracer.tracer, tracer.reach, _issue(tracer), "api_key")
    assert tag is None or "sk_live" not in tag.values[0].value


def test_events_are_paged_newest_first(tracer: Running) -> None:
    ids = _send_some(tracer, 7)
    issue, found, cursor = _issue(tracer), [], ""
    while True:
        events, next_ = queries.events_of_issue(
            tracer.tracer, tracer.reach, issue, cursor=cursor, limit=3
        )
        found += [event.event_id for event in events]
        if next_ is None:
            break
        cursor = next_
    assert found == ids[::-1]
    events, _ = queries.events_of_issue(
        tracer.tracer, tracer.reach, issue, environments=["staging"]
    )
    assert events == []
    events, _ = queries.events_of_project(
        tracer.tracer, tracer.reach, tracer.project.id, environments=["production"]
    )
    assert [event.event_id for event in events] == ids[::-1]


def test_tags_have_their_top_values_with_shares(tracer: Running) -> None:
    for browser in ("Chrome", "Chrome", "Chrome", "Firefox"):
        tracer.send(failure(tags={"shop.browser": browser}), digest=False)
    tracer.digest()
    issue = _issue(tracer)
    [tag] = [
        one for one in queries.tags(tracer.tracer, tracer.reach, issue) if one.key == "shop.browser"
    ]
    assert [(one.value, one.event_count, one.percent) for one in tag.values] == [
        ("Chrome", 3, 75.0),
        ("Firefox", 1, 25.0),
    ]
    [short] = [
        one
        for one in queries.tags(tracer.tracer, tracer.reach, issue, top=1)
        if one.key == "shop.browser"
    ]
    assert (len(short.values), short.value_count, short.event_count) == (1, 2, 4)


def test_event_page_needs_three_selects_of_the_event_store(tracer: Running) -> None:
    _send_some(tracer, 3)
    issue = _issue(tracer)
    hashes = queries.hashes(tracer.meta.read(), issue)
    with Meta.counted() as counter:
        event = queries.find_event(tracer.tracer, tracer.reach, issue, "recommended", hashes)
        assert event is not None
        queries.neighbours(tracer.tracer, tracer.reach, issue, event, hashes)
        assert queries.payload(tracer.tracer, event)
    assert counter.count <= 3
