"""One's own API tokens: list, create (shown once), revoke."""

from __future__ import annotations

from tracer.accounts import actions, queries
from tracer.accounts.pages.account import own_user
from tracer.accounts.pages.setup import check_name
from tracer.errors import Invalid, NotFound
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.forms import Form
from tracer.kit.permissions import ROLE_GRANTS, SCOPES, Permission
from tracer.kit.render import Response, flash, page, redirect
from tracer.kit.routes import Routes

routes = Routes()

# What each scope is for, in the order of the page.
SCOPE_TEXTS = (
    ("event:read", "Read issues and events"),
    ("event:write", "Change issues: resolve, archive, assign"),
    ("event:admin", "Delete issues"),
    ("project:read", "Read projects and their keys"),
    ("project:write", "Create and change projects and keys"),
    ("project:admin", "Delete projects and keys"),
    ("project:releases", "Create releases and upload files"),
    ("org:read", "Read the organization"),
    ("org:write", "Change the organization"),
    ("org:admin", "Everything in the organization"),
    ("member:read", "List members"),
    ("member:write", "Change members"),
    ("member:admin", "Add and remove members"),
    ("team:read", "List teams"),
    ("team:write", "Change teams"),
    ("team:admin", "Add and remove teams"),
    ("alerts:read", "Read alert rules"),
    ("alerts:write", "Change alert rules"),
)
DEFAULT_SCOPES = frozenset({"event:read", "project:read", "org:read"})


@routes.get("/account/tokens/", can=Permission.LOGGED_IN)
def index(req: Req) -> Response:
    return _page(req, Checked(req.form), chosen=DEFAULT_SCOPES)


@routes.post("/account/tokens/", can=Permission.LOGGED_IN)
def create(req: Req) -> Response:
    user = own_user(req)
    form = Checked(req.form)
    name = form.read("name", check_name, "")
    chosen = frozenset(req.form.all("scope")) & allowed_scopes(req)
    form.read("scope", lambda _: _some(chosen), None)
    if not form:
        return _page(req, form, chosen=chosen, status=422)
    with req.meta.write() as tx:
        token = actions.create_token(tx, user.id, req.reach.organization_id, name, chosen)
    # Shown in the answer itself: it must be in no URL, cookie or log.
    answer = _page(req, Checked(Form([])), chosen=DEFAULT_SCOPES, created=token, status=201)
    answer.headers["cache-control"] = "no-store"
    return answer


@routes.post("/account/tokens/{token_id:int}/revoke", can=Permission.LOGGED_IN)
def revoke(req: Req, token_id: int) -> Response:
    user = own_user(req)
    with req.meta.write() as tx:
        if not actions.revoke_token(tx, token_id, user_id=user.id):
            raise NotFound("There is no such token.")
    flash(req, "The token is revoked.")
    return redirect("/account/tokens/")


def allowed_scopes(req: Req) -> frozenset[str]:
    """The scopes that the actor's role can give to a token."""
    return frozenset(scope.value for scope in ROLE_GRANTS.get(req.actor.role, frozenset()) & SCOPES)


def _some(chosen: frozenset[str]) -> None:
    if not chosen:
        raise Invalid("Choose at least one scope.")


def _page(
    req: Req, form: Checked, *, chosen: frozenset[str], created: str = "", status: int = 200
) -> Response:
    user = own_user(req)
    allowed = allowed_scopes(req)
    return page(
        req,
        "accounts/tokens.html",
        status=status,
        form=form,
        chosen=chosen,
        created=created,
        scopes=[(scope, text) for scope, text in SCOPE_TEXTS if scope in allowed],
        tokens=queries.tokens(req.meta.read(), user.id),
    )
