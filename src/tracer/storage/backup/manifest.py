"""What a backup says of itself: `manifest.json`, and its checksum beside it. Does no more I/O."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import msgspec

from tracer.errors import Invalid, NotFound

#: Raised when an older program could not read a backup any more.
FORMAT = 1
NAME = "manifest.json"
SUM = "manifest.sha256"
CHUNK_BYTES = 1 << 20

#: What may lie in a backup. A name from outside is never used as a path before it is one of these.
_FILES = re.compile(
    r"meta\.db|spool\.db|events\.duckdb|audit\.key|secret|master\.key"
    r"|blobs/[0-9a-f]{2}/[0-9a-f]{62}(\.zst)?"
)


class Kept(msgspec.Struct, frozen=True):
    """One file of a backup; `sha256` is hexadecimal."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """`made_at` is the moment the copy shows, in unix milliseconds.

    `schemas` and `tables` (rows by table) are by store: meta, spool, events. `master_keys` names
    the keys that the stored secrets are sealed with, `has_master_key` says that they are in here.
    """

    format: int
    program: str
    made_at: int
    schemas: dict[str, int]
    tables: dict[str, dict[str, int]]
    master_keys: list[str]
    has_master_key: bool
    files: dict[str, Kept]

    @property
    def size_bytes(self) -> int:
        """Of all files, those shared with other backups included."""
        return sum(kept.bytes for kept in self.files.values())

    @property
    def blobs(self) -> int:
        return sum(name.startswith("blobs/") for name in self.files)


class _Format(msgspec.Struct):
    format: int
    program: str


def write(folder: Path, manifest: Manifest) -> None:
    """Write it and its checksum into a backup that is otherwise whole; both are synced."""
    raw = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    for name, data in ((NAME, raw), (SUM, hashlib.sha256(raw).hexdigest().encode() + b"\n")):
        with (folder / name).open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def read(folder: Path) -> Manifest:
    """The manifest of a backup. NotFound: there is none; Invalid: damaged, foreign or newer."""
    try:
        raw = (folder / NAME).read_bytes()
        sum_ = (folder / SUM).read_text("ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{folder} is no backup of tracer: it has no {NAME} or {SUM}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{folder}: the manifest cannot be read ({error}).") from None
    if hashlib.sha256(raw).hexdigest() != sum_:
        raise Invalid(f"{folder}: {NAME} is damaged: its checksum is another.")
    try:
        head = msgspec.json.decode(raw, type=_Format)
        if head.format > FORMAT:
            raise Invalid(
                f"{folder} was made by a newer tracer ({head.program}, backup format "
                f"{head.format}; this one knows {FORMAT}): update tracer."
            )
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.MsgspecError as error:
        raise Invalid(f"{folder}: {NAME} is not one of tracer ({error}).") from None
    for name in manifest.files:
        if not _FILES.fullmatch(name):
            raise Invalid(f"{folder}: {NAME} names {name!r}, which belongs to no backup.")
    missing = {"meta.db", "spool.db", "events.duckdb"} - set(manifest.files)
    if missing:
        raise Invalid(f"{folder}: {NAME} does not name {sorted(missing)[0]}.")
    return manifest


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
