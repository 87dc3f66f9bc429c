"""What `tracer secrets status` points out: old, missing, weak, and secrets where they must not be.

Reads only. A finding is a level (error, warning, note) and a text that never holds the secret.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts.known_passwords import is_known
from tracer.accounts.tokens import jwt, keys
from tracer.channels import mail_server
from tracer.errors import Problem
from tracer.storage.keyring import ENVIRONMENT, FOLDER, Keyring
from tracer.storage.vault import key_id

if TYPE_CHECKING:
    from tracer.storage.meta import Reader
    from tracer.storage.vault import Vault

Finding = tuple[str, str]

DAY_MS = 24 * 3600 * 1000
OLD_MS = 365 * DAY_MS
UNUSED_MS = 90 * DAY_MS
SHORT_PASSWORD = 12
#: 32 random bytes have fewer different ones once in many millions.
VARIED = 20
SHOWN = 20
_PRIVATE = (
    *("master.key", "secret", "audit.key", "meta.db", "meta.db-wal", "spool.db", "events.duckdb"),
    "tracer.toml",
)
_TOKEN = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}")
#: Where people and programs write freely: what to call a row, its id and the text.
_TEXTS = (
    (
        "issue {}",
        "SELECT id, title || ' ' || value || ' ' || culprit FROM issues "
        "WHERE instr(title || value || culprit, :word) LIMIT 1000",
    ),
    (
        "the activity of issue {}",
        "SELECT issue_id, data FROM issue_activity WHERE instr(data, :word) LIMIT 1000",
    ),
    (
        "feedback {}",
        "SELECT id, name || ' ' || message || ' ' || url FROM feedback "
        "WHERE instr(name || ' ' || message || ' ' || url, :word) LIMIT 1000",
    ),
    (
        "entry {} of the audit log",
        "SELECT id, coalesce(before, '') || coalesce(after, '') || object FROM audit "
        "WHERE instr(coalesce(before, '') || coalesce(after, '') || object, :word) LIMIT 1000",
    ),
)


def findings(reader: Reader, vault: Vault, ring: Keyring, folder: Path) -> list[Finding]:
    """Everything worth a look, the worst first."""
    password = _mail_password(reader, vault)
    found = [
        *_unopenable(reader, vault, ring),
        *_old(reader, vault, ring),
        *_files(folder, ring),
        *_places(folder, ring),
        *_mail(password),
        *_tokens(reader),
        *_leaked_tokens(reader),
        *_leaked_words(reader, ring, password),
    ]
    return sorted(found, key=lambda finding: ("error", "warning", "note").index(finding[0]))


def counted(count: int) -> str:
    """So many secrets, in words."""
    return "1 secret" if count == 1 else f"{count} secrets"


def _unopenable(reader: Reader, vault: Vault, ring: Keyring) -> Iterator[Finding]:
    for key in ring.missing:
        count = reader.value("SELECT count(*) FROM secrets WHERE key_id = :key", key=key)
        yield "error", f"The master key {key} is missing: it seals {counted(count)}."
    missing = set(ring.missing)
    keys_of = dict(reader.rows("SELECT id, key_id FROM secrets"))
    for secret_id, kind, why in vault.unopenable(reader):
        if keys_of.get(secret_id) not in missing:
            yield "error", f"{kind}: {why}"


def _old(reader: Reader, vault: Vault, ring: Keyring) -> Iterator[Finding]:
    old = reader.value("SELECT count(*) FROM secrets WHERE key_id <> :newest", newest=vault.newest)
    if old and ring.places:
        yield "warning", f"An old key seals {counted(old)}: run `tracer secrets rotate`."
    elif len(ring.keys) > 1:
        yield "warning", "Old master keys are still given and nothing uses them."
    for kept in ring.places:
        if kept.path is not None and kept.path.exists():
            days = (clock.now_ms() - int(kept.path.stat().st_mtime * 1000)) // DAY_MS
            if days > OLD_MS // DAY_MS:
                yield "warning", f"The master key in {kept.path} is {days} days old."
    for key in keys.signing_keys(reader):
        days = (clock.now_ms() - key.created_at) // DAY_MS
        if key.retires_at is None and days > OLD_MS // DAY_MS:
            yield "warning", f"The key that signs access tokens is {days} days old."


def _files(folder: Path, ring: Keyring) -> Iterator[Finding]:
    is_closed = not folder.stat().st_mode & 0o077
    if not is_closed:
        yield "warning", f"Others on this machine may enter the data folder {folder}; use 0700."
    paths = [folder / name for name in _PRIVATE]
    paths += [kept.path for kept in ring.places if kept.path is not None]
    for path in dict.fromkeys(paths):
        if not path.exists():
            continue
        is_key = path.suffix == ".key"
        found = path.stat()
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077 and (is_key or not (is_closed and path.parent == folder)):
            yield "error", f"{path} has mode {mode:04o}: others can read it; use 0600."
        if found.st_uid not in (os.geteuid(), 0):
            yield "warning", f"{path} belongs to another user (number {found.st_uid})."
    for kept in ring.places:
        parent = None if kept.path is None else kept.path.parent
        if parent is not None and parent.exists() and parent != folder:
            mode = stat.S_IMODE(parent.stat().st_mode)
            if mode & 0o022 and not mode & stat.S_ISVTX:
                yield "error", f"Others may replace the master key: {parent} has mode {mode:04o}."


def _places(folder: Path, ring: Keyring) -> Iterator[Finding]:
    for kept in ring.places:
        if kept.place == FOLDER:
            text = "lies beside the database: whoever has a copy of the whole folder has both."
            yield "note", f"The master key {text}"
        if kept.place == ENVIRONMENT and _is_in_settings_file(folder, kept.keys):
            yield "warning", "The master key is in tracer.toml, beside the database."
        elif kept.place == ENVIRONMENT:
            text = "the environment: the same user and root can read it in /proc."
            yield "note", f"The master key comes from {text}"
        for key in kept.keys:
            if len(set(key)) < VARIED or all(32 <= byte < 127 for byte in key):
                yield "error", f"The master key {key_id(key)} is not random: rotate."


def _is_in_settings_file(folder: Path, given: tuple[bytes, ...]) -> bool:
    try:
        text = (folder / "tracer.toml").read_text("utf-8").lower()
    except (OSError, UnicodeDecodeError):
        return False
    return "master_key" in text and any(key.hex() in text for key in given)


def _mail_password(reader: Reader, vault: Vault) -> str:
    server = mail_server.mail_server(reader)
    if server is None or server.secret_id is None:
        return ""
    try:
        return vault.open_secret(reader, server.secret_id).decode()
    except Problem:
        return ""


def _mail(password: str) -> Iterator[Finding]:
    if not password:
        return
    if is_known(password):
        yield "error", "The mail password is one of the known common passwords."
    elif len(password) < SHORT_PASSWORD:
        yield "warning", f"The mail password has fewer than {SHORT_PASSWORD} characters."


def _tokens(reader: Reader) -> Iterator[Finding]:
    now = clock.now_ms()
    endless, unused = reader.rows(
        """
        SELECT count(*) FILTER (WHERE expires_at IS NULL),
               count(*) FILTER (WHERE coalesce(used_at, created_at) < :unused)
        FROM tokens
        WHERE revoked_at IS NULL
          AND coalesce(expires_at, :now) >= :now
          AND coalesce(ends_at, :now) >= :now
          AND kid IN (SELECT kid FROM signing_keys WHERE coalesce(retires_at, :now) >= :now)
        """,
        now=now,
        unused=now - UNUSED_MS,
    )[0]
    if endless:
        yield "note", f"Access tokens that never expire: {endless}."
    if unused:
        yield "note", f"Access tokens not used for {UNUSED_MS // DAY_MS} days: {unused}."


def _leaked_tokens(reader: Reader) -> Iterator[Finding]:
    """Access tokens of this server that still work, in texts that many can read."""
    now = clock.now_ms()
    public = {
        key.kid: jwt.load_key(key.public_key)
        for key in keys.signing_keys(reader)
        if key.retires_at is None or key.retires_at > now
    }
    seen: set[tuple[str, int]] = set()
    for place, text in _texts(reader, "eyJ"):
        for match in _TOKEN.finditer(text):
            claims = jwt.verify(match[0], public, clock.now_s())
            if claims is None:
                continue
            row = reader.row(
                """
                SELECT id, name
                FROM tokens
                WHERE jti = :jti AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > :now)
                """,
                jti=claims.jti,
                now=now,
            )
            if row is not None and (place, row[0]) not in seen and len(seen) < SHOWN:
                seen.add((place, row[0]))
                yield (
                    "error",
                    f"Access token {row[0]} ({row[1]}) can be read in {place}: revoke it.",
                )


def _leaked_words(reader: Reader, ring: Keyring, password: str) -> Iterator[Finding]:
    """The master keys and the mail password, in texts and in the arguments of programs."""
    words = [(key.hex(), f"The master key {key_id(key)}") for key in ring.keys]
    if len(password) >= SHORT_PASSWORD:
        words.append((password, "The mail password"))
    arguments = list(_arguments())
    for word, name in words:
        places = dict.fromkeys(place for place, _ in _texts(reader, word))
        for place in list(places)[:SHOWN]:
            yield "error", f"{name} can be read in {place}: change it."
        for pid, line in arguments:
            if word.encode() in line:
                yield "error", f"{name} is in the arguments of process {pid}: change it."


def _texts(reader: Reader, word: str) -> Iterator[tuple[str, str]]:
    for place, sql in _TEXTS:
        for row_id, text in reader.rows(sql, word=word):
            yield place.format(row_id), text


def _arguments() -> Iterator[tuple[str, bytes]]:
    """Process number and arguments of every process that this one may see."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.parent.name, path.read_bytes()
        except OSError:
            continue
