"""A start with a damaged spool: what can be read is digested once, what is lost is named."""

from __future__ import annotations

import json
import os

import apsw
import pytest

from harness import envelope, running
from tracer import clock
from tracer.storage.disk import Floor
from tracer.storage.spool import Capacity, NewFrame, Spool

FRAMES = 40


@pytest.fixture
def data(tmp_path):
    """A data folder with 3 digested events and 40 that wait."""
    folder = tmp_path / "data"
    with running(folder) as tracer:
        for _ in range(3):
            tracer.send(message="digested before")
        project, key = tracer.project.id, tracer.key
    path = folder / "spool.db"
    spool = Spool(path, capacity=Capacity(1 << 30), floor=Floor([path], 0, 100))
    for _ in range(FRAMES):
        event_id = clock.new_id()
        event = {"event_id": event_id, "message": "waited", "extra": {"x": os.urandom(1500).hex()}}
        body = envelope({"event_id": event_id}, [({"type": "event"}, event)])
        head = json.dumps({"kind": "envelope"}).encode()
        spool.append_sync(NewFrame(project, key, clock.now_s(), head, body))
    spool.close()
    return folder


def damage_middle_leaf(path):
    with apsw.Connection(str(path)) as file:
        sql = "SELECT pageno FROM dbstat WHERE name = 'frames' AND pagetype = 'leaf'"
        pages = [row[0] for row in file.execute(sql)]
    file.close()
    with path.open("r+b") as raw:
        raw.seek((sorted(pages)[len(pages) // 2] - 1) * 8192)
        raw.write(os.urandom(8192))


def counts(tracer):
    rows = tracer.meta.read().rows("SELECT title, event_count FROM issues")
    return dict(rows)


def test_what_can_be_read_of_a_damaged_spool_is_digested_once(data, caplog):
    damage_middle_leaf(data / "spool.db")
    for _ in range(2):
        with running(data) as tracer:
            tracer.digest()
            found = counts(tracer)
            assert found["digested before"] == 3
            assert FRAMES - 10 <= found["waited"] < FRAMES
            assert tracer.meta.read().value("SELECT count(*) FROM recent_events") == sum(
                found.values()
            )
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 1
    assert f"{FRAMES - found['waited']} frames are lost" in said[0]


def test_events_after_the_loss_of_a_whole_spool_are_digested(data, caplog):
    (data / "spool.db").write_bytes(b"nonsense" * 5000)
    with running(data) as tracer:
        tracer.send(message="after")
        assert counts(tracer) == {"digested before": 3, "after": 1}
    assert "nobody can know how many are lost" in caplog.text


def test_events_after_the_spool_was_deleted_are_digested(data, caplog):
    (data / "spool.db").unlink()
    with running(data) as tracer:
        tracer.send(message="after")
        assert counts(tracer) == {"digested before": 3, "after": 1}
    assert "The spool ends at frame 0, digest is at 3" in caplog.text
