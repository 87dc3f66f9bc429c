"""What is accepted and what becomes of it: the two always sum, and it is seen when they do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness import Running, envelope, running
from tracer import clock, manifest
from tracer.accounts import actions
from tracer.ingest import balance
from tracer.ingest.items import ItemHandler
from tracer.kit.feature import Feature
from tracer.storage.spool import NewFrame


@pytest.fixture
def tracer(tmp_path: Any) -> Any:
    with running(tmp_path / "data") as site:
        yield site


def accepted(tracer: Running) -> dict[str, int]:
    rows = tracer.meta.read().rows("SELECT category, sum(quantity) FROM accepted GROUP BY category")
    return dict(rows)


def fates(tracer: Running) -> dict[tuple[str, str], int]:
    rows = tracer.meta.read().rows(
        "SELECT category, outcome, sum(quantity) FROM outcomes GROUP BY category, outcome"
    )
    return {(category, outcome): count for category, outcome, count in rows}


def test_every_item_of_a_mixed_envelope_is_accepted_and_has_one_fate(tracer: Running) -> None:
    tracer.send(
        message="one",
        items=[
            ({"type": "attachment", "filename": "a.txt"}, b"text"),
            ({"type": "log", "item_count": 7}, {"items": []}),
            ({"type": "event", "item_count": 5}, b"not JSON"),
            ({"type": "never_heard_of"}, {}),
        ],
    )
    assert accepted(tracer) == {"attachment": 1, "error": 2, "log_item": 7, "unknown": 1}
    assert fates(tracer) == {
        ("attachment", "stored"): 1,
        ("error", "invalid"): 1,
        ("error", "stored"): 1,
        ("log_item", "unsupported"): 7,
        ("unknown", "unknown_type"): 1,
    }
    assert balance.check(tracer.meta.read()) == []


def test_event_that_comes_twice_is_accepted_twice(tracer: Running) -> None:
    for _ in range(2):
        tracer.send({"event_id": "a" * 32, "message": "twice"})
    assert accepted(tracer) == {"error": 2}
    assert fates(tracer) == {("error", "stored"): 1, ("error", "invalid"): 1}


def test_frame_that_cannot_be_digested_is_a_dead_letter_of_what_it_brought(tracer: Running) -> None:
    head = json.dumps({"kind": "envelope", "items": {"error": 1, "attachment": 2}}).encode()
    frame = NewFrame(tracer.project.id, tracer.key, clock.now_s(), head, b"\x00 no envelope")
    tracer.tracer.spool.append_sync(frame)
    tracer.digest()
    assert accepted(tracer) == {"error": 1, "attachment": 2}
    assert fates(tracer) == {("error", "dead_letter"): 1, ("attachment", "dead_letter"): 2}
    assert balance.check(tracer.meta.read()) == []


def test_item_that_digest_loses_is_noted_and_shown(tmp_path: Any) -> None:
    def lose(batch: Any, prepared: Any) -> Any:
        batch.count(tracer.project.id, "unknown", "stored", quantity=1)
        return [None] * len(prepared)

    handler = ItemHandler(lambda item, arrival: bytes(item.payload), lose)
    features = (*manifest.FEATURES, Feature(name="odd", items={"odd": handler}))
    with running(tmp_path / "data", features) as tracer:
        tracer.post_envelope(envelope({}, [({"type": "odd"}, b"x")]))
        tracer.digest()
        assert tracer.tracer.digest.imbalance
        found = balance.check(tracer.meta.read())
        assert [(one.category, one.accepted, one.decided) for one in found] == [("unknown", 1, 2)]
    with running(tmp_path / "data") as tracer:
        assert tracer.tracer.digest.imbalance, "it is still known after a start"
        owner = tracer.add_user()
        with tracer.meta.write() as tx:
            actions.set_server_admin(tx, owner, True)
        tracer.tracer.watch.look()
        assert "The accounts do not balance" in tracer.page("/issues/").text
