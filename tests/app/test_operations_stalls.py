"""Stalls: /ready turns, administrators are mailed once when one begins and once when it is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import Running, running
from mail_sink import mail_server
from tracer.accounts.actions import set_server_admin

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
