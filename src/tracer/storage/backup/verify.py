"""Checks a backup and brings it back into an empty folder. Never changes the backup."""

from __future__ import annotations

import shutil
from pathlib import Path

import apsw
import duckdb

from tracer.errors import Conflict, Invalid, Unavailable
from tracer.storage import migrate
from tracer.storage.backup import manifest as manifests
from tracer.storage.backup.copying import Tell, copy_file, count, sync
from tracer.storage.backup.manifest import Manifest
from tracer.storage.folder import Folder
from tracer.storage.spool.letters import steps

#: What makes a folder one of tracer: it comes last, so that half a restore is none.
_LAST = "meta.db"


def check(path: Path, tell: Tell) -> Manifest:
    """Read every byte of a backup and open each store. Invalid names what is wrong in one line."""
    manifest = manifests.read(path)
    _check_schemas(path, manifest)
    total = manifest.size_bytes
    done = 0
    for name, kept in manifest.files.items():
        file = path / name
        if file.is_symlink() or not file.is_file():
            raise Invalid(f"{path}: {name} is missing.")
        if file.stat().st_size != kept.bytes:
            raise Invalid(
                f"{path}: {name} has {file.stat().st_size} bytes and should have {kept.bytes}."
            )
        if manifests.sha256(file) != kept.sha256:
            raise Invalid(f"{path}: {name} is damaged: its checksum is another.")
        done += kept.bytes
        tell("checksums", done, total)
    found = {
        "meta": _open_sqlite(path / "meta.db"),
        "spool": _open_sqlite(path / "spool.db"),
        "events": _open_events(path / "events.duckdb"),
    }
    for store, tables in manifest.tables.items():
        for table, rows in tables.items():
            here = found.get(store, {}).get(table)
            if here != rows:
                raise Invalid(f"{path}: {store} has {here} rows of {table}, not {rows}.")
    return manifest


def restore(path: Path, folder: Folder, tell: Tell) -> Manifest:
    """Bring a backup back into a folder that is empty or not there; it is checked first.

    Raises Invalid (the backup), Conflict (the folder holds something), Unavailable (disk).
    """
    if folder.path.exists() and any(folder.path.iterdir()):
        raise Conflict(f"{folder.path} is not empty. A backup is restored into an empty folder.")
    manifest = check(path, tell)
    existed = folder.path.exists()
    folder.lock()
    try:
        _bring_back(path, folder.path, manifest, tell)
    except BaseException:
        for child in folder.path.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()
        if not existed:
            folder.path.rmdir()
        raise
    finally:
        folder.unlock()
    return manifest


def _bring_back(path: Path, to: Path, manifest: Manifest, tell: Tell) -> None:
    names = sorted(manifest.files, key=lambda name: name == _LAST)
    done = 0
    for name in names:
        target = to / (f".{name}.part" if name == _LAST else name)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = copy_file(path / name, target)
        if kept != manifest.files[name]:
            raise Unavailable(f"{name} was not copied as it is in the backup; try again.")
        done += kept.bytes
        tell("restore", done, manifest.size_bytes)
    for folder in {(to / name).parent for name in names}:
        sync(folder)
    (to / f".{_LAST}.part").rename(to / _LAST)
    sync(to)


def _check_schemas(path: Path, manifest: Manifest) -> None:
    known = {"meta": len(migrate.migrations()), "spool": len(steps())}
    for store, schema in manifest.schemas.items():
        if schema > known.get(store, 0):
            raise Invalid(
                f"{path} was made by a newer tracer ({manifest.program}: schema {schema} of "
                f"{store}, this one knows {known.get(store, 0)}): update tracer."
            )


def _open_sqlite(path: Path) -> dict[str, int]:
    # Immutable: nothing may appear beside the files of a backup.
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        connection = apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=flags)
        try:
            rows = connection.execute("PRAGMA quick_check(1)").fetchall()
            if rows != [("ok",)]:
                raise Invalid(f"{path} is damaged: {rows[0][0]}")
            return count(connection)
        finally:
            connection.close()
    except apsw.Error as error:
        raise Invalid(f"{path} cannot be opened: {error}") from error


def _open_events(path: Path) -> dict[str, int]:
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            names = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
            return {
                str(name): int(connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])  # noqa: S608
                for (name,) in names
            }
    except duckdb.Error as error:
        first = str(error).partition("\n")[0]
        raise Invalid(f"{path} cannot be opened: {first}") from error
