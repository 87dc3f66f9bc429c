"""One's own second factors: adding, naming and removing them, recovery codes, remembered devices.

Adding and removing ask for the password or a factor again first.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from tracer import clock
from tracer.accounts import actions as account_actions
from tracer.accounts.factors import actions, ceremonies, devices, flow, passkeys, queries, totp
from tracer.accounts.factors.model import check_name
from tracer.accounts.pages.confirm import own_id
from tracer.accounts.pages.second_factor import answered
from tracer.errors import Conflict, Invalid, NotFound
from tracer.kit import csrf
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.live import AccessChanged
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes
from tracer.storage.meta import Tx

routes = Routes()

SECURITY_PAGE = "/account/security/"
APP_PAGE = "/account/security/authenticator/"
_REGISTER = "register"
_SEED_AGE_MS = 30 * 60_000


@routes.get(APP_PAGE, can=Permission.LOGGED_IN, step_up=True)
def show_app(req: Req) -> Response:
    own_id(req)
    return _app_page(req, totp.new_seed(), Checked(req.form))


@routes.post(APP_PAGE, can=Permission.LOGGED_IN, step_up=True)
def add_app(req: Req) -> Response:
    user_id = own_id(req)
    seed = _opened(req, req.form.get("seed"))
    if seed is None:
        flash(req, "This took too long. Scan the new code.", "error")
        return redirect(APP_PAGE)
    form = Checked(req.form)
    name = form.read("name", check_name, "")
    step = totp.step_of(seed, totp.clean(req.form.get("code")), clock.now_s())
    if step is None:
        form.errors["code"] = "This code is wrong. Check the clock of your phone."
    if not form or step is None:
        return _app_page(req, seed, form, status=422)
    try:
        with req.meta.write() as tx:
            is_first = not queries.has_factor(tx, user_id)
            actions.add_totp(tx, req.tracer.vault, user_id, seed, name, step=step)
            codes = _enrolled(req, tx, user_id, is_first=is_first)
    except Conflict as error:
        flash(req, error.detail, "error")
        return redirect(SECURITY_PAGE)
    return _after(req, codes, "The authenticator app is added.")


@routes.post("/account/security/passkeys/options", can=Permission.LOGGED_IN, step_up=True)
def ask_new_passkey(req: Req) -> Response:
    user_id = own_id(req)
    return answered(lambda: _creation(req, user_id))


@routes.post(
    "/account/security/passkeys/",
    can=Permission.LOGGED_IN,
    step_up=True,
    body_bytes=passkeys.BODY_BYTES,
)
def add_passkey(req: Req) -> Response:
    user_id = own_id(req)
    challenge = flow.challenge_of(req, _REGISTER, req.actor.ref, user_id)
    try:
        name = check_name(req.form.get("passkey_name"))
        if challenge is None:
            raise Invalid("This took too long. Add the passkey again.")
        key = passkeys.check_creation(flow.site_of(req), challenge, req.form.get("credential"))
        with req.meta.write() as tx:
            is_first = not queries.has_factor(tx, user_id)
            actions.add_passkey(tx, user_id, key, name)
            codes = _enrolled(req, tx, user_id, is_first=is_first)
    except (Invalid, Conflict) as error:
        flash(req, error.detail, "error")
        return redirect(SECURITY_PAGE)
    return _after(req, codes, "The passkey is added.")


@routes.post("/account/security/factors/{factor_id:int}/rename", can=Permission.LOGGED_IN)
def rename(req: Req, factor_id: int) -> Response:
    user_id = own_id(req)
    name = check_name(req.form.get("name"))
    with req.meta.write() as tx:
        actions.rename_factor(tx, user_id, factor_id, name)
    flash(req, "Renamed.")
    return redirect(SECURITY_PAGE)


@routes.post(
    "/account/security/factors/{factor_id:int}/remove", can=Permission.LOGGED_IN, step_up=True
)
def remove(req: Req, factor_id: int) -> Response:
    user_id = own_id(req)
    with req.meta.write() as tx:
        gone = actions.remove_factor(tx, req.tracer.vault, user_id, factor_id)
    flash(req, f"{gone.name} is removed. Remembered devices have to show a factor again.")
    return redirect(SECURITY_PAGE)


@routes.post("/account/security/recovery-codes/", can=Permission.LOGGED_IN, step_up=True)
def renew_codes(req: Req) -> Response:
    user_id = own_id(req)
    if not queries.has_factor(req.meta.read(), user_id):
        raise Invalid("Add an authenticator app or a passkey first.")
    with req.meta.write() as tx:
        codes = actions.renew_recovery_codes(tx, user_id)
    return _codes_page(req, codes)


@routes.post("/account/security/devices/{ref}/forget", can=Permission.LOGGED_IN)
def forget_device(req: Req, ref: str) -> Response:
    user_id = own_id(req)
    with req.meta.write() as tx:
        if not devices.forget(tx, user_id, ref):
            raise NotFound("This device is not remembered any more.")
    flash(req, "The device has to show a second factor again.")
    return redirect(SECURITY_PAGE)


@routes.post("/account/security/devices/forget-all", can=Permission.LOGGED_IN)
def forget_devices(req: Req) -> Response:
    user_id = own_id(req)
    with req.meta.write() as tx:
        devices.forget_all(tx, user_id)
    flash(req, "Every device has to show a second factor again.")
    return redirect(SECURITY_PAGE)


def _creation(req: Req, user_id: int) -> object:
    site = flow.site_of(req)
    known = [key.credential_id for key in queries.passkeys(req.meta.read(), user_id)]
    with req.meta.write(unaudited="a challenge was asked") as tx:
        challenge = ceremonies.ask_passkey(tx, _REGISTER, req.actor.ref, user_id)
    handle = passkeys.user_handle(req.tracer.secret, user_id)
    actor = req.actor
    return passkeys.creation_options(site, challenge, handle, actor.email, actor.name, known)


def _enrolled(req: Req, tx: Tx, user_id: int, *, is_first: bool) -> list[str]:
    """What comes with a new factor: this login has shown it. With the first one come recovery
    codes, and all other browsers are logged out: none of them has shown a factor."""
    codes: list[str] = []
    if is_first:
        account_actions.end_other_logins(tx, user_id, req.actor.ref)
        codes = actions.renew_recovery_codes(tx, user_id, are_first=True)
        tx.emit(AccessChanged())
    flow.mark(req, tx, second_factor=True)
    return codes


def _after(req: Req, codes: list[str], message: str) -> Response:
    if codes:
        return _codes_page(req, codes, message)
    flash(req, message)
    return redirect(SECURITY_PAGE)


def _codes_page(req: Req, codes: list[str], message: str = "") -> Response:
    answer = page(
        req,
        "accounts/factors_codes.html",
        status=201,
        codes=codes,
        message=message,
    )
    answer.headers["cache-control"] = "no-store"
    return answer


def _app_page(req: Req, seed: str, form: Checked, *, status: int = 200) -> Response:
    address = totp.address(seed, req.actor.email, urlsplit(req.base_url).hostname or "")
    answer = page(
        req,
        "accounts/factors_app.html",
        status=status,
        form=form,
        drawing=totp.drawing(address),
        spaced=totp.spaced(seed),
        address=address,
        sealed=_sealed(req, seed),
    )
    answer.headers["cache-control"] = "no-store"
    return answer


def _sealed(req: Req, seed: str) -> str:
    """The seed as the form brings it back: ours, this user's and of this half hour."""
    until = clock.now_ms() + _SEED_AGE_MS
    return csrf.sign(req.tracer.secret, f"seed for {req.actor.user_id}", f"{seed}-{until}")


def _opened(req: Req, sealed: str) -> str | None:
    value = csrf.unsign(req.tracer.secret, f"seed for {req.actor.user_id}", sealed)
    seed, _, until = (value or "").partition("-")
    return seed if seed and int(until) > clock.now_ms() else None
