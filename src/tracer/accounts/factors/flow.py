"""Second factors in requests: when a login needs one, how it is shown, what a proof changes.

The cookie of a login half done opens the page that asks for the factor and nothing else.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts import queries as account_queries
from tracer.accounts.actions import rotate
from tracer.accounts.factors import actions, ceremonies, devices, passkeys, queries
from tracer.accounts.factors.model import (
    CEREMONY_AGE_MS,
    CHALLENGE_AGE_MS,
    DEVICE_AGE_MS,
    Pending,
)
from tracer.accounts.failures import Failures
from tracer.accounts.model import secret_hash
from tracer.accounts.throttle import Throttle, Who
from tracer.errors import Invalid
from tracer.kit import access, csrf
from tracer.kit.render import Response, redirect

if TYPE_CHECKING:
    from tracer.kit.context import Req
    from tracer.storage.meta import Tx

LOGIN_PAGE = "/login/second-factor"
LOGIN = "login"
CONFIRM = "confirm"

#: Guesses of codes, for each user wherever they come from: who guesses has the password already.
throttle = Throttle()

#: Wrong proofs that the audit log does not tell of yet; `tasks` writes them.
refusals = Failures()

# Signs the challenges of logins by passkey alone, and dies with the process.
_offers = clock.new_secret().encode()
_answered: dict[str, int] = {}
_answered_lock = threading.Lock()


def needs(req: Req, user_id: int) -> bool:
    """Whether a login with the right password must show a second factor as well."""
    return queries.has_factor(req.meta.read(), user_id) and not is_remembered(req, user_id)


def is_remembered(req: Req, user_id: int) -> bool:
    """Whether this browser is a remembered device of the user, which counts as the factor."""
    cookie = req.cookies.get(_device_cookie(req), "")
    return bool(cookie) and queries.remembers(req.meta.read(), user_id, cookie)


def begin(req: Req, user_id: int, wanted: str) -> Response:
    """To the page that asks for the second factor; the password was right."""
    with req.meta.write(unaudited="a login that is not one yet") as tx:
        cookie = ceremonies.start_pending(
            tx, user_id, wanted, replaces=req.cookies.get(_pending_cookie(req), "")
        )
    req.set_cookie(
        _pending_cookie(req), cookie, max_age_s=CHALLENGE_AGE_MS // 1000, same_site="Strict"
    )
    return redirect(LOGIN_PAGE)


def pending(req: Req) -> Pending | None:
    """The login that this browser has begun, if its time is not over."""
    cookie = req.cookies.get(_pending_cookie(req), "")
    return queries.pending(req.meta.read(), cookie) if cookie else None


def forget_pending(req: Req) -> None:
    """Takes the cookie of a login half done away."""
    req.set_cookie(_pending_cookie(req), "", max_age_s=0, same_site="Strict")


def use_device(req: Req, user_id: int) -> bool:
    """Whether a remembered device of the user logs in: noted, and as good as a second factor."""
    cookie = req.cookies.get(_device_cookie(req), "")
    if not cookie or not queries.has_factor(req.meta.read(), user_id):
        return False
    with req.meta.write(unaudited="last use") as tx:
        return devices.use(tx, user_id, cookie, req.client_ip)


def remember(req: Req, tx: Tx, user_id: int) -> None:
    """Remembers this browser from now on."""
    name = _device_cookie(req)
    cookie = devices.remember(
        tx,
        user_id,
        address=req.client_ip,
        user_agent=req.headers.get("user-agent", ""),
        replaces=req.cookies.get(name, ""),
    )
    req.set_cookie(name, cookie, max_age_s=DEVICE_AGE_MS // 1000)


def device_ref(req: Req) -> str:
    """The stored hash of this browser's device cookie; empty without one."""
    cookie = req.cookies.get(_device_cookie(req), "")
    return secret_hash(cookie) if cookie else ""


def offers_passkeys(req: Req) -> bool:
    """Whether the login page offers to log in with a passkey alone."""
    return has_host_name(req) and queries.has_passkeys(req.meta.read())


# Proofs ------------------------------------------------------------------------------------------


def begin_guess(req: Req, user_id: int) -> None:
    """Counts a guess at a code, as a wrong one until `succeeded`. RateLimited while there were too
    many. A passkey cannot be guessed and is never kept waiting."""
    if not req.form.get("credential"):
        throttle.begin(_guesses(user_id))


def prove(req: Req, tx: Tx, user_id: int, challenge: bytes | None) -> str:
    """Which factor the form shows: "code", "recovery" or "passkey"; it is used up now.

    Invalid says what is wrong; nothing has changed then. `challenge`: what the passkey was asked.
    """
    vault = req.tracer.vault
    if req.form.get("credential"):
        site = passkeys.site_of(req.base_url)
        if site is None or challenge is None:
            raise Invalid("This took too long. Try the passkey again.")
        if actions.use_passkey(tx, site, challenge, req.form.get("credential"), user_id) is None:
            raise Invalid("This passkey does not belong to your account.")
        return "passkey"
    if req.form.get("recovery").strip():
        if not actions.use_recovery_code(tx, user_id, req.form.get("recovery")):
            raise Invalid("This recovery code is wrong or was used already.")
        return "recovery"
    if not actions.use_code(tx, vault, user_id, req.form.get("code")):
        raise Invalid("This code is wrong or was used already. Wait for the next one.")
    return "code"


def succeeded(user_id: int) -> None:
    """Forgets the wrong guesses."""
    throttle.passed(_guesses(user_id))


def failed(req: Req, user_id: int, email: str) -> None:
    """Notes a wrong proof, for the audit log: somebody has the password or an open browser."""
    form = req.form
    kind = "passkey" if form.get("credential") else "recovery" if form.get("recovery") else "code"
    device = req.headers.get("user-agent", "")
    refusals.note(f"second factor ({kind})", email, req.client_ip, device, user_id)


def challenge_of(req: Req, purpose: str, ref: str, user_id: int) -> bytes | None:
    """The passkey challenge of this login, used up; None when the form brings no passkey."""
    if not req.form.get("credential"):
        return None
    with req.meta.write(unaudited="a challenge was answered") as tx:
        return ceremonies.take_challenge(tx, purpose, ref, user_id)


def ask_passkey(req: Req, purpose: str, ref: str, user_id: int) -> object:
    """What the browser asks the user's passkeys."""
    site = site_of(req)
    known = [key.credential_id for key in queries.passkeys(req.meta.read(), user_id)]
    if not known:
        raise Invalid("You have no passkey.")
    with req.meta.write(unaudited="a challenge was asked") as tx:
        challenge = ceremonies.ask_passkey(tx, purpose, ref, user_id)
    return passkeys.request_options(site, challenge, known)


def site_of(req: Req) -> passkeys.Site:
    """What this request's passkeys are bound to. Invalid where there can be none."""
    site = passkeys.site_of(req.base_url)
    if site is None:
        raise Invalid("Passkeys need a host name: open this server by its name, not its address.")
    return site


def has_host_name(req: Req) -> bool:
    """Whether this request's address can have passkeys."""
    return passkeys.site_of(req.base_url) is not None


# Passkey alone -----------------------------------------------------------------------------------


def offer(req: Req) -> object:
    """What the browser asks any passkey of this site; the challenge is in a signed cookie."""
    site = site_of(req)
    challenge = passkeys.new_challenge()
    value = f"{challenge.hex()}-{clock.now_ms() + CEREMONY_AGE_MS}"
    req.set_cookie(
        _offer_cookie(req),
        csrf.sign(_offers, "passkey login", value),
        max_age_s=CEREMONY_AGE_MS // 1000,
        same_site="Strict",
    )
    return passkeys.request_options(site, challenge, (), alone=True)


def accept(req: Req) -> int:
    """The user whose passkey answered the offer, once. Invalid when there is none."""
    value = csrf.unsign(_offers, "passkey login", req.cookies.get(_offer_cookie(req), ""))
    challenge, _, until = (value or "").partition("-")
    req.set_cookie(_offer_cookie(req), "", max_age_s=0, same_site="Strict")
    now = clock.now_ms()
    if not challenge or int(until) <= now:
        raise Invalid("This took too long. Try the passkey again.")
    site, answer = site_of(req), req.form.get("credential")
    key = queries.passkey(req.meta.read(), passkeys.credential_of(answer))
    if key is None:
        raise Invalid("Nobody here has this passkey.")
    try:
        with req.meta.write(unaudited="the counter of a passkey") as tx:
            asked = bytes.fromhex(challenge)
            found = actions.use_passkey(tx, site, asked, answer, key.user_id, alone=True)
            if found is None or not _is_first(challenge, int(until), now):
                raise Invalid(passkeys.REFUSED)
    except Invalid:
        user = account_queries.user(req.meta.read(), key.user_id)
        failed(req, key.user_id, user.email if user else "")
        raise
    return found


def _is_first(challenge: str, until: int, now: int) -> bool:
    with _answered_lock:
        for old in [known for known, end in _answered.items() if end <= now]:
            del _answered[old]
        if challenge in _answered:
            return False
        _answered[challenge] = until
        return True


# What a proof changes ----------------------------------------------------------------------------


def mark(req: Req, tx: Tx, *, second_factor: bool) -> None:
    """Notes that this login was just confirmed. Where it gains a second factor its cookie is new
    from here on, so that none handed out before can be used for it."""
    actor = req.actor
    if not second_factor or actor.second_factor:
        tx.execute(
            "UPDATE logins SET confirmed_at = :now WHERE token_hash = :ref",
            now=tx.now_ms,
            ref=actor.ref,
        )
        req.actor = replace(actor, confirmed_at=tx.now_ms)
        return
    cookie, expires_at = rotate(tx, actor.ref, second_factor=True)
    ref = secret_hash(cookie)
    key: str = tx.value("SELECT csrf FROM logins WHERE token_hash = :ref", ref=ref)
    req.set_cookie(req.login_cookie, cookie, max_age_s=max(1, (expires_at - tx.now_ms) // 1000))
    # The page that answers belongs to the new cookie already.
    req.actor = replace(actor, ref=ref, csrf=key, confirmed_at=tx.now_ms, second_factor=True)


def is_required(req: Req) -> bool:
    """Whether the organization asks this user for a second factor."""
    actor = req.actor
    if actor.organization_id is None or actor.identity is None:
        return False
    view = req.tracer.guard.directory.of(
        req.meta.read(), actor.organization_id, actor.identity.access_version
    )
    return view.second_factor == "everyone" or (
        view.second_factor == "admins" and actor.role in access.ADMINS
    )


def _guesses(user_id: int) -> Who:
    return Who(f"user {user_id}", f"second factor of {user_id}")


def _pending_cookie(req: Req) -> str:
    return "__Host-tracer_pending" if req.is_https else "tracer_pending"


def _device_cookie(req: Req) -> str:
    return "__Host-tracer_device" if req.is_https else "tracer_device"


def _offer_cookie(req: Req) -> str:
    return "__Host-tracer_passkey" if req.is_https else "tracer_passkey"
