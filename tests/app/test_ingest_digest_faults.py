"""A batch that fails is stored later or taken apart: nothing is counted twice or lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import Running, envelope, running
from tracer import clock, manifest
from tracer.errors import Unavailable
from tracer.ingest import balance
from tracer.ingest.items import Batch, ItemHandler
from tracer.kit.feature import Feature
from tracer.projects.quotas import actions, queries
from tracer.projects.quotas.model import MONTH
from tracer.storage.events import Sql
from tracer.storage.tables import EVENTS

ODD = ({"type": "odd"}, b"x")
BAD = ({"type": "odd"}, b"bad")
#: Fails in the event store, when all else of the batch is written but not committed.
MISFIT = ({"type": "odd"}, b"misfit")


class Odd:
    """Handles an item type of its own: it fails while `faults` are left, and always on "bad"."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.feature = Feature(
            name="odd", items={"odd": ItemHandler(lambda item, _: bytes(item.payload), self.store)}
        )

    def store(self, batch: Batch, values: Sequence[bytes]) -> list[None]:
        if self.faults:
            raise self.faults.pop()
        if b"bad" in values:
            raise ValueError("what is that?")
        if b"misfit" in values:
            batch.append(EVENTS, [("no row of this table",)])
        return [None] * len(values)


@pytest.fixture
def odd() -> Odd:
    return Odd()


@pytest.fixture
def tracer(tmp_path: Path, odd: Odd) -> Any:
    with running(tmp_path / "data", (*manifest.FEATURES, odd.feature)) as site:
        yield site


def post(tracer: Running, *items: Any, message: str = "It broke") -> str:
    id_ = clock.new_id()
    event = ({"type": "event"}, {"message": message})
    answer = tracer.post_envelope(envelope({"event_id": id_}, (event, *items)))
    assert answer.status_code == 200
    return id_


def add_quota(tracer: Running) -> None:
    with tracer.meta.write() as tx:
        actions.set_quota(
            tx, tracer.org.id, None, None, category="error", window_s=MONTH, amount=9, is_hard=True
        )


def fates(tracer: Running) -> dict[str, int]:
    rows = tracer.meta.read().rows("SELECT category, outcome, reason, quantity FROM outcomes")
    return {" ".join(filter(None, row[:3])): row[3] for row in rows}


def stored(tracer: Running) -> list[str]:
    rows = tracer.tracer.events.select(Sql("SELECT event_id FROM events ORDER BY frame"))
    return [id_ for (id_,) in rows]


def test_everything_of_a_batch_that_failed_is_counted_once_when_it_succeeds(
    tracer: Running, odd: Odd
) -> None:
    add_quota(tracer)
    odd.faults = [Unavailable("the disk is away"), Unavailable("the disk is away")]
    unknown = f"/api/{tracer.project.id}/envelope/?sentry_key={'0' * 32}"
    assert tracer.visitor.post(unknown, content=b"{}\n").status_code in (401, 403)
    id_ = post(tracer, ODD)
    tracer.digest()
    assert odd.faults == []
    assert stored(tracer) == [id_]
    found = fates(tracer)
    refused = {name: count for name, count in found.items() if name.startswith("request refused")}
    assert list(refused.values()) == [1]
    assert {name: found[name] for name in found.keys() - refused.keys()} == {
        "error stored": 1,
        "unknown stored": 1,
    }
    reader = tracer.meta.read()
    assert [use.level for _, use in queries.every_quota(reader)] == [1]
    assert balance.check(reader) == []


def test_frame_at_fault_is_found_and_set_aside_and_the_others_are_stored(tracer: Running) -> None:
    ids = [post(tracer, ODD, message=f"number {letter}") for letter in "abc"]
    post(tracer, BAD, message="with the bad one")
    ids += [post(tracer, ODD, message=f"number {letter}") for letter in "de"]
    tracer.digest()
    assert stored(tracer) == ids
    assert fates(tracer) == {
        "error stored": 5,
        "error dead_letter ValueError": 1,
        "unknown stored": 5,
        "unknown dead_letter ValueError": 1,
    }
    titles = tracer.meta.read().rows("SELECT title FROM issues ORDER BY title")
    assert [title for (title,) in titles] == [f"number {letter}" for letter in "abcde"]
    assert balance.check(tracer.meta.read()) == []


def test_what_was_written_beside_a_failing_event_store_is_written_again(tracer: Running) -> None:
    add_quota(tracer)
    unknown = f"/api/{tracer.project.id}/envelope/?sentry_key={'0' * 32}"
    assert tracer.visitor.post(unknown, content=b"{}\n").status_code in (401, 403)
    post(tracer, MISFIT)
    id_ = post(tracer)
    tracer.digest()
    assert stored(tracer) == [id_]
    reader = tracer.meta.read()
    assert [use.level for _, use in queries.every_quota(reader)] == [2]
    found = fates(tracer)
    assert [count for name, count in found.items() if "refused" in name] == [1]
    assert found["error stored"] == 1
    assert [count for name, count in found.items() if "error dead_letter" in name] == [1]
    assert balance.check(reader) == []


def test_what_was_digested_is_neither_forgotten_nor_digested_again_after_a_start(
    tmp_path: Path,
) -> None:
    with running(tmp_path / "data") as tracer:
        ids = [post(tracer) for _ in range(2)]
        tracer.digest()
        position = tracer.tracer.digest.position
    with running(tmp_path / "data") as tracer:
        assert tracer.tracer.digest.position == position > 0
        assert stored(tracer) == ids
        ids.append(post(tracer))
        tracer.digest()
        assert stored(tracer) == ids
        assert fates(tracer) == {"error stored": 3}


def test_refusals_are_written_down_where_no_batch_does_it(tracer: Running) -> None:
    unknown = f"/api/{tracer.project.id}/envelope/?sentry_key={'0' * 32}"
    for _ in range(3):
        assert tracer.visitor.post(unknown, content=b"{}\n").status_code in (401, 403)
    tracer.tracer.digest.flush()
    tracer.tracer.digest.flush()
    assert [count for name, count in fates(tracer).items() if "refused" in name] == [3]


def test_key_that_was_used_says_so(tracer: Running) -> None:
    sql = "SELECT used_at FROM project_keys WHERE project_id = :project"
    assert tracer.meta.read().value(sql, project=tracer.project.id) is None
    post(tracer)
    tracer.digest()
    assert tracer.meta.read().value(sql, project=tracer.project.id)


def test_item_that_sdks_drop_themselves_is_no_item_that_came(tracer: Running) -> None:
    report = {"discarded_events": [{"reason": "sample_rate", "category": "error", "quantity": 4}]}
    raw = envelope({}, [({"type": "client_report"}, json.dumps(report).encode())])
    assert tracer.post_envelope(raw).status_code == 200
    tracer.digest()
    assert fates(tracer) == {"error client_discard sample_rate": 4, "internal stored": 1}
    assert balance.check(tracer.meta.read()) == []
