"""What quotas count in memory and write down, with the transactions that digest makes."""

from __future__ import annotations

from typing import Any

import pytest

from harness import Running
from tracer.errors import Conflict
from tracer.ingest.quotas import Quotas, Verdict
from tracer.projects import queries as projects
from tracer.projects.keys import ProjectKey
from tracer.projects.quotas import actions
from tracer.projects.quotas.model import MONTH, Quota
from tracer.protocol.envelope import Item
from tracer.storage.meta import Tx


@pytest.fixture
def key(tracer: Running) -> ProjectKey:
    found = projects.working_key(tracer.meta.read(), tracer.project.id)
    return ProjectKey(tracer.project.id, tracer.org.id, found.id, True, None, ())


def add(tracer: Running, project_id: int | None, key_id: int | None, **wanted: Any) -> Quota:
    settings = {"category": "error", "window_s": MONTH, "amount": 5, "is_hard": True, **wanted}
    with tracer.meta.write() as tx:
        return actions.set_quota(tx, tracer.org.id, project_id, key_id, **settings)


def send(quotas: Quotas, key: ProjectKey, *types: str) -> Verdict | None:
    return quotas.check(key, [Item(type_, {}, b"{}") for type_ in types])


def use(tracer: Running, quota: Quota) -> Any:
    sql = "SELECT level, over_at IS NOT NULL FROM quota_use WHERE quota_id = :id"
    return tracer.meta.read().row(sql, id=quota.id)


def flush(tracer: Running, quotas: Quotas) -> None:
    with tracer.meta.write(unaudited="digest") as tx:
        quotas.flush(tx)


def _flush_and_fail(quotas: Quotas, tx: Tx) -> None:
    quotas.flush(tx)
    raise Conflict("another step of the batch failed")


@pytest.fixture
def quota(tracer: Running) -> Quota:
    return add(tracer, tracer.project.id, None, amount=2)


@pytest.fixture
def quotas(tracer: Running, quota: Quota) -> Quotas:
    made = Quotas()
    made.refresh(tracer.meta.read())
    return made


def test_counts_of_a_transaction_that_failed_are_written_by_the_next(
    tracer: Running, key: ProjectKey, quota: Quota, quotas: Quotas
) -> None:
    send(quotas, key, "event")
    with pytest.raises(Conflict), tracer.meta.write(unaudited="digest") as tx:
        _flush_and_fail(quotas, tx)
    assert use(tracer, quota) == (0, False)
    quotas.unsaved()
    flush(tracer, quotas)
    assert use(tracer, quota) == (1, False)


def test_counter_that_did_not_move_is_not_written_again(
    tracer: Running, key: ProjectKey, quota: Quota, quotas: Quotas
) -> None:
    send(quotas, key, "event")
    flush(tracer, quotas)
    with tracer.meta.write(unaudited="digest") as tx:
        actions.save_use(tx, [(quota.id, 77.0, 0, None)])
    flush(tracer, quotas)
    assert use(tracer, quota) == (77, False)


def test_changed_quota_was_not_exceeded_yet_and_an_unchanged_one_was(
    tracer: Running, key: ProjectKey, quota: Quota, quotas: Quotas
) -> None:
    for _ in range(3):
        send(quotas, key, "event")
    quotas.refresh(tracer.meta.read())
    flush(tracer, quotas)
    assert use(tracer, quota) == (2, True)
    with tracer.meta.write() as tx:
        actions.change_quota(tx, quota, window_s=MONTH, amount=9)
    quotas.refresh(tracer.meta.read())
    send(quotas, key, "event")
    flush(tracer, quotas)
    assert use(tracer, quota) == (3, False)


def test_attachment_named_before_its_event_is_lost_with_it(key: ProjectKey, quotas: Quotas) -> None:
    for _ in range(2):
        assert send(quotas, key, "attachment", "event") is None
    verdict = send(quotas, key, "attachment", "event", "session")
    assert verdict is not None
    assert verdict.lost == {"attachment": "project_quota", "event": "project_quota"}
    assert verdict.keeps_some


def test_quotas_hold_for_their_owner_alone(tracer: Running, key: ProjectKey) -> None:
    other = tracer.add_project("other")
    theirs = projects.working_key(tracer.meta.read(), other.id)
    add(tracer, other.id, None, amount=0)
    add(tracer, other.id, theirs.id, amount=0, category="session")
    quotas = Quotas()
    quotas.refresh(tracer.meta.read())
    assert send(quotas, key, "event", "session") is None
    lost = send(quotas, ProjectKey(other.id, tracer.org.id, theirs.id, True, None, ()), "event")
    assert lost is not None
    assert lost.lost == {"event": "project_quota"}
    add(tracer, None, None, amount=0, category="")
    quotas.refresh(tracer.meta.read())
    everything = send(quotas, key, "event", "session", "client_report")
    assert everything is not None
    assert everything.lost.keys() == {"event", "session"}


def test_envelope_of_many_items_fits_whole_or_not_at_all(
    tracer: Running, key: ProjectKey, quota: Quota, quotas: Quotas
) -> None:
    verdict = send(quotas, key, "event", "event", "event")
    assert verdict is not None
    assert not verdict.keeps_some
    assert send(quotas, key, "event", "event") is None
    flush(tracer, quotas)
    assert use(tracer, quota) == (2, True)


def test_longest_wait_comes_first_and_its_quota_is_named(tracer: Running, key: ProjectKey) -> None:
    add(tracer, tracer.project.id, key.key_id, amount=1, window_s=60)
    add(tracer, tracer.project.id, None, amount=1, window_s=3000)
    add(tracer, None, None, amount=1, window_s=600)
    quotas = Quotas()
    quotas.refresh(tracer.meta.read())
    assert send(quotas, key, "event") is None
    verdict = send(quotas, key, "event")
    assert verdict is not None
    waits = [int(limit.partition(":")[0]) for limit in verdict.limits.split(", ")]
    assert waits == sorted(waits, reverse=True)
    assert verdict.wait_s == waits[0] > 2900
    assert verdict.detail == "quota of this project reached: 1 error in 3000 seconds"
    assert verdict.lost == {"event": "project_rate_limit"}
