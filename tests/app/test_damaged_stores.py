"""Damaged files: the server says which, sets aside what it can do without, and serves the rest."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from harness import running
from tracer.errors import Invalid
from tracer.storage import folder as folders
from tracer.storage.folder import Folder


def spoil(path: Path, start: int) -> None:
    """Flip bits all over a file, from an offset on."""
    data = bytearray(path.read_bytes())
    for place in range(start, len(data), 97):
        data[place] ^= 0x55
    path.write_bytes(data)


@pytest.mark.parametrize("start", [0, 12_288], ids=["header", "middle"])
def test_a_damaged_event_store_is_set_aside_and_the_rest_is_served(
    tmp_path: Path, start: int, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    with running(data) as tracer:
        for number in range(20):
            tracer.send(message="before", extra={"number": number})
    spoil(Folder(data).events, start)
    with running(data) as tracer:
        (name, *_) = folders.damaged(data)
        assert name.startswith("events.duckdb.damaged-")
        assert "set aside" in caplog.text
        assert name in caplog.text
        page = tracer.page("/issues/").text
        assert "before" in page, "issues and counts are kept"
        event_id = tracer.send(message="after it")
        assert "after it" in tracer.page("/issues/").text
        stored = tracer.meta.read().value("SELECT sum(event_count) FROM issues")
        assert stored == 21
        issue = tracer.meta.read().value("SELECT id FROM issues WHERE title = 'after it'")
        assert tracer.page(f"/issues/{issue}/events/{event_id}/").status_code == 200
        tracer.tracer.watch.look()
        signs = {stall.sign.code: stall.sign for stall in tracer.tracer.watch.active}
        assert name in signs["damaged_file_set_aside"].text
        assert not signs["damaged_file_set_aside"].blocks
    (data / name).rename(tmp_path / name)
    with running(data) as tracer:
        tracer.tracer.watch.look()
        assert [s for s in tracer.tracer.watch.active if "damaged" in s.sign.code] == []


def test_a_damaged_database_is_named_at_the_start_and_nothing_is_changed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as tracer:
        tracer.send(message="kept")
    path = Folder(data).meta
    good = path.read_bytes()
    path.write_bytes(b"\x00" * 4096 + good[4096:])
    spoiled = path.read_bytes()
    with pytest.raises(Invalid, match=r"meta\.db is damaged.*restore a backup"), running(data):
        pass
    assert path.read_bytes() == spoiled
    path.write_bytes(good)
    with running(data) as tracer:
        assert "kept" in tracer.page("/issues/").text


def test_a_damaged_page_of_the_database_holds_frames_back_and_serves_the_rest(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with running(data) as tracer:
        tracer.send(message="before")
    root, size = _place(Folder(data).meta, "outcomes")
    spoiled = bytearray(Folder(data).meta.read_bytes())
    good = bytes(spoiled)
    spoiled[(root - 1) * size : root * size] = b"\xa5" * size
    Folder(data).meta.write_bytes(spoiled)
    with running(data) as tracer:
        tracer.send(message="waits", digest=False)
        assert not tracer.tracer.digest.settle(1.5)
        assert tracer.tracer.spool.letters.read.count() == 0
        assert tracer.page("/account/").status_code == 200
        needs_it = tracer.page("/projects/")
        assert needs_it.status_code == 503
        assert "A store is damaged" in needs_it.text
        assert tracer.tracer.spool.depth == 1
    for left in ("-wal", "-shm"):
        Path(f"{Folder(data).meta}{left}").unlink(missing_ok=True)
    Folder(data).meta.write_bytes(good)
    with running(data) as tracer:
        tracer.digest()
        assert "waits" in tracer.page("/issues/").text


def _place(path: Path, table: str) -> tuple[int, int]:
    """The root page of a table, and the size of a page."""
    connection = apsw.Connection(str(path))
    sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
    (row,) = connection.execute(sql, (table,)).fetchall()
    size = connection.pragma("page_size")
    connection.close()
    return int(row[0]), int(size)
