"""Files of the data folder: whole SQLite files, who may read them, blobs, what crashes left."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from tracer.app.doctor.model import ERROR, WARNING, Finding, Place, plural
from tracer.storage import integrity
from tracer.storage.folder import Folder

OLD_S = 3600.0
#: What tracer makes in its folder. Others' files may lie beside it, as in a home directory.
OWN = (
    *("meta.db*", "spool.db*", "events.duckdb*", "blobs", "temp", "backups"),
    *("lock", "secret", "audit.key", "master.key*", "control.sock", "digest.mark"),
)
_SHOWN = 5


def sqlite(place: Place) -> Iterator[Finding]:
    """Pages and references of meta.db and spool.db."""
    for path in (place.folder.meta, place.folder.spool):
        faults = integrity.faults(path) if path.exists() else []
        place.step()
        if faults:
            yield Finding(
                ERROR,
                "damaged",
                f"{path.name} is damaged: {_some(faults)}.",
                "What lies on the damaged pages is lost or wrong, and more may follow.",
                _mending(path, place),
            )


def _mending(path: Path, place: Place) -> str:
    if path == place.folder.spool:
        return "Restart tracer: it keeps what can be read, and names what is lost."
    return "Stop tracer and restore a backup: `tracer restore`. Look at the disk."


def modes(place: Place) -> Iterator[Finding]:
    """Nobody but the server's user may read or enter anything."""
    open_ = [str(path.relative_to(place.folder.path)) for path in too_open(place.folder)]
    place.step()
    if open_:
        yield Finding(
            ERROR,
            "permissions",
            f"Others may read {plural(len(open_), 'file')} of the data folder: {_some(open_)}.",
            "Events, keys and secrets lie there for every user of this machine.",
            "`tracer doctor --fix` takes it from them (0600 for files, 0700 for folders).",
            (("modes", {}),),
        )


def too_open(folder: Folder) -> Iterator[Path]:
    """What of tracer's group or others may read, write or enter."""
    yield from filter(_is_open, (folder.path, *own(folder)))


def own(folder: Folder) -> Iterator[Path]:
    """Every file and folder that tracer made, links left out."""
    for pattern in OWN:
        for top in folder.path.glob(pattern):
            if top.is_symlink():
                continue
            yield top
            if top.is_dir():
                for root, folders, files in os.walk(top):
                    yield from (Path(root, name) for name in (*folders, *files))


def _is_open(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False  # it went meanwhile
    return not stat.S_ISLNK(mode) and bool(stat.S_IMODE(mode) & 0o077)


def leftovers(place: Place) -> Iterator[Finding]:
    """What a crash left half written."""
    old = [str(path.relative_to(place.folder.path)) for path in half_written(place.folder)]
    place.step()
    if old:
        yield Finding(
            WARNING,
            "leftovers",
            f"{plural(len(old), 'file')} half written: {_some(old)}.",
            "A crash left them; they only take space.",
            "`tracer doctor --fix` deletes them.",
            (("leftovers", {}),),
        )


def half_written(folder: Folder) -> Iterator[Path]:
    """Parts of blobs and of the master key that nobody has touched for an hour."""
    before = time.time() - OLD_S
    for path in (*folder.blobs.glob("*/*.part"), *folder.path.glob("master.key*.new")):
        try:
            if path.is_file() and path.lstat().st_mtime < before:
                yield path
        except OSError:
            continue


def blobs(place: Place) -> Iterator[Finding]:
    """Files that no attachment refers to, and attachments without their file."""
    orphans: list[str] = []
    for number in range(256):
        there = stored(place.folder, f"{number:02x}")
        used = {
            row[0]
            for row in place.reader.rows(
                "SELECT DISTINCT blob FROM attachments WHERE blob >= :first AND blob < :next",
                first=f"{number:02x}",
                next=f"{number:02x}g",
            )
        }
        before = time.time() - OLD_S
        orphans += [name for name, at in there.items() if name not in used and at < before]
        missing = sorted(used - set(stored(place.folder, f"{number:02x}")))
        if missing:
            yield Finding(
                ERROR,
                "missing-files",
                f"{plural(len(missing), 'attachment')} without their file: {_some(missing)}.",
                "They are listed and cannot be opened.",
                "Copy the files from a backup: blobs/ab/cdef… for abcdef….",
            )
        place.step()
    if orphans:
        yield Finding(
            WARNING,
            "orphans",
            f"{plural(len(orphans), 'file')} that no attachment refers to: {_some(orphans)}.",
            "A crash left them between file and row; they only take space.",
            "`tracer doctor --fix` deletes them.",
            tuple(
                ("orphans", {"digests": orphans[start : start + 500]})
                for start in range(0, len(orphans), 500)
            ),
        )


def stored(folder: Folder, prefix: str) -> dict[str, float]:
    """The blobs whose digest begins with two digits, with when they were written."""
    found: dict[str, float] = {}
    try:
        entries = list(os.scandir(folder.blobs / prefix))
    except OSError:
        return found
    for entry in entries:
        digest = prefix + entry.name.removesuffix(".zst")
        if len(digest) == 64 and entry.is_file(follow_symlinks=False):
            found[digest] = entry.stat(follow_symlinks=False).st_mtime
    return found


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
