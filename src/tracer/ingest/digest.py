"""The digest loop: frames from the spool, prepared, then stored in one transaction a batch.

Order of commits: event store first, SQLite with the position last. What a crash leaves between the
two is deleted at start and its frames are digested again: nothing lost, nothing twice.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tracer import priority
from tracer.errors import Unavailable
from tracer.ingest import balance, letters, outcomes, withheld
from tracer.ingest.items import Batch, Ended, ItemHandler
from tracer.ingest.lanes import Job, Lane
from tracer.ingest.mark import Mark
from tracer.ingest.prepare import PreparedFrame, PreparedItem
from tracer.ingest.quotas import Quotas
from tracer.ingest.spikes import Spikes
from tracer.projects.keys import KeyCache
from tracer.protocol.filter_rules import ProjectRules
from tracer.storage import sqlite
from tracer.storage.blobs import Blobs
from tracer.storage.events import EventStore
from tracer.storage.meta import Meta
from tracer.storage.spool import Frame, Spool

log = logging.getLogger("tracer.digest")

_CHUNK_FRAMES = 400
_CHUNK_BYTES = 16 << 20
_FULL_BYTES = _CHUNK_BYTES // 2
#: Small batches cost nearly as much as large ones, so one begins at most this often; the more
#: comes in, the longer it pays to gather.
_BATCH_EVERY_S = 0.25
_BUSY_BATCH_EVERY_S = 0.5
_BUSY_FRAMES = 50
_IDLE_WAIT_S = 0.1
_FLUSH_EVERY_S = 5.0
_BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_JITTER = (0.75, 1.25)
#: Little, for the thread holds the interpreter: on a busy machine it must not keep it for long.
_NICENESS = 5


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores that digest reads and writes, and where it notes what it is at."""

    meta: Meta
    events: EventStore
    spool: Spool
    blobs: Blobs
    mark: Mark


class Stopped(Exception):
    """The server stops while a fault is being waited out; the frames stay in the spool."""


class Digest:
    """One thread that turns frames into rows. `position` is the last frame whose fate is stored;
    `imbalance` says that items were once accepted of which nobody knows what became."""

    def __init__(
        self,
        stores: Stores,
        lane: Lane,
        handlers: Mapping[str, ItemHandler],
        keys: KeyCache,
        refusals: outcomes.Refusals,
        quotas: Quotas,
        spikes: Spikes,
    ) -> None:
        self._stores = stores
        self._lane = lane
        # Events first: what belongs to one that is not stored goes with it.
        self._handlers = dict(sorted(handlers.items(), key=lambda entry: entry[0] != "event"))
        self._keys = keys
        self._refusals = refusals
        self._quotas = quotas
        self._spikes = spikes
        #: Told how long each batch took in which step; see `kit.metrics.STEPS`.
        self.timed: Callable[[str, float], None] = lambda _step, _seconds: None
        self._stopping = threading.Event()
        #: Set while somebody waits for the digest of what is there: then no batch gathers.
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="digest", daemon=True)
        self._flushed_at = time.monotonic()
        self.position: int = stores.meta.read().value("SELECT frame FROM digest_position")
        self.imbalance = balance.is_noted(stores.meta.read())
        stores.events.forget_from(self.position + 1)
        stores.spool.reserve(self.position)
        stores.spool.forget(self.position)

    def start(self) -> None:
        """Begin digesting."""
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float) -> bool:
        """Finish the batch under way and end. False when it did not end in time."""
        self._stopping.set()
        self._hurry.set()
        self._stores.spool.nudge()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._lane.close()
        return not self._thread.is_alive()

    def settle(self, timeout_s: float) -> bool:
        """Wait until everything accepted so far is digested."""
        target, deadline = self._stores.spool.last_id, time.monotonic() + timeout_s
        self._hurry.set()
        while self.position < target and time.monotonic() < deadline:
            time.sleep(0.002)
        if not self._stopping.is_set():
            self._hurry.clear()
        return self.position >= target

    def _run(self) -> None:
        priority.lower_thread(_NICENESS)
        under_way: deque[tuple[Sequence[Frame], Job]] = deque()
        read = self.position
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                read = self._read_ahead(under_way, read)
                if not under_way:
                    self._flush_if_due()
                    self._lane.idle()
                    self._stores.spool.wait(read, _IDLE_WAIT_S)
                    continue
                frames, job = under_way.popleft()
                waited = time.perf_counter()
                prepared = job.result()
                self.timed("prepare", time.perf_counter() - waited)
                self._store(frames, prepared)
            except Stopped:
                break
            except Exception:
                # A fault outside any one frame: keep the position, look again from there.
                log.exception("digest: could not read the spool, trying again")
                under_way.clear()
                read = self.position
                self._stopping.wait(_jittered(_BACKOFF_S[-1]))
                continue
            if not under_way and not _is_full(frames) and read >= self._stores.mark.careful_through:
                every_s = _BATCH_EVERY_S if len(frames) < _BUSY_FRAMES else _BUSY_BATCH_EVERY_S
                self._hurry.wait(max(0.0, began + every_s - time.monotonic()))
        self.flush()

    def _read_ahead(self, under_way: deque[tuple[Sequence[Frame], Job]], read: int) -> int:
        # A further chunk only behind a full one: what trickles in meanwhile gathers to a batch.
        while not under_way or (len(under_way) < self._lane.depth and _is_full(under_way[-1][0])):
            began = time.perf_counter()
            limit = 1 if read < self._stores.mark.careful_through else _CHUNK_FRAMES
            frames = self._stores.spool.after(read, limit, _CHUNK_BYTES)
            if not frames:
                break
            self.timed("read", time.perf_counter() - began)
            under_way.append((frames, self._lane.submit(frames, self._rules(frames))))
            read = frames[-1].id
        return read

    def _rules(self, frames: Sequence[Frame]) -> dict[int, ProjectRules]:
        """Rules of the frames' projects; a project that is gone has none."""
        found = {id_: self._keys.project(id_) for id_ in {frame.project_id for frame in frames}}
        return {id_: project.rules for id_, project in found.items() if project}

    # Storing ------------------------------------------------------------------------------------

    def _store(self, frames: Sequence[Frame], prepared: Sequence[PreparedFrame]) -> None:
        """Store a chunk, waiting out faults that pass; a frame that cannot be stored is buried."""
        tries = 0
        if self._stores.mark.is_guilty(frames[-1].id):
            log.error("digest: tracer ended again and again storing frame %d", frames[0].id)
            failure = ("ProcessDied", "tracer ended while it stored this frame, more than once.")
            prepared = [_failed(one, failure) for one in prepared]
        while True:
            try:
                self._commit(frames, prepared)
                return
            except Unavailable as fault:
                self._back_off(tries, fault)
                tries += 1
            except Exception as error:
                if (damage := sqlite.damage(error)) is not None:
                    # Of a store, not of any frame: none may become a dead letter for it.
                    self._back_off(tries, damage)
                    tries += 1
                    continue
                self._stores.events.forget_from(frames[0].id)
                if len(frames) > 1:
                    half = len(frames) // 2
                    self._store(frames[:half], prepared[:half])
                    self._store(frames[half:], prepared[half:])
                    return
                log.error("digest: frame %d cannot be stored: %r", frames[0].id, error)
                failure = (type(error).__name__, traceback.format_exc(limit=-8))
                prepared = [_failed(prepared[0], failure)]

    def _back_off(self, tries: int, fault: Unavailable) -> None:
        delay_s = _jittered(_BACKOFF_S[min(tries, len(_BACKOFF_S) - 1)])
        log.warning("digest: %s; trying again in %.1f s", fault.detail, delay_s)
        if self._stopping.wait(delay_s):
            raise Stopped
        self._stores.events.forget_from(self.position + 1)

    def _commit(self, frames: Sequence[Frame], prepared: Sequence[PreparedFrame]) -> None:
        stores = self._stores
        for frame, result in zip(frames, prepared, strict=True):
            if result.failure:
                letters.bury(stores.spool, frame, result, self._keys.project(frame.project_id))
        refused = self._refusals.take()
        stores.mark.storing(frames[0].id, frames[-1].id)
        try:
            with stores.meta.write(unaudited="digest") as tx:
                began = time.perf_counter()
                batch = Batch(tx, stores.blobs, spikes=self._spikes)
                self._store_items(batch, prepared)
                self._balance(batch, prepared)
                outcomes.record_refused(tx, refused)
                letters.take_back(tx, frames)
                self._keys.flush_touches(tx)
                self._quotas.flush(tx)
                self._spikes.end(tx)
                tx.execute("UPDATE digest_position SET frame = :frame", frame=frames[-1].id)
                rows_at = time.perf_counter()
                if batch.rows:
                    stores.events.append(batch.rows)
                commit_at = time.perf_counter()
        except BaseException:
            self._refusals.give_back(refused)
            self._quotas.unsaved()
            self._spikes.forget()
            raise
        finally:
            stores.mark.clear()
        self.position = frames[-1].id
        stores.spool.forget(self.position)
        self.timed("sqlite", rows_at - began)
        self.timed("duckdb", commit_at - rows_at)
        self.timed("commit", time.perf_counter() - commit_at)

    def _store_items(self, batch: Batch, prepared: Sequence[PreparedFrame]) -> None:
        """Hand the batch's items to their handlers, type by type, and count each one's fate."""
        waiting: dict[str, list[tuple[int, PreparedItem]]] = {}
        for frame in prepared:
            if frame.failure:
                for category, quantity in frame.accepted.items():
                    key = (frame.project_id, category, outcomes.DEAD_LETTER, frame.failure[0])
                    batch.count(*key, quantity)
                continue
            for item in frame.items:
                if item.outcome:
                    _count(batch, frame.project_id, item, item.outcome, item.reason)
                    withheld.note(batch, frame.project_id, item)
                else:
                    waiting.setdefault(item.type, []).append((frame.project_id, item))
        for type_, handler in self._handlers.items():
            if entries := waiting.pop(type_, None):
                _store_type(batch, handler, entries)
        withheld.remember(batch)
        assert not waiting, f"items without a handler: {sorted(waiting)}"

    def _balance(self, batch: Batch, prepared: Sequence[PreparedFrame]) -> None:
        """Write down what was accepted and what became of it. Both must be the same."""
        accepted: dict[outcomes.Share, int] = {}
        for frame in prepared:
            for category, quantity in frame.accepted.items():
                share = frame.project_id, category
                accepted[share] = accepted.get(share, 0) + quantity
        outcomes.record_accepted(batch.tx, accepted)
        outcomes.record(batch.tx, batch.outcomes)
        missing = outcomes.differences(accepted, batch.outcomes)
        if missing:
            log.error("digest: the accounts do not balance: %r", missing)
            balance.note(batch.tx, missing)
            self.imbalance = True

    def _flush_if_due(self) -> None:
        if time.monotonic() - self._flushed_at >= _FLUSH_EVERY_S:
            self._flushed_at = time.monotonic()
            self.flush()

    def flush(self) -> None:
        """Write down refusals and key uses, where no batch does it."""
        refused = self._refusals.take()
        try:
            with self._stores.meta.write(unaudited="digest") as tx:
                outcomes.record_refused(tx, refused)
                self._keys.flush_touches(tx)
                self._quotas.flush(tx)
                self._spikes.end(tx)
        except Unavailable:
            self._refusals.give_back(refused)
            self._quotas.unsaved()
            self._spikes.forget()


def _failed(prepared: PreparedFrame, failure: tuple[str, str]) -> PreparedFrame:
    return msgspec.structs.replace(prepared, failure=failure)


def _jittered(delay_s: float) -> float:
    return delay_s * random.uniform(*_JITTER)  # noqa: S311


def _is_full(frames: Sequence[Frame]) -> bool:
    """Whether a chunk was cut at a limit, so that more waits behind it."""
    return len(frames) == _CHUNK_FRAMES or sum(len(frame.body) for frame in frames) >= _FULL_BYTES


def _store_type(
    batch: Batch, handler: ItemHandler, entries: Sequence[tuple[int, PreparedItem]]
) -> None:
    reasons = handler.store(batch, [item.value for _, item in entries])
    for (project_id, item), reason in zip(entries, reasons, strict=True):
        if isinstance(reason, Ended):
            _count(batch, project_id, item, *reason)
        else:
            outcome = outcomes.STORED if reason is None else outcomes.INVALID
            _count(batch, project_id, item, outcome, reason or "")


def _count(batch: Batch, project_id: int, item: PreparedItem, outcome: str, reason: str) -> None:
    batch.count(project_id, item.category, outcome, reason, item.quantity)


def after_each(pause_s: Callable[[], float]) -> Callable[[], Any]:
    """A `Pause` that sleeps as long as `pause_s` asks for it."""

    def pause() -> None:
        while (delay_s := pause_s()) > 0:
            time.sleep(delay_s)

    return pause
