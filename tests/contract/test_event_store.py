"""What every event store must do; run for each implementation of `EventStore`."""

# ruff: noqa: DTZ001 - the store's times are naive UTC

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tracer.errors import Invalid, Unavailable
from tracer.storage.counting import counted
from tracer.storage.events import DuckEvents, EventStore, Sql
from tracer.storage.tables import EVENTS, PAYLOADS, Column, Table

MOMENT = datetime(2026, 11, 23, 12, 30, 15, 250_000)
COUNT = Sql("SELECT count(*) FROM events")


def duck_file(folder: Path, **options: float) -> DuckEvents:
    store = DuckEvents(
        folder / "events.duckdb", memory_limit="128MB", threads=1, temp=folder / "temp", **options
    )
    store.prepare((EVENTS, PAYLOADS))
    return store


def duck_memory(_folder: Path, **options: float) -> DuckEvents:
    store = DuckEvents(None, memory_limit="128MB", threads=1, **options)
    store.prepare((EVENTS, PAYLOADS))
    return store


@pytest.fixture(params=[duck_memory, duck_file])
def make(request: pytest.FixtureRequest) -> Callable[..., EventStore]:
    return request.param


@pytest.fixture
def store(make: Callable[..., EventStore], tmp_path: Path) -> Iterator[EventStore]:
    store = make(tmp_path)
    yield store
    store.close()


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[DuckEvents]:
    store = duck_file(tmp_path)
    yield store
    store.close()


def event(number: int, **values: object) -> tuple[object, ...]:
    row: dict[str, object] = {
        "project_id": 1,
        "event_id": f"{number:032x}",
        "group_hash": "a" * 32,
        "timestamp": MOMENT + timedelta(seconds=number),
        "received_at": MOMENT,
        "level": 40,
        "type": "error",
        "platform": "python",
        "environment": "production",
        "release": None,
        "dist": None,
        "transaction": "/",
        "user_key": "id:1",
        "title": "ValueError: no",
        "culprit": "app in view",
        "is_handled": True,
        "has_attachments": False,
        "size_bytes": 22_000,
        "richness": 255,
        "tags": {"browser": "Firefox", "browser.name": "Firefox 127"},
        "frame": number,
    }
    row.update(values)
    return tuple(row.values())


def payload(number: int, body: bytes = b"body", **values: object) -> tuple[object, ...]:
    row: dict[str, object] = {
        "project_id": 1,
        "event_id": f"{number:032x}",
        "timestamp": MOMENT + timedelta(seconds=number),
        "dictionary": 0,
        "body": body,
        "frame": number,
    }
    row.update(values)
    return tuple(row.values())


def count(store: EventStore, table: Table = EVENTS) -> int:
    return store.select(Sql(f"SELECT count(*) FROM {table.name}"))[0][0]


def test_rows_come_back_as_they_were_appended(store: EventStore) -> None:
    rows = [event(1), event(2, tags={}, is_handled=None, title='"ü\U0001f600" \\ \x00')]
    bodies = [payload(1, bytes(range(256)) * 40), payload(2, b"")]

    store.append({EVENTS: rows, PAYLOADS: bodies})

    assert store.select(Sql("SELECT * FROM events ORDER BY frame")) == rows
    assert store.select(Sql("SELECT * FROM payloads ORDER BY frame")) == bodies


def test_times_with_a_zone_are_stored_as_utc(store: EventStore) -> None:
    plus_two = timezone(timedelta(hours=2))
    store.append({EVENTS: [event(1, timestamp=datetime(2026, 1, 1, 12, tzinfo=plus_two))]})

    found = store.select(
        Sql("SELECT timestamp FROM events WHERE timestamp = $at"),
        at=datetime(2026, 1, 1, 10, tzinfo=UTC),
    )

    assert found == [(datetime(2026, 1, 1, 10),)]


def test_times_with_a_zone_are_stored_as_utc_wherever_the_server_stands(tmp_path: Path) -> None:
    code = (
        "import test_event_store as t; from pathlib import Path; from datetime import *\n"
        f"s = t.duck_file(Path({str(tmp_path)!r}))\n"
        "s.append({t.EVENTS: [t.event(1, timestamp=datetime(2026, 1, 1, 12, tzinfo=UTC))]})\n"
        "print(s.select(t.Sql('SELECT timestamp FROM events'))[0][0])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TZ": "America/New_York"},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "2026-01-01 12:00:00"


def test_tags_are_found_by_name_whether_checkpointed_or_not(store: EventStore) -> None:
    tags = [{"browser": "Firefox"}, {"browser.name": "x", "k": "v"}, {}]
    store.append({EVENTS: [event(i, tags=each) for i, each in enumerate(tags)]})
    by_tag = Sql("SELECT tags[$name]::VARCHAR FROM events ORDER BY frame")

    assert store.select(by_tag, name="browser") == [("Firefox",), (None,), (None,)]
    assert store.select(by_tag, name="browser.name") == [(None,), ("x",), (None,)]
    assert store.select(by_tag, name="none") == [(None,), (None,), (None,)]


def test_lists_are_parameters_empty_ones_too(store: EventStore) -> None:
    store.append({EVENTS: [event(i, group_hash=f"{i % 3}" * 32) for i in range(6)]})
    some = Sql("SELECT count(*) FROM events WHERE group_hash IN $hashes")

    assert store.select(some, hashes=["0" * 32, "2" * 32, "x"]) == [(4,)]
    assert store.select(some, hashes=[]) == [(0,)]


def test_tables_are_appended_together_or_not_at_all(store: EventStore) -> None:
    store.append({EVENTS: [event(1)], PAYLOADS: [payload(1)]})

    with pytest.raises(Exception, match=r".+"):
        store.append({EVENTS: [event(2)], PAYLOADS: [payload(2), payload(3, dictionary="no")]})
    with pytest.raises(Exception, match=r".+"):
        store.append({PAYLOADS: [payload(2)], EVENTS: [event(2), event(3, level="no")]})

    assert (count(store, EVENTS), count(store, PAYLOADS)) == (1, 1)
    store.append({EVENTS: [event(2)], PAYLOADS: [payload(2)]})
    assert (count(store, EVENTS), count(store, PAYLOADS)) == (2, 2)


def test_forget_from_deletes_a_frame_and_all_later_ones(store: EventStore) -> None:
    store.append({EVENTS: [event(i) for i in range(1, 8)], PAYLOADS: [payload(i) for i in (1, 6)]})

    assert store.forget_from(5) == 4
    assert store.forget_from(5) == 0

    assert store.select(Sql("SELECT max(frame) FROM events")) == [(4,)]
    assert store.select(Sql("SELECT max(frame) FROM payloads")) == [(1,)]


def test_erase_deletes_what_is_named_and_nothing_of_another_project(store: EventStore) -> None:
    rows = [
        event(10 * project + i, project_id=project, group_hash=f"{i % 2}" * 32)
        for project in (1, 2)
        for i in range(4)
    ]
    store.append({EVENTS: rows})

    assert store.erase(EVENTS, 1, group_hashes=["0" * 32]) == 2
    assert store.erase(EVENTS, 1, event_ids=[f"{11:032x}", f"{21:032x}"]) == 1
    assert store.erase(EVENTS, 1, event_ids=[]) == 0
    assert store.select(Sql("SELECT frame FROM events WHERE project_id = 1")) == [(13,)]
    assert store.erase(EVENTS, 1) == 1
    assert count(store) == 4


def test_a_new_column_is_added_and_filled_whatever_its_place(
    make: Callable[..., EventStore], tmp_path: Path
) -> None:
    store = make(tmp_path)
    store.append({PAYLOADS: [payload(1)], EVENTS: [event(1)]})
    wider = [
        Table(table.name, (Column("extra", "VARCHAR"), *table.columns), table.order_by)
        for table in (EVENTS, PAYLOADS)
    ]

    store.prepare(wider)
    store.append({wider[0]: [("e", *event(2))], wider[1]: [("p", *payload(2))]})

    for table, new in zip(wider, "ep", strict=True):
        rows = store.select(Sql(f"SELECT frame, extra FROM {table.name} ORDER BY frame"))
        assert rows == [(1, None), (2, new)]
    store.close()


def test_a_query_that_takes_too_long_is_interrupted(
    make: Callable[..., EventStore], tmp_path: Path
) -> None:
    store = make(tmp_path, timeout_s=0.3)
    began = time.monotonic()

    with pytest.raises(Unavailable, match="too long"):
        store.select(Sql("SELECT count(*) FROM range(3000000) a, range(3000000) b WHERE a <> b"))

    assert time.monotonic() - began < 3
    assert count(store) == 0
    store.close()


def test_threads_read_while_one_appends(store: EventStore) -> None:
    stop, errors, seen = threading.Event(), [], []

    def read() -> None:
        try:
            while not stop.is_set():
                seen.append(count(store))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for batch in range(10):
        store.append({EVENTS: [event(batch * 20 + i) for i in range(20)]})
    stop.set()
    for thread in threads:
        thread.join()

    assert not errors
    assert {n % 20 for n in seen} == {0}
    assert count(store) == 200


def test_selects_count_towards_the_query_budget(store: EventStore) -> None:
    with counted() as counter:
        count(store)
        count(store)
    assert counter.count == 2


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY events TO '/tmp/never-written.csv'",
        "SET memory_limit = '8GB'",
        "ATTACH '/tmp/never-written.duckdb'",
        "INSTALL httpfs",
    ],
)
def test_sql_reaches_nothing_outside_the_data_folder(file_store: DuckEvents, text: str) -> None:
    with pytest.raises(Exception, match=r"Permission|configuration|not found|does not exist"):
        file_store.select(Sql(text))
    assert not list(Path("/tmp").glob("never-written*"))


def test_rows_are_there_after_closing_and_opening(tmp_path: Path) -> None:
    store = duck_file(tmp_path)
    store.append({EVENTS: [event(1)], PAYLOADS: [payload(1)]})
    store.close()

    store = duck_file(tmp_path)
    assert store.select(Sql("SELECT * FROM events")) == [event(1)]
    store.close()


def test_what_was_appended_survives_a_killed_process(tmp_path: Path) -> None:
    code = (
        "import test_event_store as t, os, signal; from pathlib import Path\n"
        f"s = t.duck_file(Path({str(tmp_path)!r}))\n"
        "for i in range(5): s.append({t.EVENTS: [t.event(i)], t.PAYLOADS: [t.payload(i)]})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, check=False, capture_output=True
    )
    assert run.returncode == -signal.SIGKILL, run.stderr

    store = duck_file(tmp_path)
    assert (count(store, EVENTS), count(store, PAYLOADS)) == (5, 5)
    store.close()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.duckdb"
    path.write_bytes(os.urandom(50_000))
    with pytest.raises(Invalid, match=r"events\.duckdb .*restore a backup"):
        duck_file(tmp_path)


def test_a_file_damaged_in_its_middle_is_named(tmp_path: Path) -> None:
    store = duck_file(tmp_path)
    store.append({EVENTS: [event(i) for i in range(100)]})
    store.close()
    path = tmp_path / "events.duckdb"
    data = bytearray(path.read_bytes())
    for place in range(12_288, len(data), 97):
        data[place] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(Invalid, match=r"events\.duckdb .*restore a backup"):
        duck_file(tmp_path)


def test_a_second_process_on_the_file_is_refused(file_store: DuckEvents, tmp_path: Path) -> None:
    code = (
        "import test_event_store as t; from pathlib import Path\n"
        "from tracer.errors import Conflict\n"
        f"try: t.duck_file(Path({str(tmp_path)!r}))\n"
        "except Conflict as error: print(error.detail)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "in use by another process" in run.stdout
    file_store.append({EVENTS: [event(1)]})


@pytest.mark.parametrize("room_bytes", [300_000, 17_000_000, 20_000_000])
def test_a_full_disk_stores_nothing_by_halves_and_work_goes_on(
    file_store: DuckEvents, room_bytes: int
) -> None:
    """The three sizes let it fail in the log, or when the log is written back."""
    stop = threading.Event()
    reader = threading.Thread(target=read_until, args=(file_store, stop))
    reader.start()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, limits[1]))
    try:
        done = append_until_refused(file_store, 0)
        done = append_until_refused(file_store, done)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    for batch in range(done, done + 5):
        retry(file_store, batch)
    stop.set()
    reader.join()

    rows = file_store.select(Sql("SELECT count(*), count(DISTINCT frame) FROM payloads"))
    assert rows == [((done + 5) * 20, (done + 5) * 20)]


def read_until(store: EventStore, stop: threading.Event) -> None:
    """Pages go on asking meanwhile. Anything but Unavailable fails the test."""
    while not stop.is_set():
        with suppress(Unavailable):
            store.select(Sql("SELECT max(octet_length(body)) FROM payloads"))


def append_until_refused(store: EventStore, batch: int) -> int:
    """The batch that was refused."""
    for each in range(batch, batch + 100):
        try:
            retry(store, each)
        except Unavailable as refusal:
            assert refusal.retry_after_s  # noqa: PT017
            return each
    raise AssertionError("the disk was never full")


def retry(store: EventStore, batch: int) -> None:
    """As digest does it: a batch that failed may have been stored all the same."""
    frames = range(batch * 20, batch * 20 + 20)
    store.forget_from(frames[0])
    store.append({PAYLOADS: [payload(frame, os.urandom(20_000)) for frame in frames]})
