"""Passkeys (WebAuthn): what the browser is asked, and whether its answer is genuine.

Pure: challenges, counters and keys are stored by the caller. The libraries are loaded on first use.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from tracer.errors import Invalid

if TYPE_CHECKING:
    from tracer.accounts.factors.model import Passkey

TIMEOUT_MS = 120_000
BODY_BYTES = 32 * 1024
REFUSED = "The passkey was not accepted. Try again."
_NAME = "tracer"


class Site(NamedTuple):
    """What passkeys are bound to: `host` (without port) and the origin that pages come from."""

    host: str
    origin: str


class NewKey(NamedTuple):
    """A passkey that was just made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


def site_of(base_url: str) -> Site | None:
    """The site of a URL; None where browsers allow no passkeys: a bare address."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").lower()
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return Site(host, f"{parts.scheme}://{parts.netloc.lower()}") if host else None
    return None


def new_challenge() -> bytes:
    """Random bytes that the browser's answer must be about."""
    return secrets.token_bytes(32)


def user_handle(secret: bytes, user_id: int) -> bytes:
    """What authenticators know a user by: always the same, and says nothing about whom."""
    return hmac.digest(secret, f"passkey user {user_id}".encode(), hashlib.sha256)


def creation_options(
    site: Site, challenge: bytes, handle: bytes, email: str, name: str, known: Sequence[bytes]
) -> Any:
    """What `navigator.credentials.create` is asked; `known` credentials are not made twice."""
    import webauthn
    from webauthn.helpers import structs

    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name=_NAME,
        user_id=handle,
        user_name=email,
        user_display_name=name or email,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.PREFERRED,
            user_verification=structs.UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=key) for key in known],
    )
    return msgspec.json.decode(webauthn.options_to_json(options))


def request_options(
    site: Site, challenge: bytes, known: Sequence[bytes], *, alone: bool = False
) -> Any:
    """What `navigator.credentials.get` is asked: one of the `known`, or any of this site's.

    `alone`: there is no password, so the authenticator must know its user (PIN, fingerprint).
    """
    import webauthn
    from webauthn.helpers import structs

    verification = structs.UserVerificationRequirement
    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=[structs.PublicKeyCredentialDescriptor(id=key) for key in known],
        user_verification=verification.REQUIRED if alone else verification.PREFERRED,
    )
    return msgspec.json.decode(webauthn.options_to_json(options))


def check_creation(site: Site, challenge: bytes, answer: str) -> NewKey:
    """The passkey that the browser made for this challenge, host and origin. Invalid if not."""
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        made = webauthn.verify_registration_response(
            credential=_parse(answer),
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError):
        raise Invalid("The passkey could not be added. Try again.") from None
    return NewKey(made.credential_id, made.credential_public_key, made.sign_count)


def credential_of(answer: str) -> bytes:
    """The id of the passkey that an answer claims to come from. Invalid when it names none."""
    from webauthn.helpers import base64url_to_bytes

    try:
        return base64url_to_bytes(str(_parse(answer)["rawId"]))
    except (KeyError, ValueError):
        raise Invalid(REFUSED) from None


def check_answer(
    site: Site, challenge: bytes, answer: str, key: Passkey, *, alone: bool = False
) -> int:
    """The passkey's new sign counter. Invalid when the answer is not this key's to this challenge,
    of another host or origin, or when the counter has not moved on (a copied key)."""
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        checked = webauthn.verify_authentication_response(
            credential=_parse(answer),
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=key.sign_count,
            require_user_verification=alone,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError):
        raise Invalid(REFUSED) from None
    if not hmac.compare_digest(checked.credential_id, key.credential_id):
        raise Invalid(REFUSED)
    return checked.new_sign_count


def _parse(answer: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(answer.encode("utf-8", "replace"), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise Invalid(REFUSED) from None
