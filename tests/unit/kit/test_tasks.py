"""The task queue and its worker, on a real store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tracer import clock
from tracer.errors import Invalid, NotFound, Unavailable
from tracer.kit import tasks
from tracer.kit.tasks import Every
from tracer.kit.worker import LEASE_MS, Worker
from tracer.storage.meta import Meta


class Hands:
    """A stand for the application: the store, and a clock that the test moves."""

    def __init__(self, meta: Meta) -> None:
        self.meta = meta
        self.at_s = 1_772_600_000.0
        self.done: list[Any] = []
        clock.set_clock(lambda: self.at_s)

    def work(self, **declared: Any) -> int:
        return Worker(declared).run_due(SimpleNamespace(meta=self.meta))  # type: ignore[arg-type]

    def rows(self) -> list[tuple[Any, ...]]:
        return self.meta.read().rows("SELECT name, status, tries, error FROM tasks ORDER BY id")


@pytest.fixture
def hands(tmp_path: Path) -> Iterator[Hands]:
    meta = Meta(tmp_path / "meta.db")
    yield Hands(meta)
    meta.close()


def enqueue(hands: Hands, name: str, **arguments: Any) -> None:
    with hands.meta.write(unaudited="test") as tx:
        tx.enqueue(name, **arguments)


def test_task_is_run_once_with_its_arguments(hands: Hands) -> None:
    enqueue(hands, "erase", issue_ids=[1, 2], reason="ü")
    assert hands.work(erase=lambda _, **arguments: hands.done.append(arguments)) == 1
    assert hands.done == [{"issue_ids": [1, 2], "reason": "ü"}]
    assert hands.work(erase=lambda _: None) == 0
    assert hands.rows() == []


def test_task_vanishes_with_its_transaction(hands: Hands) -> None:
    def enqueue_and_fail() -> None:
        with hands.meta.write(unaudited="test") as tx:
            tx.enqueue("erase", share=1 / len(hands.done))

    with pytest.raises(ZeroDivisionError):
        enqueue_and_fail()
    assert hands.rows() == []


def test_failure_is_tried_again_later_and_given_up_after_eight_tries(hands: Hands) -> None:
    def fail(_: Any) -> None:
        hands.done.append(hands.at_s)
        raise Unavailable("the disk is full")

    enqueue(hands, "erase")
    for _ in range(20_000):
        hands.work(erase=fail)
        hands.at_s += 1
        if hands.rows()[0][1] == "failed":
            break
    assert hands.rows() == [("erase", "failed", 8, "the disk is full")]
    waits = [round(b - a) for a, b in zip(hands.done, hands.done[1:], strict=False)]
    assert waits == [2, 4, 8, 16, 32, 64, 128]


def test_failure_that_cannot_pass_is_not_tried_again(hands: Hands) -> None:
    def refuse(_: Any) -> None:
        raise Invalid("no such thing")

    enqueue(hands, "erase")
    hands.work(erase=refuse)
    assert hands.rows() == [("erase", "failed", 1, "no such thing")]


def test_task_that_nobody_declares_fails_visibly(hands: Hands) -> None:
    enqueue(hands, "unknown")
    hands.work()
    assert hands.rows()[0][:2] == ("unknown", "failed")


def test_task_whose_object_is_gone_is_done(hands: Hands) -> None:
    def missing(_: Any) -> None:
        raise NotFound("gone")

    enqueue(hands, "erase")
    hands.work(erase=missing)
    assert hands.rows() == []


def test_bug_in_one_task_does_not_stop_the_next(
    hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    enqueue(hands, "bad")
    enqueue(hands, "good")
    hands.work(bad=lambda _: 1 / 0, good=lambda _: hands.done.append("good"))
    assert hands.done == ["good"]
    assert hands.rows() == [("bad", "waiting", 1, "ZeroDivisionError: division by zero")]
    assert "division by zero" in caplog.text


def test_failed_task_is_shown_and_can_be_retried(hands: Hands) -> None:
    enqueue(hands, "unknown")
    hands.work()
    (failed,) = tasks.failed_tasks(hands.meta.read())
    assert "no package declares" in (failed.error or "")
    with hands.meta.write() as tx:
        tasks.retry(tx, failed.id)
    assert hands.work(unknown=lambda _: hands.done.append(1)) == 1
    with pytest.raises(NotFound), hands.meta.write() as tx:
        tasks.retry(tx, failed.id)


def test_task_of_a_dead_server_is_run_again_when_its_lease_ends(hands: Hands) -> None:
    enqueue(hands, "erase")
    with hands.meta.write(unaudited="test") as tx:
        tasks.claim(tx, lease_ms=LEASE_MS)
    assert hands.work(erase=lambda _: hands.done.append(1)) == 0
    hands.at_s += LEASE_MS / 1000 + 1
    assert hands.work(erase=lambda _: hands.done.append(1)) == 1


def test_worker_thread_runs_queue_and_schedule(hands: Hands) -> None:
    clock.set_clock(None)
    ran, ticked = threading.Event(), threading.Event()
    worker = Worker({"erase": lambda _: ran.set()}, [Every(0.05, lambda _: ticked.set())])
    worker.start(SimpleNamespace(meta=hands.meta))  # type: ignore[arg-type]
    enqueue(hands, "erase")
    worker.wake()
    assert ran.wait(5)
    assert ticked.wait(5)
    assert worker.stop(5)


def test_schedule_goes_on_after_a_failure(hands: Hands, caplog: pytest.LogCaptureFixture) -> None:
    clock.set_clock(None)
    twice = threading.Semaphore(0)

    def tick(_: Any) -> None:
        twice.release()
        raise ValueError("tick")

    worker = Worker({}, [Every(0.02, tick)])
    worker.start(SimpleNamespace(meta=hands.meta))  # type: ignore[arg-type]
    assert twice.acquire(timeout=5)
    assert twice.acquire(timeout=5)
    assert worker.stop(5)
    assert "scheduled tick failed" in caplog.text
