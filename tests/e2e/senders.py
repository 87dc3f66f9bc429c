"""Clients that send small errors without a rest and remember which were acknowledged."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb

from serving import Server


class Sender(threading.Thread):
    """Sends small errors one after another and remembers which were acknowledged."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.number = number
        self.acknowledged: list[str] = []
        self.answers: Counter[int] = Counter()
        self.retry_after: set[str | None] = set()
        self.ending = threading.Event()

    def run(self) -> None:
        path = f"/api/{self.server.project_id}/store/?sentry_key={self.server.key}"
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        while not self.ending.is_set():
            event_id = uuid.uuid4().hex
            event = {
                "event_id": event_id,
                "message": f"sender {self.number} failed in step {random.choice('abcdefgh')}",
                "extra": {"blob": os.urandom(3000).hex()},
            }
            try:
                connection.request("POST", path, json.dumps(event))
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                time.sleep(0.01)
                continue
            self.answers[answer.status] += 1
            if answer.status == 200:
                assert json.loads(body)["id"] == event_id
                self.acknowledged.append(event_id)
            else:
                self.retry_after.add(answer.getheader("Retry-After"))
                time.sleep(0.01)
        connection.close()


@contextlib.contextmanager
def senders(server: Server, count: int = 4) -> Iterator[list[Sender]]:
    threads = [Sender(server, number) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        for thread in threads:
            thread.ending.set()
        for thread in threads:
            thread.join(15)


def stored_ids(data: Path) -> Counter[str]:
    """Ids in the event store of a stopped server, each with how often it is there."""
    with duckdb.connect(str(data / "events.duckdb"), read_only=True) as events:
        rows = events.execute("SELECT event_id FROM events").fetchall()
        payloads = events.execute("SELECT event_id FROM payloads").fetchall()
    ids = Counter(row[0] for row in rows)
    assert ids == Counter(row[0] for row in payloads)
    return ids
