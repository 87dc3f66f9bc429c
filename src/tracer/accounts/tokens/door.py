"""From the text of a token to whom it belongs: signature, revocation list, then the owner today.

Keeps in memory the public keys, which tokens were revoked or ended, and what was verified last.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tracer import clock
from tracer.accounts.model import Identity
from tracer.accounts.tokens import jwt
from tracer.accounts.tokens.keys import signing_keys

if TYPE_CHECKING:
    from joserfc.jwk import OKPKey

    from tracer.storage.meta import Reader

VERIFIED_MAX = 4096

_TEAMS = """
    (
        SELECT json_group_object(tm.team_id, tm.role)
        FROM team_members tm
        JOIN teams ON teams.id = tm.team_id AND teams.organization_id = o.id
        WHERE tm.user_id = u.id
    )"""
_PERSONAL = f"""
    SELECT t.id, u.id, u.email, u.name, u.theme, o.slug, o.access_version, m.role, {_TEAMS},
        EXISTS (SELECT 1 FROM second_factors f WHERE f.user_id = u.id)
    FROM tokens t
    JOIN users u ON u.id = t.user_id
    JOIN organizations o ON o.id = t.organization_id
    JOIN members m ON m.organization_id = o.id AND m.user_id = u.id
    WHERE t.jti = :jti AND t.kind = 'personal' AND t.organization_id = :org
      AND t.user_id = :owner AND t.revoked_at IS NULL
"""  # noqa: S608
_ORGANIZATION = """
    SELECT t.id, NULL, '', t.name, 'system', o.slug, o.access_version, 'organization', '{}', 0
    FROM tokens t
    JOIN organizations o ON o.id = t.organization_id
    WHERE t.jti = :jti AND t.kind = 'organization' AND t.organization_id = :org
      AND o.id = :owner AND t.revoked_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class _Picture:
    """The keys by name, when those retire, and when tokens (by `jti`) ended; unix ms."""

    keys: Mapping[str, OKPKey]
    retires_at: Mapping[str, int]
    ended_at: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Verified:
    claims: jwt.Claims
    kid: str


class Tokens:
    """Knows tokens. Thread-safe. `refresh` before first use and after each `TokensChanged`."""

    def __init__(self) -> None:
        self._picture = _Picture({}, {}, {})
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()

    def refresh(self, reader: Reader) -> None:
        """Read keys and ended tokens anew; what was verified is asked against them from now on."""
        with self._refreshing:
            keys = signing_keys(reader)
            self._picture = _Picture(
                {key.kid: jwt.load_key(key.public_key) for key in keys},
                {key.kid: key.retires_at for key in keys if key.retires_at is not None},
                dict(
                    reader.rows(
                        """
                        SELECT jti,
                            min(coalesce(revoked_at, ends_at), coalesce(ends_at, revoked_at))
                        FROM tokens
                        WHERE (revoked_at IS NOT NULL OR ends_at IS NOT NULL)
                          AND (expires_at IS NULL OR expires_at > :now)
                        """,
                        now=clock.now_ms(),
                    )
                ),
            )

    def identity(self, reader: Reader, text: str) -> Identity | None:
        """Whom a token belongs to, as they are now. None for whatever is wrong with it."""
        found = self._verify(text)
        if found is None:
            return None
        claims = found.claims
        kind, _, owner = claims.sub.partition(":")
        sql = {"user": _PERSONAL, "organization": _ORGANIZATION}.get(kind)
        if sql is None or not (owner.isascii() and owner.isdigit()):
            return None
        row = reader.row(sql, jti=claims.jti, org=claims.org, owner=int(owner))
        return None if row is None else _identity(row, claims)

    def _verify(self, text: str) -> _Verified | None:
        """The claims of a good token, from memory if it was seen before; only good ones stay."""
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        picture, now_s = self._picture, clock.now_s()
        found = self._verified.get(digest)
        if found is None:
            claims = jwt.verify(text, picture.keys, now_s)
            if claims is None:
                return None
            found = _Verified(claims, jwt.kid_of(text))
            with self._lock:
                self._verified[digest] = found
                while len(self._verified) > VERIFIED_MAX:
                    self._verified.popitem(last=False)
        now_ms = now_s * 1000
        is_over = (
            not jwt.holds(found.claims, now_s)
            or found.kid not in picture.keys
            or picture.retires_at.get(found.kid, now_ms + 1) <= now_ms
            or picture.ended_at.get(found.claims.jti, now_ms + 1) <= now_ms
        )
        if is_over:
            with self._lock:
                self._verified.pop(digest, None)
            return None
        return found


def _identity(row: tuple[Any, ...], claims: jwt.Claims) -> Identity:
    teams = row[8]
    return Identity(
        user_id=row[1],
        email=row[2],
        name=row[3],
        theme=row[4],
        organization_id=claims.org,
        organization_slug=row[5],
        access_version=row[6],
        role=row[7],
        teams=_roles(teams),
        is_server_admin=False,
        second_factor=bool(row[9]),
        confirmed_at=0,
        scopes=claims.scopes,
        project_ids=claims.projects,
        csrf="",
        ref=claims.jti,
        token_id=row[0],
    )


def _roles(text: str) -> dict[int, str]:
    return {} if text == "{}" else msgspec.json.decode(text, type=dict[int, str], strict=False)
