"""DSNs, and the ways in which a request names its project key.

Owns the parsing only: whether a key exists and may be used is decided by `projects`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from tracer.errors import Invalid

PROTOCOL_VERSION = 7

_KEY = re.compile(r"[0-9a-fA-F]{32}")
_PROJECT_ID_MAX = 2**63 - 1
_MAX_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Dsn:
    """Where an SDK sends. `host` includes the port, `path` is "" or "/prefix"."""

    scheme: str
    public_key: str
    host: str
    path: str
    project_id: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.public_key}@{self.host}{self.path}/{self.project_id}"


@dataclass(frozen=True, slots=True)
class Auth:
    """What a request says about itself: 32 hex digits, "sentry.python/2.75.0", "7"."""

    key: str
    client: str
    version: str


def parse_dsn(text: str) -> Dsn:
    """`{http|https}://<key>[:<secret>]@<host>[:port]/[<path>/]<project id>`; Invalid otherwise."""
    try:
        parts = urlsplit(text.strip())
        key, port = parts.username or "", parts.port
    except ValueError:
        raise Invalid("invalid DSN") from None
    if parts.scheme not in ("http", "https"):
        raise Invalid("invalid DSN: the scheme must be http or https")
    if not parts.hostname or port == 0:
        raise Invalid("invalid DSN: no host")
    path, _, project = parts.path.rstrip("/").rpartition("/")
    return Dsn(
        scheme=parts.scheme,
        public_key=_checked_key(key),
        host=parts.netloc.rpartition("@")[2],
        path=path,
        project_id=_checked_project_id(project),
    )


def parse_sentry_auth(value: str) -> dict[str, str]:
    """The pairs of `Sentry sentry_key=…, sentry_version=7`; Invalid when it is something else."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "sentry" or not rest:
        raise Invalid("not a Sentry authorization header")
    pairs = {}
    for part in rest.split(","):
        name, separator, text = part.partition("=")
        if separator:
            text = text.strip().strip('"')
            pairs[name.strip().lower()] = unquote(text) if "%" in text else text
    return pairs


def find_key(headers: Mapping[bytes, bytes], query: bytes) -> Auth | None:
    """The one authorization of a request; `headers` have lower-case names.

    None when there is none that can be read. As Relay does, raises Invalid (status 401) when there
    are two, and Invalid for a protocol version above 7 and for a key that is not 32 hex digits.
    """
    said = (
        headers.get(b"x-sentry-auth"),
        headers.get(b"authorization"),
        headers.get(b"user-agent", b""),
        query,
    )
    # An SDK says the same each time; what is long is no SDK's and not worth the memory.
    if sum(map(len, filter(None, said))) <= _MAX_REMEMBERED:
        return _remembered(*said)
    return _find_key(*said)


def _find_key(
    sentry_auth: bytes | None, authorization: bytes | None, agent: bytes, query: bytes
) -> Auth | None:
    found: list[dict[str, str]] = []
    present = 0
    for value, is_ours in ((sentry_auth, True), (authorization, False)):
        if value is not None and (is_ours or value[:7].lower() == b"sentry "):
            present += 1
            try:
                found.append(parse_sentry_auth(value.decode("latin-1")))
            except Invalid:
                continue
    if b"sentry_key" in query:
        pairs = _query_pairs(query)
        if "sentry_key" in pairs:
            present += 1
            found.append(pairs)
    if present > 1:
        problem = Invalid("multiple authorization payloads detected")
        problem.status = 401
        raise problem
    if not present:
        found = _basic(authorization or b"")
    if not found or not found[0].get("sentry_key"):
        return None
    return _checked_auth(found[0], agent)


_remembered = lru_cache(maxsize=1024)(_find_key)


def _checked_auth(pairs: Mapping[str, str], agent: bytes) -> Auth:
    version = pairs.get("sentry_version") or str(PROTOCOL_VERSION)
    number = version.partition(".")[0]
    if not (number.isascii() and number.isdigit() and len(number) < 6):
        raise Invalid("bad sentry protocol version")
    if int(number) > PROTOCOL_VERSION:
        raise Invalid(f"unsupported protocol version ({number})")
    client = pairs.get("sentry_client") or agent.decode("latin-1")
    return Auth(key=_checked_key(pairs["sentry_key"]), client=client[:200], version=number)


def _query_pairs(query: bytes) -> dict[str, str]:
    """The `sentry_*` pairs of a query string, first one wins."""
    pairs: dict[str, str] = {}
    for part in query.split(b"&"):
        if part.startswith(b"sentry_"):
            name, _, value = part.partition(b"=")
            text = unquote_to_bytes(value.replace(b"+", b" ")).decode("utf-8", "replace")
            pairs.setdefault(name.decode("latin-1"), text)
    return pairs


def _basic(value: bytes) -> list[dict[str, str]]:
    """`Basic base64(key:)`. A front proxy's own Basic login is not a key and is passed over."""
    if value[:6].lower() != b"basic ":
        return []
    try:
        user = base64.b64decode(value[6:].strip(), validate=True).partition(b":")[0]
    except (binascii.Error, ValueError):
        return []
    key = user.decode("latin-1")
    return [{"sentry_key": key}] if _KEY.fullmatch(key) else []


def _checked_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise Invalid("bad sentry DSN public key")
    return key.lower()


def _checked_project_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise Invalid("invalid DSN: the project id must be a number")
    number = int(text)
    if not 0 < number <= _PROJECT_ID_MAX:
        raise Invalid("invalid DSN: the project id is out of range")
    return number
