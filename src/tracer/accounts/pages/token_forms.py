"""What the pages of personal and of organization tokens share: the form of a new token, making
it, rotating it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tracer.accounts.pages.setup import check_name
from tracer.accounts.tokens import actions
from tracer.accounts.tokens.model import (
    DEFAULT_LIFETIME,
    ORGANIZATION,
    OVERLAPS_S,
    PROJECTS_MAX,
    NewToken,
    Token,
    check_scopes,
    givable,
    lifetime_ms,
)
from tracer.errors import Invalid, Problem
from tracer.kit.checking import Checked
from tracer.kit.context import Req
from tracer.kit.directory import ProjectRef
from tracer.kit.forms import Form
from tracer.kit.render import Response

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
    ("org:integrations", "Change integrations"),
    ("org:ci", "What a build needs: releases and files"),
    ("member:read", "List members"),
    ("member:write", "Change members"),
    ("member:admin", "Add and remove members"),
    ("team:read", "List teams"),
    ("team:write", "Change teams"),
    ("team:admin", "Add and remove teams"),
    ("alerts:read", "Read alert rules"),
    ("alerts:write", "Change alert rules"),
)
LIFETIMES = (("30d", "30 days"), ("90d", "90 days"), ("365d", "1 year"), ("never", "No expiry"))
OVERLAPS = (
    ("0", "not at all"),
    ("1h", "1 hour"),
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("30d", "30 days"),
)
#: Between slugs that are typed, where there are too many projects to tick.
_BETWEEN_SLUGS = re.compile(r"[,\s]+")
_PERSONAL_DEFAULT = frozenset({"event:read", "project:read", "org:read"})
_CI_DEFAULT = frozenset({"org:ci", "org:read", "project:read"})


@dataclass(slots=True)
class TokenForm:
    """The form of a new token: what was chosen, and what there is to choose."""

    checked: Checked
    offered: tuple[tuple[str, str], ...]
    projects: tuple[ProjectRef, ...]
    scopes: tuple[str, ...]
    name: str = ""
    project_ids: tuple[int, ...] | None = None
    lifetime: str = DEFAULT_LIFETIME
    lives_ms: int | None = None
    lifetimes: tuple[tuple[str, str], ...] = LIFETIMES

    @staticmethod
    def empty(req: Req, kind: str) -> TokenForm:
        """A form as it is first shown."""
        chosen = _CI_DEFAULT if kind == ORGANIZATION else _PERSONAL_DEFAULT
        allowed = allowed_scopes(req, kind)
        return TokenForm(Checked(Form([])), _offer(allowed), req.projects, tuple(chosen & allowed))


def allowed_scopes(req: Req, kind: str) -> frozenset[str]:
    """The scopes that the actor can give to a token of a kind."""
    actor = req.actor
    held = actor.permissions
    if kind != ORGANIZATION and actor.leads:
        held |= actor.of_lead
    return givable(kind, held)


def read_form(req: Req, kind: str) -> TokenForm:
    """The form as it was sent; `checked` is false when something in it is wrong."""
    checked = Checked(req.form)
    allowed = allowed_scopes(req, kind)
    form = TokenForm(checked, _offer(allowed), req.projects, tuple(req.form.all("scope")))
    form.name = checked.read("name", check_name, "")
    form.scopes = checked.read("scope", lambda _: _scopes(form.scopes, allowed), form.scopes)
    form.lifetime = req.form.get("lifetime") or DEFAULT_LIFETIME
    form.lives_ms = checked.read("lifetime", lambda _: lifetime_ms(form.lifetime), None)
    slugs = checked.typed("projects")
    form.project_ids = checked.read("project", lambda _: _project_ids(req, slugs), None)
    return form


def create(req: Req, kind: str, user_id: int, wanted: TokenForm) -> str:
    """Make the token that a form describes; its text, which is shown once."""
    new = NewToken(
        kind,
        user_id,
        req.reach.organization_id,
        wanted.name,
        wanted.scopes,
        wanted.project_ids,
        wanted.lives_ms,
    )
    with req.meta.write() as tx:
        return actions.create_token(tx, req.tracer.vault, new).text


def rotate(req: Req, token: Token) -> str:
    """Rotate a token with the overlap that a form chose; the new token's text."""
    overlap_s = OVERLAPS_S[req.form.choice("overlap", OVERLAPS_S)]
    allowed = allowed_scopes(req, token.kind)
    with req.meta.write() as tx:
        return actions.rotate_token(tx, req.tracer.vault, token, overlap_s, allowed).text


def made_page(answer: Response) -> Response:
    """A page that shows a token: it must be in no URL, cookie, log or cache."""
    answer.headers["cache-control"] = "no-store"
    return answer


def _offer(allowed: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple((scope, text) for scope, text in SCOPE_TEXTS if scope in allowed)


def _scopes(wanted: tuple[str, ...], allowed: frozenset[str]) -> tuple[str, ...]:
    try:
        return check_scopes(wanted, allowed)
    except Problem as problem:
        raise Invalid(problem.detail) from None


def _project_ids(req: Req, slugs: str) -> tuple[int, ...] | None:
    """The projects that were ticked or named, all of them in reach; None for no restriction."""
    ids = {str(ref.id): ref.id for ref in req.projects}
    named = {ref.slug: ref.id for ref in req.projects}
    chosen = {ids.get(text) for text in req.form.all("project")}
    chosen |= {named.get(slug) for slug in _BETWEEN_SLUGS.split(slugs) if slug}
    known = {one for one in chosen if one is not None}
    if known != chosen:
        raise Invalid("There is no such project.")
    if len(known) > PROJECTS_MAX:
        raise Invalid(f"Choose at most {PROJECTS_MAX} projects, or none for all of them.")
    return tuple(sorted(known)) or None
