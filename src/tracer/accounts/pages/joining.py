"""Coming in: by an invitation, or by the domain of one's e-mail address. Open to everybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts import actions, letters, passwords, queries
from tracer.accounts.factors import flow
from tracer.accounts.membership import domain_of
from tracer.accounts.model import LOGIN_AGE_MS, User, check_email
from tracer.accounts.pages import entry
from tracer.accounts.pages.setup import check_name
from tracer.accounts.throttle import Who, guesses
from tracer.errors import Forbidden, Invalid, NotFound, RateLimited
from tracer.kit import audit
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

if TYPE_CHECKING:
    from tracer.storage.meta import Reader, Tx

routes = Routes()


@dataclass(frozen=True, slots=True)
class Ticket:
    """A link that lets the owner of one e-mail address into one organization."""

    email: str
    organization_id: int
    organization: str
    role: str
    secret: str
    use: Callable[[Tx, str, int], object]


@routes.get("/invitations/{secret}", can=Permission.PUBLIC)
def show_invitation(req: Req, secret: str) -> Response:
    return _show(req, _invitation(req.meta.read(), secret))


@routes.post("/invitations/{secret}", can=Permission.PUBLIC)
def accept_invitation(req: Req, secret: str) -> Response:
    return _accept(req, _invitation(req.meta.read(), secret))


@routes.get("/joining/{secret}", can=Permission.PUBLIC)
def show_join(req: Req, secret: str) -> Response:
    return _show(req, _join_link(req.meta.read(), secret))


@routes.post("/joining/{secret}", can=Permission.PUBLIC)
def accept_join(req: Req, secret: str) -> Response:
    return _accept(req, _join_link(req.meta.read(), secret))


@routes.get("/join/{slug}", can=Permission.PUBLIC)
def ask(req: Req, slug: str) -> Response:
    return _join_form(req, slug, Checked(req.form))


@routes.post("/join/{slug}", can=Permission.PUBLIC)
def send_link(req: Req, slug: str) -> Response:
    form = Checked(req.form)
    email = form.read("email", check_email, "")
    home = queries.open_to_domains(req.meta.read(), slug)
    if home is None or not letters.is_ready(req.tracer):
        raise NotFound("The requested resource does not exist")
    if form and domain_of(email) not in home.join_domains:
        form.errors["email"] = "Addresses of this domain cannot join by themselves."
    if form:
        form.read("email", lambda text: _slowly(req, text), None)
    if not form:
        return _join_form(req, slug, form, status=422)
    with req.meta.write() as tx:
        secret = actions.create_join_link(tx, home, email)
        letters.join(tx, req.tracer, home, email, f"{req.public_url}/joining/{secret}")
    return _join_form(req, slug, form, sent=email)


def _slowly(req: Req, email: str) -> None:
    """Each mail counts like a wrong password: nobody's mailbox is filled from here."""
    try:
        guesses.begin(Who("join:" + email.strip().lower(), req.client_ip))
    except RateLimited as error:
        raise Invalid(error.detail) from None


def _invitation(reader: Reader, secret: str) -> Ticket | None:
    found = queries.invitation_by_secret(reader, secret)
    if found is None:
        return None
    return Ticket(
        found.email,
        found.organization_id,
        found.organization,
        found.role,
        secret,
        actions.accept_invitation,
    )


def _join_link(reader: Reader, secret: str) -> Ticket | None:
    link = queries.join_link(reader, secret)
    home = queries.organization_settings(reader, link[0]) if link else None
    if link is None or home is None or domain_of(link[1]) not in home.join_domains:
        return None
    return Ticket(link[1], home.id, home.name, home.join_role, secret, actions.use_join_link)


def _show(
    req: Req, ticket: Ticket | None, form: Checked | None = None, *, status: int = 200
) -> Response:
    if ticket is None:
        return page(req, "accounts/invitation_closed.html", status=404)
    known = queries.user_by_email(req.meta.read(), ticket.email)
    answer = page(
        req,
        "accounts/invitation.html",
        status=status,
        ticket=ticket,
        form=form or Checked(req.form),
        state=_state(req, ticket, known),
    )
    # The address holds a secret: it must not be kept, nor told to other pages.
    answer.headers["cache-control"] = "no-store"
    answer.headers["referrer-policy"] = "no-referrer"
    return answer


def _state(req: Req, ticket: Ticket, known: User | None) -> str:
    """What stands between the visitor and the organization: "ready", "other" (logged in as somebody
    else), "login", "password" (an account that belongs nowhere), "new"."""
    if req.actor.kind == "user":
        return "ready" if req.actor.email.lower() == ticket.email.lower() else "other"
    if known is None:
        return "new"
    return "password" if queries.membership(req.meta.read(), known.id) is None else "login"


def _accept(req: Req, ticket: Ticket | None) -> Response:
    if ticket is None:
        return _show(req, None)
    known = queries.user_by_email(req.meta.read(), ticket.email)
    state = _state(req, ticket, known)
    if state == "other":
        raise Forbidden(f"This link is for {ticket.email}. Log out first.")
    if state == "login":
        return redirect(f"/login?next={req.path}")
    form = Checked(req.form)
    name = form.read("name", check_name, "") if state == "new" else ""
    if state == "new":
        password = form.read("password", lambda text: _new_password(text, ticket), "")
        hashed = passwords.hash_password(password) if form else ""
    elif state == "password" and known is not None:
        form.read("password", lambda text: _check_own(req, known, text), None)
    if not form:
        return _show(req, ticket, form, status=422)
    if state == "password" and known is not None and flow.needs(req, known.id):
        # `accept_at` goes on from here once the factor is shown.
        return flow.begin(req, known.id, req.path)
    acting = audit.Acting(
        kind="user",
        id=known.id if known else None,
        name=ticket.email,
        address=req.client_ip,
        device=req.headers.get("user-agent", ""),
        organization_id=ticket.organization_id,
    )
    try:
        with audit.acting(acting), req.meta.write() as tx:
            user_id = known.id if known else actions.create_user(tx, ticket.email, hashed, name)
            ticket.use(tx, ticket.secret, user_id)
            if state == "ready":
                cookie = actions.switch_login(tx, req.actor.ref, user_id, ticket.organization_id)
    except NotFound:
        return _show(req, None)
    flash(req, f"Welcome to {ticket.organization}.")
    if state == "password" and known is not None:
        return entry.proven(req, known, "/issues/")
    if state == "ready":
        entry.keep_login(req, cookie, clock.now_ms() + LOGIN_AGE_MS)
    else:
        entry.sign_in(req, user_id, ticket.organization_id)
    return redirect("/issues/")


def ticket_at(reader: Reader, path: str, email: str) -> Ticket | None:
    """The link behind a path that somebody goes on to, if it works and is for this address."""
    start, _, secret = path.rpartition("/")
    find = {"/invitations": _invitation, "/joining": _join_link}.get(start)
    found = find(reader, secret) if find else None
    return found if found and found.email.lower() == email.lower() else None


def _new_password(text: str, ticket: Ticket) -> str:
    return passwords.new_password(text, ticket.email, ticket.organization)


def _check_own(req: Req, known: User, password: str) -> None:
    try:
        is_right = entry.password_is_right(req, known.email, known, password)
    except RateLimited as error:
        raise Invalid(error.detail) from None
    if not is_right:
        raise Invalid("This is not the password of your account.")


def _join_form(
    req: Req, slug: str, form: Checked, *, sent: str = "", status: int = 200
) -> Response:
    home = queries.open_to_domains(req.meta.read(), slug)
    if home is None or not letters.is_ready(req.tracer):
        raise NotFound("The requested resource does not exist")
    return page(req, "accounts/join.html", status=status, organization=home, form=form, sent=sent)
