"""The event store is opened anew after much was appended, and nobody notices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracer.storage.events import DuckEvents, Sql, duck
from tracer.storage.tables import PAYLOADS

COUNT = Sql("SELECT count(*) FROM payloads")
SLOW = Sql("SELECT count(*) FROM range(30000000) a, payloads WHERE a.range % 7 = 3")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DuckEvents]:
    monkeypatch.setattr(duck, "RENEW_ROWS", 10)
    store = DuckEvents(tmp_path / "events.duckdb", memory_limit="128MB", threads=2, temp=tmp_path)
    store.prepare((PAYLOADS,))
    yield store
    store.close()


def append(store: DuckEvents, frame: int, rows: int) -> None:
    row = (1, "a" * 32, None, 0, b"body", frame)
    store.append({PAYLOADS: [row] * rows})


def test_it_is_opened_anew_once_enough_was_appended(store: DuckEvents) -> None:
    append(store, 1, 9)
    assert not store.renew_if_due()
    append(store, 2, 1)
    assert store.renew_if_due()
    assert not store.renew_if_due(), "it counts from the beginning"
    assert store.select(COUNT) == [(10,)]
    append(store, 3, 10)
    assert store.renew_if_due()
    assert store.select(COUNT) == [(20,)]


def test_it_stays_open_while_somebody_reads(store: DuckEvents) -> None:
    append(store, 1, 10)
    begun, ended = threading.Event(), threading.Event()
    found = []

    def read() -> None:
        begun.set()
        found.append(store.select(SLOW))
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    begun.wait()
    while not ended.is_set():
        store.renew_if_due()
    reader.join()
    assert found == [[(42857140,)]]


def test_reads_and_appends_of_many_threads_go_on(store: DuckEvents) -> None:
    stop = threading.Event()
    counts: list[list[int]] = [[], []]
    faults = []

    def read(seen: list[int]) -> None:
        try:
            while not stop.is_set():
                seen.append(store.select(COUNT)[0][0])
        except Exception as fault:
            faults.append(fault)

    readers = [threading.Thread(target=read, args=(seen,)) for seen in counts]
    for reader in readers:
        reader.start()
    renewed = 0
    for frame in range(40):
        append(store, frame, 10)
        renewed += store.renew_if_due()
    stop.set()
    for reader in readers:
        reader.join()
    renewed += store.renew_if_due()
    assert faults == []
    assert renewed > 0
    assert all(seen == sorted(seen) for seen in counts)
    assert store.select(COUNT) == [(400,)]
