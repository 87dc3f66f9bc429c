"""Signing and reading JSON Web Tokens (RFC 7519), Ed25519 only (RFC 9864). Pure, no I/O.

A token is read with one algorithm and by keys that are known by name; anything else about its
header is refused, so that a token can never choose how it is verified.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry

ISSUER = "tracer"
ALGORITHM = "Ed25519"
#: This server's clock may have been set back a little since it signed.
LEEWAY_S = 30
TEXT_MAX = 8192

_HEADER_NAMES = {"alg", "kid", "typ"}
_REGISTRY = JWSRegistry(algorithms=[ALGORITHM])


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a token says. Times are unix seconds; `projects` is None without a restriction."""

    iss: str
    sub: str
    jti: str
    org: int
    scopes: tuple[str, ...]
    iat: int
    nbf: int
    exp: int | None = None
    projects: tuple[int, ...] | None = None


def new_key() -> OKPKey:
    """A new key pair."""
    return OKPKey.generate_key("Ed25519", auto_kid=False)


def private_bytes(key: OKPKey) -> bytes:
    """The private half, to be sealed."""
    return msgspec.json.encode(key.as_dict(private=True))


def public_text(key: OKPKey) -> str:
    """The public half as a JSON Web Key."""
    return msgspec.json.encode(key.as_dict(private=False)).decode()


def load_key(text: bytes | str) -> OKPKey:
    """A key from what `private_bytes` or `public_text` gave."""
    return OKPKey.import_key(msgspec.json.decode(text))


def sign(claims: Claims, kid: str, key: OKPKey) -> str:
    """The token's text."""
    header = {"alg": ALGORITHM, "kid": kid, "typ": "JWT"}
    return jws.serialize_compact(header, msgspec.json.encode(claims), key, registry=_REGISTRY)


def verify(text: str, keys: Mapping[str, OKPKey], now_s: float) -> Claims | None:
    """The claims of a token that one of `keys` (by exact name) signed and that holds now."""
    if len(text) > TEXT_MAX or not text.isascii():
        return None
    try:
        parsed = jws.extract_compact(text.encode("ascii"), registry=_REGISTRY)
        header = parsed.headers()
        key = _key(header, keys)
        if key is None or not jws.validate_compact(parsed, key, registry=_REGISTRY):
            return None
        claims = msgspec.json.decode(parsed.payload, type=Claims)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return claims if claims.iss == ISSUER and holds(claims, now_s) else None


def holds(claims: Claims, now_s: float) -> bool:
    """Whether claims are in force at a moment: begun, and not expired."""
    begun = max(claims.nbf, claims.iat) <= now_s + LEEWAY_S
    return begun and (claims.exp is None or claims.exp > now_s)


def kid_of(text: str) -> str:
    """The name of the key in the header of a token that was verified before."""
    segment = text.partition(".")[0]
    padded = segment + "=" * (-len(segment) % 4)
    header = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=dict[str, str])
    return header["kid"]


def _key(header: Mapping[str, object], keys: Mapping[str, OKPKey]) -> OKPKey | None:
    if header.keys() != _HEADER_NAMES or header["alg"] != ALGORITHM or header["typ"] != "JWT":
        return None
    kid = header["kid"]
    return keys.get(kid) if isinstance(kid, str) else None
