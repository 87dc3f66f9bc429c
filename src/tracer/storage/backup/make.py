"""Makes a backup: one moment of meta, spool and events, then the blobs; whole or not at all.

Digest writes meta and events inside one transaction of meta. Whoever holds meta's writer sees all
three at the same moment; copying them takes as long as it takes and holds nobody.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw

from tracer import __version__, clock
from tracer.errors import Invalid, NotFound, Problem, Unavailable
from tracer.storage.backup import manifest as manifests
from tracer.storage.backup.copying import Frozen, Tell, copy_file, private_folder, sync
from tracer.storage.backup.manifest import FORMAT, Kept, Manifest
from tracer.storage.events import DuckEvents
from tracer.storage.folder import Folder
from tracer.storage.keyring import write_keys

_PREFIX = "tracer-"
_PART = ".part"
_OWN_FILES = ("audit.key", "secret")


@dataclass(frozen=True, slots=True)
class Sources:
    """A locked folder and its open event store. `hold` keeps meta from being written meanwhile.

    `keys` are the master keys to put into the backup: none unless somebody asked for it.
    """

    folder: Folder
    events: DuckEvents
    hold: Callable[[], AbstractContextManager[object]]
    keys: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is there. `new_bytes` is what it takes beside those before it; `held_s` is how
    long writers of meta waited for it."""

    path: Path
    manifest: Manifest
    new_bytes: int = 0
    held_s: float = 0.0


def make(sources: Sources, to: Path, tell: Tell) -> Made:
    """Make a backup in the folder `to`. Nothing is there under its name before all of it is.

    Raises Invalid (the folder cannot be made or is the data folder), Unavailable (disk full).
    """
    private_folder(to)
    if to.resolve() == sources.folder.path.resolve():
        raise Invalid("A backup cannot lie in the data folder itself; a folder inside it is fine.")
    for left in to.glob(f".{_PREFIX}*{_PART}"):
        shutil.rmtree(left, ignore_errors=True)
    made_at = clock.now_ms()
    name = f"{_PREFIX}{datetime.fromtimestamp(made_at / 1000, UTC):%Y%m%dT%H%M%S}Z"
    taken = sum(1 for _ in to.glob(f"{name}*"))
    path = to / (f"{name}-{taken + 1}" if taken else name)
    part = to / f".{path.name}{_PART}"
    try:
        part.mkdir(mode=0o700)
        made = _fill(sources, part, made_at, next(iter(listing(to)), None), tell)
        sync(part)
        part.rename(path)
        sync(to)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise Unavailable(f"The backup failed: {error.strerror or error}") from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Made(path, made.manifest, made.new_bytes, made.held_s)


def listing(folder: Path) -> list[Made]:
    """The whole backups in a folder, newest first; what cannot be read is not among them."""
    found = []
    for path in folder.glob(f"{_PREFIX}*"):
        try:
            found.append(Made(path, manifests.read(path)))
        except Problem:
            continue
    found.sort(key=lambda made: (made.manifest.made_at, made.path.name), reverse=True)
    return found


def prune(folder: Path, keep: int) -> list[Path]:
    """Delete all but the newest `keep` backups; what was deleted."""
    gone = [made.path for made in listing(folder)[keep:]]
    for path in gone:
        # Its manifest first: half a backup is none.
        (path / manifests.NAME).unlink(missing_ok=True)
        shutil.rmtree(path)
    return gone


def _fill(sources: Sources, part: Path, made_at: int, before: Made | None, tell: Tell) -> Made:
    folder = sources.folder
    copy = folder.temp / f"backup-{made_at}.duckdb"
    files: dict[str, Kept] = {}
    with ExitStack() as stack:
        stack.callback(copy.with_name(copy.name + ".wal").unlink, missing_ok=True)
        stack.callback(copy.unlink, missing_ok=True)
        frozen_events = stack.enter_context(sources.events.freezing(copy))
        with sources.hold():
            held_at = time.perf_counter()
            meta, spool = Frozen(folder.meta), Frozen(folder.spool)
            stack.callback(meta.close)
            stack.callback(spool.close)
            frozen_events.freeze()
            held_s = time.perf_counter() - held_at
        tables = {"spool": spool.copy(part / "spool.db", tell)}
        spool.close()
        tables["meta"] = meta.copy(part / "meta.db", tell)
        meta.close()
        tell("events.duckdb", 0, 1)
        tables["events"] = frozen_events.copy()
        tell("events.duckdb", 1, 1)
        files["events.duckdb"] = _moved(copy, part / "events.duckdb")
    for name in ("spool.db", "meta.db"):
        files[name] = Kept((part / name).stat().st_size, manifests.sha256(part / name))
    for name in _OWN_FILES:
        if (folder.path / name).is_file():
            files[name] = copy_file(folder.path / name, part / name)
    if sources.keys:
        write_keys(part / "master.key", sources.keys)
        (part / "master.key").chmod(0o600)
        size = (part / "master.key").stat().st_size
        files["master.key"] = Kept(size, manifests.sha256(part / "master.key"))
    new_bytes = sum(kept.bytes for kept in files.values())
    new_bytes += _blobs(folder.blobs, part, before, files, tell)
    schemas = {"meta": meta.schema, "spool": spool.schema}
    manifest = Manifest(
        FORMAT,
        __version__,
        made_at,
        schemas,
        tables,
        _master_keys(part / "meta.db"),
        bool(sources.keys),
        files,
    )
    manifests.write(part, manifest)
    return Made(part, manifest, new_bytes, held_s)


def _moved(copy: Path, to: Path) -> Kept:
    """The file that DuckDB wrote, which it may do in the data folder only."""
    try:
        copy.rename(to)
    except OSError:
        return copy_file(copy, to)
    to.chmod(0o600)
    sync(to)
    return Kept(to.stat().st_size, manifests.sha256(to))


def _blobs(blobs: Path, part: Path, before: Made | None, files: dict[str, Kept], tell: Tell) -> int:
    """Link what the backup before has already, copy the rest; how many bytes were copied."""
    found = list(_blob_files(blobs))
    copied = 0
    for number, blob in enumerate(found, 1):
        name = f"blobs/{blob.parent.name}/{blob.name}"
        target = part / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = _linked(before, name, target)
        if kept is None:
            try:
                kept = copy_file(blob, target)
            except FileNotFoundError:
                # Deleted since the moment that the backup shows.
                target.unlink(missing_ok=True)
                continue
            copied += kept.bytes
        files[name] = kept
        if number % 100 == 0 or number == len(found):
            tell("blobs", number, len(found))
    if (part / "blobs").exists():
        for folder in sorted((part / "blobs").iterdir()):
            sync(folder)
        sync(part / "blobs")
    return copied


def _blob_files(blobs: Path) -> Iterator[Path]:
    for folder in sorted(blobs.iterdir()) if blobs.is_dir() else ():
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file.suffix != ".part":
                yield file


def _linked(before: Made | None, name: str, target: Path) -> Kept | None:
    kept = None if before is None else before.manifest.files.get(name)
    if before is None or kept is None:
        return None
    try:
        if (before.path / name).stat().st_size != kept.bytes:
            return None
        target.hardlink_to(before.path / name)
    except OSError:
        # A file system without hard links; or the limit of links is reached.
        return None
    return kept


def _master_keys(path: Path) -> list[str]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows = connection.execute("SELECT DISTINCT key_id FROM secrets ORDER BY key_id").fetchall()
    except apsw.SQLError:
        return []  # a store from before there were secrets
    finally:
        connection.close()
    return [str(key) for (key,) in rows]


def find(path: Path) -> Path:
    """A backup by its path, or the newest one of a folder of backups. NotFound."""
    if (path / manifests.NAME).exists():
        return path
    newest = next(iter(listing(path)), None) if path.is_dir() else None
    if newest is None:
        raise NotFound(f"{path} is no backup of tracer and holds none.")
    return newest.path
