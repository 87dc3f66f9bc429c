"""What was acknowledged is there exactly once, whatever happens to the process or the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import re
import shutil
import time
from pathlib import Path

import apsw
import pytest

from e2e.senders import senders, stored_ids
from serving import Server, free_port, tracer

KILLS = 20


@pytest.mark.timeout(300)
def test_every_acknowledged_event_is_there_exactly_once_after_20_kills():
    acknowledged: list[str] = []
    with tracer() as server:
        for _ in range(KILLS):
            with senders(server) as threads:
                time.sleep(random.uniform(0.2, 1.2))
                server.kill()
            acknowledged += [id_ for thread in threads for id_ in thread.acknowledged]
            server.start()
        server.settle(len(acknowledged))
        server.stop()
        counted = server.stored()
        ids = stored_ids(server.data)
    assert len(acknowledged) > KILLS * 10
    assert set(acknowledged) - set(ids) == set()
    assert {id_: times for id_, times in ids.items() if times > 1} == {}
    assert counted == sum(ids.values())


def test_stop_finishes_what_was_accepted_within_five_seconds():
    with tracer() as server:
        with senders(server) as threads:
            time.sleep(1.5)
            took = server.stop()
        acknowledged = [id_ for thread in threads for id_ in thread.acknowledged]
        assert took < 5
        server.start()
        server.settle(len(acknowledged))
        server.stop()
        assert set(acknowledged) == set(stored_ids(server.data))


@contextlib.contextmanager
def small_disk(tmp_path: Path, megabytes: int, floor_bytes: int):
    """A running server whose data folder is a file system of its own with little space."""
    server = Server(
        tmp_path, free_port(), {"disk_floor_bytes": floor_bytes, "disk_floor_percent": 100}
    )
    server.data.mkdir()
    mount = f'mount -t tmpfs -o size={megabytes}m,mode=0700 tmpfs "$0" && exec "$@"'
    namespace = ["unshare", "--mount"]
    if os.geteuid():
        namespace += ["--user", "--map-root-user"]
    server.wrapper = (*namespace, "sh", "-c", mount, str(server.data))
    server.start()
    found = re.search(r"https?://[0-9a-f]{32}@\S+/(\d+)", server.log())
    assert found is not None, server.log()
    server.dsn, server.project_id = found[0], int(found[1])
    # The mount is visible only to the server; this is the way to it from outside.
    inside = Path(f"/proc/{server.pid}/root{server.data}")
    try:
        yield server, inside
    finally:
        server.stop()


def fill(folder: Path, leave_bytes: int) -> Path:
    """Take all space but `leave_bytes`; measured again when the server took some meanwhile."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        for _ in range(50):
            space = os.statvfs(folder)
            try:
                os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - leave_bytes)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            else:
                return ballast
    raise AssertionError("the disk could not be filled")


def rows_in(inside: Path, beside: Path) -> int:
    """Events of senders that the issues count, the server's own left out; read from a copy: SQLite
    cannot follow the way inside."""
    for name in ("meta.db", "meta.db-wal"):
        shutil.copy(inside / name, beside / name)
    with contextlib.closing(apsw.Connection(str(beside / "meta.db"))) as meta:
        sql = "SELECT coalesce(sum(event_count), 0) FROM issues WHERE title LIKE 'sender %'"
        return int(meta.execute(sql).get)


@pytest.mark.parametrize("floor_bytes", [0, 16 << 20])
def test_full_disk_is_answered_with_503_and_work_goes_on_when_space_returns(
    tmp_path: Path, floor_bytes: int
):
    with small_disk(tmp_path, 96, floor_bytes) as (server, inside):
        with senders(server) as threads:
            time.sleep(1)
            ballast = fill(inside, leave_bytes=1 << 20)
            deadline = time.monotonic() + 30
            while not all(thread.answers[503] > 5 for thread in threads):
                assert time.monotonic() < deadline, [thread.answers for thread in threads]
                time.sleep(0.1)
            ballast.unlink()
            before = [thread.answers[200] for thread in threads]
            while not all(t.answers[200] > n + 5 for t, n in zip(threads, before, strict=True)):
                assert time.monotonic() < deadline, [thread.answers for thread in threads]
                time.sleep(0.1)
        for thread in threads:
            assert set(thread.answers) == {200, 503}
            assert all(value and int(value) > 0 for value in thread.retry_after)
        acknowledged = sum(len(thread.acknowledged) for thread in threads)
        deadline = time.monotonic() + 30
        while rows_in(inside, tmp_path) < acknowledged and time.monotonic() < deadline:
            time.sleep(0.1)
        assert rows_in(inside, tmp_path) == acknowledged
        status, _ = server.get("/up")
        assert status == 200
