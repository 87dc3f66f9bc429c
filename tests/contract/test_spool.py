"""What the spool promises: nothing acknowledged is lost, doubled or reordered."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tracer.errors import Unavailable
from tracer.storage.disk import Floor
from tracer.storage.spool import Capacity, Frame, NewFrame, Spool

MIB = 1 << 20


def open_spool(folder: Path, *, max_bytes: int = 1 << 30, free_floor_bytes: int = 0) -> Spool:
    path = folder / "spool.db"
    floor = Floor([path], free_floor_bytes, 100)
    return Spool(path, capacity=Capacity(max_bytes), floor=floor)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = open_spool(tmp_path)
    yield spool
    spool.close()


def frame(body: bytes = b"body", project_id: int = 1) -> NewFrame:
    return NewFrame(project_id, "0123456789abcdef" * 2, 1_795_466_658.25, b'{"path":"/"}', body)


def bodies(spool: Spool) -> list[bytes]:
    return [each.body for each in spool.after(0, 10_000, 1 << 30)]


def wait_until(condition: object, timeout_s: float = 5.0) -> None:
    assert callable(condition)
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


async def append_all(spool: Spool, frames: list[NewFrame]) -> list[int]:
    return await asyncio.gather(*(spool.append(each) for each in frames))


@pytest.mark.parametrize(
    "new",
    [
        NewFrame(1, "k", 0.0, b"", b""),
        NewFrame(2**31, 'k"\\\u00fc', 1_795_466_658.123457, b"\x00'\"{", bytes(range(256))),
        NewFrame(3, "k", 1e-9, b'{"a":1}', os.urandom(3 * MIB)),
    ],
    ids=["empty", "odd", "large"],
)
def test_a_frame_comes_back_as_it_was_appended(spool: Spool, new: NewFrame) -> None:
    number = spool.append_sync(new)
    assert spool.after(0, 10, 1 << 30) == [
        Frame(number, new.project_id, new.key, new.received_at, new.head, new.body)
    ]


def test_frames_of_one_group_keep_their_own_bytes_and_order(spool: Spool) -> None:
    chance = random.Random(7)
    frames = [frame(chance.randbytes(chance.randint(0, 5000)), i) for i in range(300)]
    times = [chance.uniform(1.7e9, 1.9e9) for _ in frames]
    frames = [
        NewFrame(f.project_id, f.key, at, f.head, f.body)
        for f, at in zip(frames, times, strict=True)
    ]

    ids = asyncio.run(append_all(spool, frames))

    stored = spool.after(0, 1000, 1 << 30)
    assert ids == list(range(1, 301)) == [each.id for each in stored]
    assert [(f.project_id, f.received_at, f.body) for f in stored] == [
        (f.project_id, f.received_at, f.body) for f in frames
    ]


def test_loops_and_threads_append_at_once(spool: Spool) -> None:
    ids: list[int] = []

    def loop() -> None:
        ids.extend(asyncio.run(append_all(spool, [frame()] * 50)))

    def thread() -> None:
        ids.extend([spool.append_sync(frame()) for _ in range(20)])

    threads = [threading.Thread(target=target) for target in (loop, thread, loop, thread)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(ids) == list(range(1, 141))
    assert spool.depth == 140


def test_a_request_that_was_given_up_harms_no_other(spool: Spool) -> None:
    async def main() -> int:
        task = asyncio.create_task(spool.append(frame()))
        await asyncio.sleep(0)
        task.cancel()
        return await spool.append(frame())

    assert asyncio.run(main()) in {1, 2}


def test_after_stops_at_either_limit_but_gives_one_frame_at_least(spool: Spool) -> None:
    for size in (10, 1000, 10, 10):
        spool.append_sync(frame(b"x" * size))

    def sizes(position: int, limit: int, limit_bytes: int) -> list[int]:
        return [len(each.body) for each in spool.after(position, limit, limit_bytes)]

    assert sizes(0, 2, 1 << 20) == [10, 1000]
    assert sizes(0, 9, 500) == [10]
    assert sizes(1, 9, 500) == [1000]
    assert sizes(2, 9, 1 << 20) == [10, 10]
    assert sizes(4, 9, 1 << 20) == []


def test_wait_ends_when_a_frame_arrives(spool: Spool) -> None:
    assert spool.wait(0, 0.05) is False
    threading.Timer(0.1, spool.append_sync, [frame()]).start()
    began = time.monotonic()
    assert spool.wait(0, 5.0) is True
    assert time.monotonic() - began < 2
    assert spool.wait(0, 0) is True
    assert spool.wait(1, 0.01) is False


def test_a_nudge_ends_the_wait(spool: Spool) -> None:
    with ThreadPoolExecutor(1) as pool:
        waited = pool.submit(spool.wait, 10**6, 60.0)
        while not waited.done():
            spool.nudge()
            time.sleep(0.01)
        assert waited.result() is False


def test_forgotten_frames_go_and_their_ids_never_return(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    for _ in range(10):
        spool.append_sync(frame())
    spool.forget(7)
    wait_until(lambda: spool.depth == 3)
    assert [each.id for each in spool.after(0, 99, 1 << 20)] == [8, 9, 10]
    spool.forget(10)
    wait_until(lambda: spool.depth == 0)
    assert spool.waiting_bytes == 0
    spool.close()

    spool = open_spool(tmp_path)
    assert (spool.depth, spool.last_id) == (0, 10)
    assert spool.append_sync(frame()) == 11
    spool.close()


def test_forget_of_frames_still_to_come_forgets_none_of_them(spool: Spool) -> None:
    spool.append_sync(frame())
    spool.forget(50)
    wait_until(lambda: spool.depth == 0)
    assert spool.append_sync(frame()) == 2
    time.sleep(0.4)
    assert spool.depth == 1


def test_what_waits_is_still_there_after_opening_again(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append_sync(frame(b"a" * 100))
    spool.append_sync(frame(b"b" * 100))
    size = spool.waiting_bytes
    spool.close()

    spool = open_spool(tmp_path)
    assert (spool.depth, spool.waiting_bytes) == (2, size)
    assert bodies(spool) == [b"a" * 100, b"b" * 100]
    spool.close()


def test_what_waited_over_a_long_stop_is_not_old_at_the_start(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append_sync(NewFrame(1, "k", 0.0, b"{}", b"of 1970"))
    spool.close()
    spool = open_spool(tmp_path)
    load = spool.load()
    assert (load.level, load.frames) == (0, 1)
    assert load.age_s < 60
    spool.close()


def test_a_full_spool_refuses_and_takes_more_once_digested(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, max_bytes=5000)
    for _ in range(4):
        spool.append_sync(frame(b"x" * 1000))
    with pytest.raises(Unavailable) as refusal:
        spool.append_sync(frame(b"x" * 1000))
    assert refusal.value.retry_after_s
    assert spool.depth == 4

    spool.forget(2)
    wait_until(lambda: spool.depth == 2)
    assert spool.append_sync(frame(b"x" * 1000)) == 5
    spool.close()


def test_a_nearly_full_disk_refuses_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs
    status = list(real(tmp_path))
    status[4] = 1
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result(status))
    spool = open_spool(tmp_path, free_floor_bytes=10 * MIB)
    with pytest.raises(Unavailable, match="nearly full") as refusal:
        spool.append_sync(frame())
    assert refusal.value.retry_after_s

    monkeypatch.setattr(os, "statvfs", real)
    time.sleep(1.3)
    assert spool.append_sync(frame()) == 1
    spool.close()


def test_a_full_disk_acknowledges_nothing_that_is_not_stored(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    accepted = []
    refusals = []
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 * MIB, limits[1]))
    try:
        for number in range(300):
            body = number.to_bytes(2) * 4000
            try:
                spool.append_sync(frame(body))
                accepted.append(body)
            except Unavailable as refusal:
                refusals.append(refusal.retry_after_s)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert refusals
    assert all(refusals)
    assert spool.depth == len(accepted) == len(bodies(spool))
    size = spool.waiting_bytes

    accepted.append(b"after")
    spool.append_sync(frame(b"after"))

    assert bodies(spool) == accepted
    assert spool.waiting_bytes == size + len(frame(b"after").head) + 5
    spool.close()
    spool = open_spool(tmp_path)
    assert bodies(spool) == accepted
    spool.close()


def test_close_finishes_what_was_appended(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)

    async def main() -> list[int]:
        tasks = [asyncio.create_task(spool.append(frame())) for _ in range(100)]
        await asyncio.sleep(0)
        await asyncio.to_thread(spool.close)
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == list(range(1, 101))
    with pytest.raises(Unavailable):
        spool.append_sync(frame())
    assert [file.name for file in tmp_path.iterdir()] == ["spool.db"]


def test_the_log_and_the_file_stay_small_under_load(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    largest = 0
    batch = [frame(os.urandom(7000)) for _ in range(100)]
    for _ in range(100):
        last = asyncio.run(append_all(spool, batch))[-1]
        spool.forget(last)
        # A disk in memory takes more at once than is ever deleted at once.
        wait_until(lambda: spool.depth <= 2000)
        largest = max(largest, (tmp_path / "spool.db-wal").stat().st_size)
    wait_until(lambda: spool.depth == 0)
    spool.close()
    assert largest < 48 * MIB
    assert (tmp_path / "spool.db").stat().st_size < 48 * MIB


@pytest.mark.parametrize("after_s", [0.05, 0.2, 0.45])
def test_every_acknowledged_frame_survives_a_killed_process(tmp_path: Path, after_s: float) -> None:
    code = (
        "import asyncio, os, sys, test_spool as t; from pathlib import Path\n"
        f"spool = t.open_spool(Path({str(tmp_path)!r}))\n"
        "async def sender(n):\n"
        "    for i in range(10**6):\n"
        "        body = b'%d-%d' % (n, i)\n"
        "        number = await spool.append(t.frame(body * 300))\n"
        "        os.write(1, b'%d %s\\n' % (number, body))\n"
        "        if i % 50 == 49 and n == 0: spool.forget(number - 200)\n"
        "async def main(): await asyncio.gather(*(sender(n) for n in range(8)))\n"
        "os.write(1, b'start\\n'); asyncio.run(main())\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    threading.Timer(after_s, child.send_signal, [signal.SIGKILL]).start()
    lines = child.stdout.read().splitlines()
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    acknowledged = dict(line.split() for line in lines if len(line.split()) == 2)
    assert acknowledged

    spool = open_spool(tmp_path)
    stored = {each.id: each.body for each in spool.after(0, 10**6, 1 << 40)}
    oldest = min(stored)
    for number, body in acknowledged.items():
        if int(number) >= oldest:
            assert stored[int(number)].startswith(body + body)
    assert oldest <= max(1, max(map(int, acknowledged)) - 200)
    assert len(set(stored.values())) == len(stored)
    assert spool.append_sync(frame()) == max(stored) + 1
    spool.close()
