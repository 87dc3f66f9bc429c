"""What is wrong with a running server, from what was measured of it. Pure.

Each sign has a code for machines, what is wrong, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

#: A background task that runs longer than this is taken for stuck.
TASK_STUCK_S = 600.0
#: Frames that have waited longer than this are too late to be called digested.
BEHIND_S = 300.0
#: The wall clock may differ by so much from one look to the next.
CLOCK_JUMP_S = 5.0
#: The level at which the spool refuses everything.
ALL = 7
#: Full within this time, at the speed of the last minutes: somebody must act now.
FILLING_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Sign:
    """`blocks`: while it lasts, the server cannot accept or digest, and is not ready."""

    code: str
    text: str
    advice: str
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """One store: seconds since it last answered, and what it said when it failed."""

    silent_s: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What was measured at one moment. Times are seconds, sizes bytes. `low`: a file
    system is below its floor. `level`: how much the full spool refuses, 0 nothing, 7 everything."""

    waiting_frames: int = 0
    unmoved_s: float = 0.0
    oldest_s: float = 0.0
    digest_runs: bool = True
    worker_runs: bool = True
    task: str = ""
    task_s: float = 0.0
    loop_lag_s: float = 0.0
    clock_jump_s: float = 0.0
    write_held_s: float = 0.0
    free_bytes: int | None = None
    floor_bytes: int = 0
    low: bool = False
    level: int = 0
    full_in_s: float | None = None
    balances: bool = True
    stores: dict[str, Probe] = field(default_factory=dict)
    set_aside: tuple[str, ...] = ()


_STORES = {
    "meta": ("The database (meta.db)", "meta_unavailable"),
    "events": ("The event store (events.duckdb)", "events_unavailable"),
    "spool": ("The spool (spool.db)", "spool_unavailable"),
}


def signs(look: Look, stall_after_s: float) -> Iterator[Sign]:
    """Everything that is wrong in a look; the gravest first."""
    yield from _of_stores(look, stall_after_s)
    yield from _of_digest(look, stall_after_s)
    yield from _of_spool(look)
    yield from _of_disk(look)
    yield from _of_damage(look)
    yield from _of_process(look, stall_after_s)
    if not look.balances:
        yield Sign(
            "accounts_imbalance",
            "The accounts do not balance: items were accepted of which tracer cannot say what "
            "became.",
            "Run `tracer doctor`: it names the hours. The server's log names the batch.",
        )


def _of_stores(look: Look, stall_after_s: float) -> Iterator[Sign]:
    for name, probe in look.stores.items():
        title, code = _STORES[name]
        if probe.error:
            yield Sign(
                code,
                f"{title} cannot be read: {probe.error}",
                "Look at the disk and the server's log; restore a backup if the file is damaged.",
                blocks=True,
            )
        elif probe.silent_s > stall_after_s:
            yield Sign(
                code,
                f"{title} has not answered for {probe.silent_s:.0f} s.",
                "Look for a slow or failing disk. Restart the server if it goes on: what was "
                "accepted is on disk.",
                blocks=True,
            )


def _of_digest(look: Look, stall_after_s: float) -> Iterator[Sign]:
    if not look.digest_runs:
        yield Sign(
            "digest_stopped",
            "The digest thread has ended. Events are accepted and wait in the spool.",
            "Restart the server; its log says what ended the thread.",
            blocks=True,
        )
    elif look.waiting_frames and look.unmoved_s > stall_after_s:
        yield Sign(
            "digest_stalled",
            f"Digest has not moved for {look.unmoved_s:.0f} s while {look.waiting_frames:,} "
            "frames wait. Events are accepted and kept, and not yet shown.",
            "Look at the server's log for what digest waits for (disk, lock). Restart the server "
            "if it goes on: what was accepted is on disk.",
            blocks=True,
        )
    elif look.waiting_frames and look.oldest_s > BEHIND_S:
        yield Sign(
            "digest_behind",
            f"The oldest of {look.waiting_frames:,} waiting frames is {look.oldest_s:.0f} s old.",
            "More comes in than this machine digests: set rate limits, or give it faster "
            "processors and raise digest_processes.",
            blocks=True,
        )


def _of_spool(look: Look) -> Iterator[Sign]:
    if look.level:
        yield Sign(
            "overloaded",
            "The spool is full: everything is refused."
            if look.level >= ALL
            else "The spool is filling: the least important data is refused.",
            "More comes in than this machine digests: set quotas or rate limits, or give it "
            "faster processors. The log says what is refused.",
            blocks=look.level >= ALL,
        )


def _of_disk(look: Look) -> Iterator[Sign]:
    if look.free_bytes is None:
        yield Sign(
            "disk_unknown",
            "The free space of the data folder's disk cannot be read.",
            "Check that the disk is mounted and that the server may read it.",
            blocks=look.low,
        )
    elif look.low or look.free_bytes < look.floor_bytes:
        yield Sign(
            "disk_full",
            f"The disk has {_size(look.free_bytes)} free and must keep "
            f"{_size(look.floor_bytes)}: nothing is accepted.",
            "Free space on the disk, or make it larger. Accepting goes on by itself then.",
            blocks=True,
        )
    elif look.full_in_s is not None and look.full_in_s < FILLING_S:
        yield Sign(
            "disk_filling",
            f"At the speed of the last minutes the disk is full in {_span(look.full_in_s)}.",
            "Find what writes so much, free space, or make the disk larger.",
        )


def _of_damage(look: Look) -> Iterator[Sign]:
    if look.set_aside:
        yield Sign(
            "damaged_file_set_aside",
            f"A damaged file was set aside: {', '.join(look.set_aside)}. What only it held is not "
            "shown; everything else is, and what comes in is stored.",
            "Restore a backup that was made before. When nobody needs what was in it, move the "
            "file out of the data folder, and this goes away.",
        )


def _of_process(look: Look, stall_after_s: float) -> Iterator[Sign]:
    if look.loop_lag_s > stall_after_s / 4:
        yield Sign(
            "loop_blocked",
            f"The event loop has not run for {look.loop_lag_s:.0f} s: no request is answered.",
            "Look for a machine that is out of processor time or swaps. Restart the server if it "
            "goes on, and report it: nothing may block the loop.",
            blocks=True,
        )
    if look.write_held_s > stall_after_s:
        yield Sign(
            "write_stuck",
            f"A write to the database has been open for {look.write_held_s:.0f} s; "
            "all other writes wait for it.",
            "Look for a slow or failing disk. Restart the server if it goes on.",
            blocks=True,
        )
    if not look.worker_runs:
        yield Sign(
            "worker_stopped",
            "The thread of background work has ended: no mail is sent, nothing is cleaned up.",
            "Restart the server; its log says what ended the thread.",
        )
    elif look.task_s > TASK_STUCK_S:
        yield Sign(
            "task_stuck",
            f"The background task {look.task} has run for {look.task_s / 60:.0f} min; "
            "others wait for it.",
            "Wait if it is known to be large work, else restart the server: it is tried again.",
        )
    if look.clock_jump_s:
        way = "forward" if look.clock_jump_s > 0 else "back"
        yield Sign(
            "clock_jumped",
            f"The system's clock was moved {way} by {abs(look.clock_jump_s):.0f} s.",
            "Check the time service (chrony, systemd-timesyncd) of this machine.",
        )


def _size(number: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{max(seconds, 0) / 60:.0f} min"
