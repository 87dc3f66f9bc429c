"""The machine below: clock, speed and space of the disk, open files, and background work."""

from __future__ import annotations

import os
import secrets
import statistics
import time
from collections.abc import Iterator

from tracer import clock
from tracer.app.doctor.model import ERROR, WARNING, Finding, Place, plural
from tracer.kit import tasks
from tracer.storage.disk import Floor

AHEAD_S = 60.0
JUMP_S = 0.05
WATCHED_S = 0.2
SYNCS = 10
SLOW_S = 0.05
VERY_SLOW_S = 0.5
FILES_MIN = 4096
OVERDUE_MS = 15 * 60_000


def clocks(place: Place) -> Iterator[Finding]:
    """Files and audit entries of the future, and a clock that jumps."""
    now = clock.now_ms() / 1000
    folder = place.folder
    times = [path.stat().st_mtime for path in (folder.meta, folder.spool) if path.exists()]
    times.append((place.reader.value("SELECT max(at) FROM audit") or 0) / 1000)
    ahead = max(times) - now
    if ahead > AHEAD_S:
        yield Finding(
            ERROR,
            "clock",
            f"The stores were written {ahead:,.0f} s in the future: the clock was set back.",
            "Times of events, delays and expiry are wrong until it has caught up.",
            "Set the clock, and keep it with NTP (`timedatectl set-ntp true`).",
        )
    wall, steady = time.time(), time.monotonic()
    time.sleep(WATCHED_S)
    jump = (time.time() - wall) - (time.monotonic() - steady)
    place.step()
    if abs(jump) > JUMP_S:
        yield Finding(
            WARNING,
            "clock-jumps",
            f"The clock jumped by {jump:+.2f} s within {WATCHED_S} s.",
            "Something sets it again and again; what is counted by the hour is misplaced.",
            "See that only one program sets the clock.",
        )


def disk(place: Place) -> Iterator[Finding]:
    """How long the disk takes to make a write durable, and how much room there is."""
    taken = statistics.median(_syncs(place))
    place.step()
    if taken > SLOW_S:
        yield Finding(
            ERROR if taken > VERY_SLOW_S else WARNING,
            "slow-disk",
            f"The disk takes {taken * 1000:,.0f} ms to make a write durable.",
            "Each acknowledged event waits for it, and digest for two of them a batch.",
            "Put the data folder on a local disk, best an SSD; no network file system.",
        )
    settings = place.settings
    floor = Floor((place.folder.path,), settings.disk_floor_bytes, settings.disk_floor_percent)
    low = floor.look()
    status = os.statvfs(place.folder.path)
    free, least = status.f_bavail * status.f_frsize, floor.bytes_of(place.folder.path)
    if low is not None or (least and free < 2 * least):
        yield Finding(
            ERROR if low is not None else WARNING,
            "space",
            f"{free >> 20:,} MiB of disk are free, the floor is {least >> 20:,} MiB.",
            "Below the floor nothing is accepted.",
            "Delete projects or issues that are not needed, or use a larger disk.",
        )


def _syncs(place: Place) -> list[float]:
    path = place.folder.temp / f"doctor-{secrets.token_hex(6)}"
    taken: list[float] = []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + SYNCS * VERY_SLOW_S
        while len(taken) < SYNCS and (not taken or time.monotonic() < until):
            began = time.perf_counter()
            os.write(fd, bytes(4096))
            os.fsync(fd)
            taken.append(time.perf_counter() - began)
    finally:
        os.close(fd)
        path.unlink(missing_ok=True)
    return taken


def open_files(place: Place) -> Iterator[Finding]:
    """How many files the process of the stores may open."""
    limit = place.ask("doctor_limits")["open_files"]
    place.step()
    if limit < FILES_MIN:
        yield Finding(
            WARNING,
            "open-files",
            f"At most {limit:,} files may be open"
            f"{'' if place.is_running else ' (of this shell; the server may have another limit)'}.",
            "Each connection is one: when they are used up, new ones are refused.",
            "LimitNOFILE=65536 in the systemd unit, or `ulimit -n 65536`.",
        )


def work(place: Place) -> Iterator[Finding]:
    """Background work that was given up, or that nobody does."""
    failed = tasks.failed_tasks(place.reader, limit=100)
    place.step()
    for task in failed:
        reason = (task.error or "").strip().rpartition("\n")[2][:120]
        yield Finding(
            WARNING,
            "failed-task",
            f"The task {task.id} ({task.name}) failed {task.tries} times: {reason}",
            "What it should do is not done.",
            "When its cause is mended, `tracer doctor --fix` has it tried again.",
            (("retry_task", {"task_id": task.id}),),
        )
    due_at = tasks.next_due_at(place.reader)
    if place.is_running and due_at is not None and clock.now_ms() - due_at > OVERDUE_MS:
        late = (clock.now_ms() - due_at) // 60_000
        yield Finding(
            ERROR,
            "overdue-task",
            f"A task is due for {plural(late, 'minute')}.",
            "Background work stands still: erasing, mail, schedules.",
            "Restart tracer, and look into its log.",
        )
