"""A lost password: a link opens the choice of another. It comes by mail, or from an administrator
(see `rescue`).

Nobody learns here whether an account exists.
"""

from __future__ import annotations

from tracer.accounts import actions, letters, passwords, queries
from tracer.accounts.model import PASSWORD_MIN, RESET_AGE_MS, User, check_email
from tracer.accounts.pages.entry import acting_as, know_browser
from tracer.accounts.throttle import Throttle, Who
from tracer.errors import Invalid, NotFound, RateLimited
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()

#: How often a mail may be asked for from one address.
requests = Throttle()


@routes.get("/forgot", can=Permission.PUBLIC)
def forgot(req: Req) -> Response:
    return _forgot(req, Checked(req.form))


@routes.post("/forgot", can=Permission.PUBLIC)
def ask_for_link(req: Req) -> Response:
    if not letters.is_ready(req.tracer):
        raise NotFound("The requested resource does not exist")
    form = Checked(req.form)
    email = form.read("email", check_email, "")
    if form:
        form.read("email", lambda text: _slowly(req, text), None)
    if not form:
        return _forgot(req, form, status=422)
    # Whether there is such an account is looked up later, so that the answer takes no longer.
    with req.meta.write(unaudited="somebody asked for a mail") as tx:
        tx.enqueue(
            "accounts.send_reset_link",
            email=email,
            address=req.client_ip,
            device=req.headers.get("user-agent", "")[:300],
        )
    return _forgot(req, form, sent=email)


@routes.get("/reset/{secret}", can=Permission.PUBLIC)
def show(req: Req, secret: str) -> Response:
    user = queries.password_link_user(req.meta.read(), secret)
    return _choice(req, user, Checked(req.form))


@routes.post("/reset/{secret}", can=Permission.PUBLIC)
def choose(req: Req, secret: str) -> Response:
    user = queries.password_link_user(req.meta.read(), secret)
    if user is None:
        return _choice(req, None, Checked(req.form))
    form = Checked(req.form)
    password = form.read("password", lambda text: _new_password(req, user, text), "")
    if not form:
        return _choice(req, user, form, status=422)
    password_hash = passwords.hash_password(password)
    organization_id = queries.membership(req.meta.read(), user.id)
    try:
        with acting_as(req, user, organization_id), req.meta.write() as tx:
            actions.reset_password(tx, secret, password_hash)
    except NotFound:
        return _choice(req, None, form)
    know_browser(req, user.id)
    flash(req, "Your password is changed. Log in with it.")
    return redirect("/login")


def _slowly(req: Req, email: str) -> None:
    try:
        requests.begin(Who(email, req.client_ip, is_near=True))
    except RateLimited as error:
        seconds = error.retry_after_s
        raise Invalid(f"Too many mails were asked for. Wait {seconds} seconds.") from None


def _new_password(req: Req, user: User, text: str) -> str:
    homes = queries.organizations_of(req.meta.read(), user.id)
    return passwords.new_password(text, user.email, *(home.name for home, _ in homes))


def _forgot(req: Req, form: Checked, *, sent: str = "", status: int = 200) -> Response:
    return page(
        req,
        "accounts/forgot.html",
        status=status,
        form=form,
        sent=sent,
        by_mail=letters.is_ready(req.tracer),
        minutes=RESET_AGE_MS // 60_000,
    )


def _choice(req: Req, user: User | None, form: Checked, *, status: int = 200) -> Response:
    if user is None:
        return page(req, "accounts/reset_closed.html", status=404)
    answer = page(
        req,
        "accounts/reset.html",
        status=status,
        user=user,
        form=form,
        password_min=PASSWORD_MIN,
    )
    # The address holds a secret: it must not be kept, nor told to other pages.
    answer.headers["cache-control"] = "no-store"
    answer.headers["referrer-policy"] = "no-referrer"
    return answer
