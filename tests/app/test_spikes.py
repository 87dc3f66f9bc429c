"""Spike protection: what is stored while a project gets far more errors than it usually does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import Running, envelope, running
from tracer import clock
from tracer.ingest.spikes import FIRST_EVENTS, threshold
from tracer.storage.events import Sql

FLOOR = 40
HOUR_S = 3600
START_S = 1_774_000_800.0  # begins an hour
COUNT = Sql("SELECT count(*) FROM events")


@pytest.fixture
def tracer(tmp_path: Path) -> Any:
    clock.set_clock(lambda: START_S)
    with running(tmp_path / "data", spike_floor_events=FLOOR) as started:
        yield started


def burst(tracer: Running, count: int, message: str = "It broke", **more: Any) -> None:
    for _ in range(count):
        tracer.send(message=message, digest=False, **more)
    tracer.digest()


def fates(tracer: Running) -> dict[str, int]:
    rows = tracer.meta.read().rows(
        "SELECT category, outcome, reason, sum(quantity) FROM outcomes GROUP BY 1, 2, 3"
    )
    return {" ".join(row[:3]).strip(): row[3] for row in rows}


def spikes(tracer: Running) -> list[tuple[Any, ...]]:
    return tracer.meta.read().rows("SELECT ended_at IS NULL, threshold, dropped FROM spikes")


def later(tracer: Running, seconds: float) -> None:
    """Time passes, and digest looks around as it does every few seconds."""
    clock.set_clock(lambda: START_S + seconds)
    tracer.tracer.digest.flush()


def test_known_issue_is_held_at_the_threshold(tracer: Running) -> None:
    burst(tracer, FLOOR + 25)
    assert fates(tracer) == {"error stored": FLOOR, "error rate_limited spike": 25}
    assert spikes(tracer) == [(1, FLOOR, 25)]
    count = tracer.meta.read().value("SELECT event_count FROM issues")
    assert count == FLOOR
    assert tracer.tracer.events.select(COUNT)[0][0] == FLOOR


def test_first_events_of_a_new_issue_are_stored_during_a_spike(tracer: Running) -> None:
    burst(tracer, FLOOR + 5)
    burst(tracer, FIRST_EVENTS + 7, "Another thing broke")
    counts = dict(tracer.meta.read().rows("SELECT title, event_count FROM issues"))
    assert counts == {"It broke": FLOOR, "Another thing broke": FIRST_EVENTS}
    assert fates(tracer)["error rate_limited spike"] == 12


def test_resolved_issue_that_comes_back_is_noticed_during_a_spike(tracer: Running) -> None:
    burst(tracer, FIRST_EVENTS + 1, "Fixed")
    tracer.api(
        f"/api/0/organizations/{tracer.org.slug}/issues/", "PUT", json={"status": "resolved"}
    )
    clock.set_clock(lambda: START_S + 60)
    burst(tracer, FLOOR + 5)
    burst(tracer, 3, "Fixed")
    row = tracer.meta.read().row("SELECT status, event_count FROM issues WHERE title = 'Fixed'")
    assert row == (0, FIRST_EVENTS + 2)


def test_attachments_go_with_an_event_that_is_held(tracer: Running) -> None:
    burst(tracer, FLOOR)
    item = ({"type": "attachment", "filename": "a.txt"}, b"text")
    event_id = tracer.send(message="It broke", items=[item])
    assert fates(tracer)["attachment rate_limited spike"] == 1
    rows = tracer.meta.read().rows("SELECT 1 FROM attachments WHERE event_id = :id", id=event_id)
    assert rows == []


def test_other_projects_and_other_data_are_not_held(tracer: Running) -> None:
    other = tracer.add_project("other")
    burst(tracer, FLOOR + 1)
    burst(tracer, FIRST_EVENTS + 5, project=other)
    tracer.post_envelope(envelope({}, [({"type": "session"}, {"sid": "a"})]))
    tracer.digest()
    found = fates(tracer)
    assert found["error rate_limited spike"] == 1
    assert found["session unsupported session"] == 1


def test_spike_ends_by_itself_when_the_next_hour_is_calm(tracer: Running) -> None:
    burst(tracer, FLOOR + 1)
    later(tracer, HOUR_S - 1)
    assert spikes(tracer)[0][0] == 1
    later(tracer, HOUR_S + 60)
    assert spikes(tracer)[0][0] == 1
    burst(tracer, 5)
    later(tracer, HOUR_S + 16 * 60)
    assert spikes(tracer)[0][0] == 0
    assert fates(tracer)["error stored"] == FLOOR + 5


def test_spike_lasts_while_the_pace_of_the_next_hour_is_over_the_threshold(
    tracer: Running,
) -> None:
    burst(tracer, FLOOR + 1)
    clock.set_clock(lambda: START_S + HOUR_S + 60)
    burst(tracer, FLOOR // 2)
    later(tracer, HOUR_S + 16 * 60)
    assert spikes(tracer)[0][0] == 1
    later(tracer, 2 * HOUR_S + 16 * 60)
    assert spikes(tracer)[0][0] == 0


def test_spike_and_its_hour_survive_a_restart(tmp_path: Path) -> None:
    clock.set_clock(lambda: START_S)
    for expected in (FLOOR, FLOOR):
        with running(tmp_path / "data", spike_floor_events=FLOOR) as tracer:
            burst(tracer, FLOOR + 3)
            assert fates(tracer)["error stored"] == expected
            assert len(spikes(tracer)) == 1


def test_threshold_follows_the_projects_own_week(tracer: Running) -> None:
    project = tracer.project.id
    hour = int(START_S * 1000)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE projects SET created_at = 1")
        tx.many(
            "INSERT INTO outcomes VALUES (?, ?, 'error', 'stored', '', 30)",
            [(project, hour - n * HOUR_S * 1000) for n in range(1, 169)],
        )
    burst(tracer, 100)
    assert spikes(tracer) == []
    burst(tracer, 60)
    assert spikes(tracer) == [(1, 150, 10)]
    # The spike itself is part of the next hour's week.
    clock.set_clock(lambda: START_S + HOUR_S + 60)
    burst(tracer, 160)
    assert spikes(tracer) == [(1, 153, 17)]


@pytest.mark.parametrize(
    ("hourly", "hours", "expected"),
    [
        ([], 0, 100),
        ([100] * 168, 168, 500),
        ([1000] * 20, 168, 3000),
        ([10_000], 168, 297),
        ([90], 1, 100),
    ],
)
def test_threshold(hourly: list[int], hours: int, expected: int) -> None:
    assert threshold(hourly, hours, 100) == expected


def test_project_without_protection_stores_all(tracer: Running) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE projects SET spike_protection = 0")
    tracer.tracer.keys.refresh(tracer.meta.read())
    burst(tracer, FLOOR + 5)
    assert fates(tracer) == {"error stored": FLOOR + 5}
    assert spikes(tracer) == []


def test_floor_of_nothing_switches_it_off(tmp_path: Path) -> None:
    with running(tmp_path / "data", spike_floor_events=0) as tracer:
        burst(tracer, FIRST_EVENTS + 5)
        assert fates(tracer) == {"error stored": FIRST_EVENTS + 5}
