"""Stalls: /ready turns, administrators are mailed once when one begins and once when it is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from harness import Running, running
from mail_sink import mail_server
from tracer.accounts.actions import set_server_admin
from tracer.kit.gauge import Gauge
from tracer.kit.signs import Look
from tracer.kit.watch import CALM_LOOKS, Watch

PATIENCE_S = 20


def until(is_so: Callable[[], Any]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def codes(tracer: Running) -> list[str]:
    """Why the server is not ready, as /ready says."""
    answer = tracer.visitor.get("/ready")
    found = [reason["code"] for reason in answer.json()["reasons"]]
    assert answer.status_code == (503 if found else 200)
    assert answer.json()["ready"] is not bool(found)
    return found


@contextmanager
def held(tracer: Running) -> Iterator[None]:
    """Somebody holds the database's write lock, so that digest cannot store anything."""
    release = threading.Event()
    locked = threading.Event()

    def hold() -> None:
        with tracer.meta.write():
            locked.set()
            release.wait(PATIENCE_S * 2)

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(PATIENCE_S)
    try:
        yield
    finally:
        release.set()
        thread.join()


def test_stalled_digest_turns_ready_and_is_mailed_once_at_both_ends(tmp_path: Path) -> None:
    with mail_server() as mailbox, running(tmp_path, stall_after_s=1) as tracer:
        mailbox.use(tracer)
        mails = mailbox.mails
        admin_id = tracer.add_user("admin@example.com")
        with tracer.meta.write() as tx:
            set_server_admin(tx, admin_id, True)
        tracer.add_user("member@example.com", "member")
        assert codes(tracer) == []
        with held(tracer):
            tracer.send(message="waits", digest=False)
            until(lambda: "digest_stalled" in codes(tracer))
            until(lambda: any("digest_stalled" in mail["Subject"] for mail in mails))
            assert tracer.visitor.get("/up").status_code == 200
        tracer.digest()
        until(lambda: codes(tracer) == [])
        until(lambda: any("Over: digest_stalled" in mail["Subject"] for mail in mails))
        about = [mail for mail in mails if "digest_stalled" in mail["Subject"]]
        assert len(about) == 2
        assert {mail["To"] for mail in mails} == {"admin@example.com"}
        assert "frames wait" in about[0].get_body(("plain",)).get_content()


def test_server_is_ready_when_it_digests(tracer: Running) -> None:
    tracer.send(message="hello")
    tracer.tracer.watch.look()
    assert codes(tracer) == []


def test_blocked_event_loop_is_noticed(tmp_path: Path) -> None:
    with running(tmp_path, stall_after_s=2) as tracer:
        watch = tracer.tracer.watch
        release = threading.Event()
        watch.gauge.loop.call_soon_threadsafe(release.wait, PATIENCE_S)
        until(lambda: "loop_blocked" in [stall.sign.code for stall in watch.active])
        release.set()
        until(lambda: not watch.active)


def test_running_task_is_measured(tracer: Running) -> None:
    begun, end = threading.Event(), threading.Event()

    def slow(_tracer: Any) -> None:
        begun.set()
        end.wait(PATIENCE_S)

    tracer.tracer.worker._declared["slow.task"] = slow
    with tracer.meta.write(unaudited="test") as tx:
        tx.enqueue("slow.task")
    tracer.tracer.worker.wake()
    assert begun.wait(PATIENCE_S)
    look = Gauge(tracer.tracer, time.time).look()
    end.set()
    assert look.task == "slow.task"
    assert look.task_s >= 0
    until(lambda: not Gauge(tracer.tracer, time.time).look().task)


def test_clock_that_jumps_is_noticed_and_forgotten(tracer: Running) -> None:
    ahead_s = 0.0
    gauge = Gauge(tracer.tracer, lambda: time.time() + ahead_s)
    assert gauge.look().clock_jump_s == 0
    ahead_s = -3600.0
    assert round(gauge.look().clock_jump_s) == -3600
    assert round(gauge.look().clock_jump_s) == -3600
    ahead_s = -3598.0
    assert round(gauge.look().clock_jump_s) == -3600


def test_disk_below_the_floor_is_a_reason_with_its_text_for_this_machine_alone(
    tmp_path: Path,
) -> None:
    with running(tmp_path, disk_floor_bytes=1 << 60, disk_floor_percent=100) as tracer:
        tracer.tracer.watch.look()
        assert codes(tracer) == ["disk_full"]
        here = TestClient(tracer.app.site, base_url="http://localhost", client=("127.0.0.1", 1))
        assert "nothing is accepted" in here.get("/ready").json()["reasons"][0]["text"]
        away = tracer.visitor.get("/ready").json()
        assert away == {"ready": False, "reasons": [{"code": "disk_full"}]}


def test_store_that_fails_is_a_reason(tracer: Running) -> None:
    gauge = Gauge(tracer.tracer, time.time)
    gauge.ask_stores()
    assert all(not probe.error for probe in gauge.look().stores.values())
    tracer.tracer.events.close()
    gauge.ask_stores()
    assert gauge.look().stores["events"].error


class Script:
    """A gauge that reads out what it was given, the last of it again and again."""

    def __init__(self, *looks: Look) -> None:
        self.looks = list(looks)

    def look(self) -> Look:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


def test_what_comes_and_goes_is_one_stall() -> None:
    good, bad = Look(free_bytes=10), Look(free_bytes=10, floor_bytes=20)
    watch = Watch(stall_after_s=15, tell=lambda *_: None)
    told: list[tuple[str, bool]] = []
    looks = [bad, good, bad, good, good, good, good, bad, *[good] * CALM_LOOKS, good, bad]
    watch.gauge = Script(*looks)  # type: ignore[assignment]
    for _ in looks:
        watch.look()
    while not watch._news.empty():
        stall, is_over = watch._news.get()  # type: ignore[misc]
        told.append((stall.sign.code, is_over))
    assert told == [("disk_full", False), ("disk_full", True), ("disk_full", False)]
    assert [sign.code for sign in watch.reasons] == ["disk_full"]
