"""Backups for the command line and by schedule: made by the running server on a thread of its own,
else here on the locked folder. Opens no store of a running server."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tracer import clock, priority
from tracer.app import local
from tracer.errors import Conflict, Invalid, Problem
from tracer.features.audit import verify as chains
from tracer.kit import audit, control
from tracer.storage.backup import make as making
from tracer.storage.backup import verify as checking
from tracer.storage.events import DuckEvents
from tracer.storage.folder import Folder
from tracer.storage.meta import Meta
from tracer.storage.migrate import migrations
from tracer.storage.readonly import reading_any, schema_of

if TYPE_CHECKING:
    from tracer.kit.context import Tracer
    from tracer.settings import Settings
    from tracer.storage.backup.copying import Tell
    from tracer.storage.meta import Reader

FACT = "last_backup"
LOOK_S = 0.2
STOP_S = 3.0
#: A backup by schedule that failed is tried again after so long.
AGAIN_MS = 30 * 60_000
HOUR_MS = 3_600_000
_NICENESS = 5

log = logging.getLogger("tracer.backup")


class Last(msgspec.Struct, frozen=True):
    """How the last backup went. `at` and `good_at` (of the last that is whole) are unix
    milliseconds, 0: never."""

    at: int = 0
    path: str = ""
    bytes: int = 0
    ok: bool = True
    error: str = ""
    good_at: int = 0


class Backups:
    """The backup that a running server makes: one at a time, on a thread of its own."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._progress: tuple[str, int, int] = ("", 0, 0)
        self._result: dict[str, Any] = {}
        self._is_stopping = False

    def commands(self) -> Mapping[str, control.Command]:
        """What the control socket answers."""
        return {"backup_start": self.start, "backup_status": self.status}

    def start(
        self, to: str | None = None, with_master_key: bool = False, by_schedule: bool = False
    ) -> dict[str, Any]:
        """Begin one; Conflict while another is under way."""
        folder = _folder(self._tracer.settings, to)
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise Conflict("A backup is under way already.")
            _begin(self._tracer.meta, folder, with_master_key)
            self._progress, self._result = ("", 0, 0), {}
            context = contextvars.copy_context()
            self._thread = threading.Thread(
                target=context.run,
                args=(self._make, folder, with_master_key, by_schedule),
                name="backup",
                daemon=True,
            )
            self._thread.start()
        return {"folder": str(folder)}

    def status(self) -> dict[str, Any]:
        """How far it is; with `result` or `error` once it has ended."""
        step, done, total = self._progress
        return {"step": step, "done": done, "total": total, **self._result}

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the one under way."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def stop(self) -> None:
        """Give up a backup under way: nothing of it stays, or the next one removes it."""
        self._is_stopping = True
        self.join(STOP_S)

    def if_due(self, _tracer: Tracer) -> None:
        """Begin one when the schedule says so."""
        settings, now = self._tracer.settings, clock.now_ms()
        every_ms = settings.backup_every_hours * HOUR_MS
        last = last_backup(self._tracer.meta.read())
        wait_ms = every_ms if last.ok else min(every_ms, AGAIN_MS)
        if every_ms and now - last.at >= wait_ms:
            try:
                self.start(by_schedule=True)
            except Conflict:
                log.debug("a backup is under way already")

    def _make(self, folder: Path, with_master_key: bool, by_schedule: bool) -> None:
        priority.lower_thread(_NICENESS)
        tracer = self._tracer
        keyring = tracer.vault.keyring
        sources = making.Sources(
            Folder(tracer.settings.data),
            tracer.events,  # type: ignore[arg-type]
            partial(tracer.meta.write, unaudited="a moment that a backup shows"),
            keyring.keys if with_master_key and keyring is not None else (),
        )
        good_at = last_backup(tracer.meta.read()).good_at
        try:
            made = making.make(sources, folder, self._tell)
            if by_schedule:
                for gone in making.prune(folder, tracer.settings.backup_keep):
                    log.info("the old backup %s is deleted", gone)
            log.info("backup %s: %d bytes", made.path, made.manifest.size_bytes)
            note(tracer.meta, _good(made))
            self._result = {"result": told(made)}
        except Exception as error:
            text = error.detail if isinstance(error, Problem) else f"{type(error).__name__}"
            log.error("the backup failed: %s", text, exc_info=not isinstance(error, Problem))
            self._result = {"error": text}
            note(tracer.meta, Last(clock.now_ms(), str(folder), 0, False, text, good_at))

    def _tell(self, step: str, done: int, total: int) -> None:
        self._progress = (step, done, total)
        if self._is_stopping:
            raise Conflict("tracer is stopping; the backup was given up")


def last_backup(reader: Reader) -> Last:
    """How the last backup of this server went."""
    text = reader.value("SELECT value FROM facts WHERE name = :name", name=FACT)
    return Last() if text is None else msgspec.json.decode(text, type=Last)


def make(settings: Settings, to: str | None, with_master_key: bool, tell: Tell) -> dict[str, Any]:
    """Make a backup beside a running server or on a stopped one; what `told` says of it."""
    folder = Folder(settings.data)
    if folder.is_new:
        raise Invalid(f"There is nothing in {folder.path} yet.")
    wanted = None if to is None else str(Path(to).expanduser().absolute())
    began = control.call(folder.control, "backup_start", to=wanted, with_master_key=with_master_key)
    if began is None:
        return _make_here(settings, folder, _folder(settings, wanted), with_master_key, tell)
    while True:
        status = control.call(folder.control, "backup_status")
        if status is None:
            raise Conflict("The server stopped before the backup was whole; nothing of it stays.")
        if "error" in status:
            raise Conflict(status["error"])
        if "result" in status:
            result: dict[str, Any] = status["result"]
            return result
        tell(status["step"], status["done"], status["total"])
        time.sleep(LOOK_S)


def _make_here(
    settings: Settings, folder: Folder, to: Path, with_master_key: bool, tell: Tell
) -> dict[str, Any]:
    """On a stopped server: its stores stay as they are, also those of an older version."""
    with ExitStack() as stack:
        folder.lock()
        stack.callback(folder.unlock)
        keys: tuple[bytes, ...] = ()
        meta: Meta | None = None
        if schema_of(folder.meta) == len(migrations()):
            meta = Meta(folder.meta, audit_key=folder.audit_key())
            stack.callback(meta.close)
            keyring = local.open_vault(folder, settings, meta, with_missing=True).keyring
            keys = keyring.keys if with_master_key and keyring is not None else ()
            control.run(partial(_begin, meta), folder=to, with_master_key=with_master_key)
        elif with_master_key:
            raise Invalid(
                "These stores are of another version of tracer: make the backup without "
                "--with-master-key and copy the key by hand."
            )
        if not folder.spool.exists():
            local.open_spool(folder, settings).close()
        events = DuckEvents(
            folder.events,
            memory_limit=settings.duckdb_memory,
            threads=settings.duckdb_threads,
            temp=folder.temp,
        )
        stack.callback(events.close)
        made = making.make(making.Sources(folder, events, nullcontext, keys), to, tell)
        if meta is not None:
            note(meta, _good(made))
        return told(made)


def verify(path: Path, tell: Tell) -> dict[str, Any]:
    """Check a backup, or the newest one of a folder: every byte, every store, the audit log."""
    path = making.find(path.expanduser().absolute())
    manifest = checking.check(path, tell)
    if "audit_head" in manifest.tables["meta"]:
        with reading_any(path / "meta.db") as reader:
            key = bytes.fromhex((path / "audit.key").read_text("ascii"))
            verdict = chains.verify(reader, key)
        if verdict.broken:
            raise Invalid(f"{path}: the audit log is broken: {verdict.broken}")
    return told(making.Made(path, manifest))


def restore(settings: Settings, path: Path, tell: Tell) -> dict[str, Any]:
    """Bring a backup back into the data folder of these settings, which must be empty."""
    path = making.find(path.expanduser().absolute())
    folder = Folder(settings.data)
    manifest = checking.restore(path, folder, tell)
    return {"data": str(folder.path), **told(making.Made(path, manifest))}


def listing(settings: Settings, folder: Path | None) -> list[dict[str, Any]]:
    """The backups of a folder (default: that of the settings), newest first."""
    where = folder.expanduser().absolute() if folder else _folder(settings, None)
    return [told(made) for made in making.listing(where)]


def told(made: making.Made) -> dict[str, Any]:
    """A backup as JSON; `new_bytes` and `held_ms` are those of one that was just made."""
    manifest = made.manifest
    return {
        "path": str(made.path),
        "made_at": manifest.made_at,
        "program": manifest.program,
        "schemas": manifest.schemas,
        "bytes": manifest.size_bytes,
        "new_bytes": made.new_bytes,
        "held_ms": round(made.held_s * 1000, 1),
        "events": manifest.tables["events"].get("events", 0),
        "issues": manifest.tables["meta"].get("issues", 0),
        "waiting": manifest.tables["spool"].get("frames", 0),
        "dead_letters": manifest.tables["spool"].get("dead_letters", 0),
        "blobs": manifest.blobs,
        "master_keys": manifest.master_keys,
        "has_master_key": manifest.has_master_key,
    }


def note(meta: Meta, last: Last) -> None:
    """Keep how the last backup went, for pages and for the schedule."""
    try:
        with meta.write(unaudited="how the last backup went") as tx:
            tx.execute(
                "INSERT INTO facts (name, value) VALUES (:name, :value) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                name=FACT,
                value=msgspec.json.encode(last).decode(),
            )
    except Problem as problem:
        log.error("how the backup went could not be noted: %s", problem.detail)


def _good(made: making.Made) -> Last:
    at, size = made.manifest.made_at, made.manifest.size_bytes
    return Last(at, str(made.path), size, good_at=at)


def _begin(meta: Meta, folder: Path, with_master_key: bool) -> dict[str, Any]:
    after = {"folder": str(folder), "with_master_key": with_master_key}
    with meta.write() as tx:
        audit.record(tx, "backup.create", "server", "", after=after)
    return {}


def _folder(settings: Settings, to: str | None) -> Path:
    """Where backups go: what was asked for, the setting, or a folder in the data folder."""
    chosen = to or settings.backup_folder
    return Path(chosen).expanduser().absolute() if chosen else Folder(settings.data).backups
