"""The data folder: where each store lies in it, and the lock that keeps a second server out."""

from __future__ import annotations

import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tracer import clock
from tracer.errors import Conflict, Invalid

_ASIDE = ".damaged-"


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has the folder open. `url` is empty while it is still starting."""

    pid: int
    url: str


class Folder:
    """Paths in one data folder. Making the object touches nothing; `lock` opens the folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self._lock_fd: int | None = None

    @property
    def meta(self) -> Path:
        return self.path / "meta.db"

    @property
    def spool(self) -> Path:
        return self.path / "spool.db"

    @property
    def events(self) -> Path:
        return self.path / "events.duckdb"

    @property
    def mark(self) -> Path:
        """Where digest notes what it is at; worth nothing to another folder."""
        return self.path / "digest.mark"

    @property
    def blobs(self) -> Path:
        return self.path / "blobs"

    @property
    def temp(self) -> Path:
        """Scratch files of the running server; emptied by `lock`."""
        return self.path / "temp"

    @property
    def backups(self) -> Path:
        """Where backups go when no other folder is set."""
        return self.path / "backups"

    @property
    def control(self) -> Path:
        """The socket through which the CLI speaks to the running server."""
        return self.path / "control.sock"

    @property
    def is_new(self) -> bool:
        """No store has been made here yet."""
        return not self.meta.exists()

    def lock(self, url: str = "") -> None:
        """Create the folder (mode 0700) and hold it for this process until `unlock` or its end.

        Whatever this process makes from here on is its user's alone (umask 077), also in a folder
        that others may enter. Raises Conflict when another process holds it, Invalid when it cannot
        be written.
        """
        if self._lock_fd is not None:
            return
        os.umask(0o077)
        try:
            self._create()
            fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise Conflict(self._in_use()) from error
        self._lock_fd = fd
        try:
            self.name_holder(url)
            self._empty_temp()
        except OSError as error:
            self.unlock()
            raise _unwritable(self.path, error) from error

    def name_holder(self, url: str) -> None:
        """Write into the lock file who holds it, for others to read. Only while locked."""
        if self._lock_fd is None:
            raise RuntimeError("name_holder() needs the lock")
        text = msgspec.json.encode({"pid": os.getpid(), "url": url})
        os.ftruncate(self._lock_fd, 0)
        os.pwrite(self._lock_fd, text, 0)

    def unlock(self) -> None:
        """Let the folder go. The lock file stays: removing it would race with the next holder."""
        if self._lock_fd is not None:
            os.ftruncate(self._lock_fd, 0)
            os.close(self._lock_fd)
            self._lock_fd = None

    def holder(self) -> Holder | None:
        """The process that has the folder locked (this one too), or None."""
        try:
            fd = os.open(self._lock_path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return self._read_holder()
        finally:
            os.close(fd)
        return None

    def secret(self) -> bytes:
        """32 random bytes, made once for this folder and kept in a file of mode 0600."""
        return _kept(self.path / "secret")

    @property
    def master_key_path(self) -> Path:
        """Where the master key lies when no other place is set (see storage.keyring)."""
        return self.path / "master.key"

    @property
    def audit_key_path(self) -> Path:
        return self.path / "audit.key"

    def audit_key(self) -> bytes:
        """The key that seals the end of the audit log, made once, in a file of mode 0600."""
        return _kept(self.audit_key_path)

    @property
    def _lock_path(self) -> Path:
        return self.path / "lock"

    def _create(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A folder that already holds something else (a home directory) keeps its mode.
        if self.meta.exists() or not any(self.path.iterdir()):
            self.path.chmod(0o700)
        self.blobs.mkdir(mode=0o700, exist_ok=True)
        self.temp.mkdir(mode=0o700, exist_ok=True)

    def _empty_temp(self) -> None:
        for file in self.temp.iterdir():
            if file.is_file():
                file.unlink()

    def _in_use(self) -> str:
        holder = self._read_holder()
        who = "another process"
        if holder is not None:
            who = f"tracer (pid {holder.pid}, {holder.url or 'starting'})"
        return f"The data folder {self.path} is already in use by {who}"

    def _read_holder(self) -> Holder | None:
        try:
            return msgspec.json.decode(self._lock_path.read_bytes(), type=Holder)
        except (OSError, msgspec.DecodeError):
            return None


def set_aside(path: Path, *logs: Path) -> Path:
    """Rename a damaged file, and its logs that are there, so that it is kept and used no more; its
    new place."""
    stamp = clock.now().strftime("%Y%m%dT%H%M%S")
    moved = path.with_name(f"{path.name}{_ASIDE}{stamp}")
    path.rename(moved)
    for log in logs:
        if log.exists():
            log.rename(log.with_name(f"{log.name}{_ASIDE}{stamp}"))
    return moved


def damaged(folder: Path) -> list[str]:
    """The names of the files that were set aside in a data folder."""
    return sorted(found.name for found in folder.glob(f"*{_ASIDE}*"))


def _unwritable(path: Path, error: OSError) -> Invalid:
    return Invalid(f"The data folder {path} cannot be written: {error.strerror or error}")


def _kept(path: Path) -> bytes:
    """32 random bytes of a file; made and synced when it is not there."""
    try:
        text = path.read_text("ascii")
    except FileNotFoundError:
        text = secrets.token_hex(32)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    return bytes.fromhex(text)
