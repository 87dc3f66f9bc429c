"""Where the master keys are: the environment, a file that somebody keeps, or the data folder.

The first key of the first place seals, every other one still opens. Only files are ever changed.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tracer.errors import Conflict, Invalid
from tracer.storage.vault import KEY_BYTES, Vault, key_id

ENVIRONMENT = "environment"
KEY_FILE = "key file"
FOLDER = "data folder"


@dataclass(frozen=True, slots=True)
class Kept:
    """One place and its keys, the one that seals first. `path` is None for the environment."""

    place: str
    path: Path | None
    keys: tuple[bytes, ...]


class Keyring:
    """The master keys of one data folder. Reads its places once; changes need the folder's lock."""

    def __init__(
        self,
        folder_file: Path,
        *,
        given: str = "",
        key_file: Path | None = None,
        used: Collection[str] = (),
    ) -> None:
        """`given` is what TRACER_MASTER_KEY holds, `used` the names of keys that seal something.

        A key is made in the folder when no place holds one and nothing is sealed yet. Invalid when
        a key cannot be read; `check` says whether one is missing.
        """
        self._folder_file = folder_file
        self._used = frozenset(used)
        self.places: list[Kept] = []
        if given:
            self.places.append(Kept(ENVIRONMENT, None, parse_keys(given, "TRACER_MASTER_KEY")))
        if key_file is not None:
            self.places.append(Kept(KEY_FILE, key_file, _read(key_file)))
        if folder_file.exists():
            self.places.append(Kept(FOLDER, folder_file, _read(folder_file)))
        elif not self.places and not self._used:
            self.make()

    def make(self) -> None:
        """A first key in the folder, unless some place holds one."""
        if not self.places:
            key = secrets.token_bytes(KEY_BYTES)
            write_keys(self._folder_file, (key,))
            self.places.append(Kept(FOLDER, self._folder_file, (key,)))

    @property
    def missing(self) -> list[str]:
        """The names of keys that seal something and that no place holds."""
        return sorted(self._used - set(ids(self.keys)))

    def check(self) -> None:
        """Invalid, in one line, when a key is missing that something is sealed with."""
        missing = self.missing
        if not missing:
            return
        given = ", ".join(f"{key_id(kept.keys[0])} ({kept.place})" for kept in self.places)
        raise Invalid(
            f"Stored secrets are sealed with the master key {', '.join(missing)}, and it is not "
            f"here (found: {given or 'none'}). Put it back in TRACER_MASTER_KEY, "
            f"TRACER_MASTER_KEY_FILE or {self._folder_file}; if it is lost for good, `tracer "
            "secrets forget-lost` forgets what nobody can read any more."
        )

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All keys, the one that seals first."""
        return tuple(dict.fromkeys(key for kept in self.places for key in kept.keys))

    @property
    def newest(self) -> Kept:
        """The place whose first key seals."""
        return self.places[0]

    def vault(self) -> Vault:
        """A vault with these keys; with a key of its own that opens nothing when there is none."""
        newest, *older = self.keys or (secrets.token_bytes(KEY_BYTES),)
        return Vault(newest, tuple(older), keyring=self)

    def add_key(self) -> bytes:
        """A new key in front of the others, on disk before this returns.

        Conflict when the environment holds the key: this process cannot change it.
        """
        first = self.newest
        if first.path is None:
            raise Conflict(
                "The master key comes from the environment. Put a new one in front of it "
                "(TRACER_MASTER_KEY=new,old; `tracer secrets new-key` prints one), start the "
                "server again and repeat this command."
            )
        key = secrets.token_bytes(KEY_BYTES)
        keys = (key, *first.keys)
        write_keys(first.path, keys)
        self.places[0] = Kept(first.place, first.path, keys)
        return key

    def drop_older(self) -> list[str]:
        """Take every key but the newest out of the files; what still holds an old one.

        Only when nothing is sealed with them any more.
        """
        newest = self.keys[0]
        left, places = [], []
        for kept in self.places:
            keys = tuple(key for key in kept.keys if key == newest)
            if keys == kept.keys:
                places.append(kept)
            elif kept.path is None:
                left.append(kept.place)
                places.append(kept)
            elif keys:
                try:
                    write_keys(kept.path, keys)
                except Invalid:
                    left.append(kept.place)
                    places.append(kept)
                else:
                    places.append(Kept(kept.place, kept.path, keys))
            elif kept.path == self._folder_file:
                kept.path.unlink(missing_ok=True)
                _sync_folder(kept.path.parent)
            else:
                left.append(kept.place)
                places.append(kept)
        self.places = places
        return left


def new_key() -> str:
    """A master key as it is written in a file or the environment."""
    return secrets.token_hex(KEY_BYTES)


def parse_keys(text: str, where: str) -> tuple[bytes, ...]:
    """Keys of 32 bytes in hexadecimal or base64, apart by commas or white space."""
    keys = tuple(_key(part, where) for part in re.split(r"[,\s]+", text.strip()) if part)
    if not keys:
        raise Invalid(f"{where} holds no master key.")
    return tuple(dict.fromkeys(keys))


def write_keys(path: Path, keys: tuple[bytes, ...]) -> None:
    """Replace the file: at every moment it holds the old keys or the new ones, mode 0600."""
    temp = path.with_name(f"{path.name}.new")
    try:
        temp.unlink(missing_ok=True)
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write("".join(f"{key.hex()}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        temp.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise Invalid(f"{path} cannot be written: {error.strerror or error}") from None


def ids(keys: tuple[bytes, ...]) -> list[str]:
    """What these keys are called beside the secrets."""
    return [key_id(key) for key in keys]


def _read(path: Path) -> tuple[bytes, ...]:
    try:
        return parse_keys(path.read_text("ascii"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise Invalid(f"The master key {path} cannot be read: {reason}") from None


def _key(part: str, where: str) -> bytes:
    """One key. The error never repeats it."""
    try:
        key = bytes.fromhex(part) if len(part) == KEY_BYTES * 2 else _base64(part)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise Invalid(
            f"{where}: a master key is {KEY_BYTES} random bytes as 64 hexadecimal digits or in "
            "base64; `tracer secrets new-key` prints one."
        )
    return key


def _base64(part: str) -> bytes:
    padded = part.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
