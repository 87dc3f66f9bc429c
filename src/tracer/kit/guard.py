"""Between the request and its handler: actor, then permission, then reach, then the loaded object.

Pages, the API and tokens pass here alike. Out of reach is 404; in reach without permission, 403.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from tracer import clock
from tracer.errors import Forbidden, NotFound, Problem
from tracer.kit import csrf
from tracer.kit.context import ANONYMOUS, Actor, ProjectRef, Reach, Req
from tracer.kit.permissions import SCOPES, Permission, granted
from tracer.kit.render import Response, problem, redirect

if TYPE_CHECKING:
    from tracer.kit.routes import Found, Route
    from tracer.storage.meta import Meta, Reader, Tx


class Unauthenticated(Problem):
    """Nobody is known by this request's cookie or token."""

    status = 401


class MethodNotAllowed(Problem):
    """The path is right, the method is not."""

    status = 405


class Identity(Protocol):
    """Whom a cookie or token belongs to, as the accounts package tells it."""

    @property
    def user_id(self) -> int: ...
    @property
    def email(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def theme(self) -> str: ...
    @property
    def organization_id(self) -> int: ...
    @property
    def organization_slug(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def scopes(self) -> tuple[str, ...] | None: ...
    @property
    def csrf(self) -> str: ...
    @property
    def ref(self) -> str: ...


Lookup = Callable[["Reader", str], Identity | None]


@dataclass(frozen=True, slots=True)
class Doors:
    """How the accounts package knows people: by login cookie, by token; and how it notes a use."""

    by_login: Lookup
    by_token: Lookup
    seen: Callable[[Tx, dict[str, int], dict[str, int]], None]


class Guard:
    """Establishes who asks, and runs a handler only if the actor may."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._lock = threading.Lock()
        self._logins: dict[str, int] = {}
        self._tokens: dict[str, int] = {}

    def run(self, req: Req, found: Found) -> Response:
        """The handler's answer; raises a Problem when it may not run."""
        route = found.route
        reader = req.meta.read()
        self._identify(req, reader)
        refusal = _refuse(req, route)
        if refusal is not None:
            return refusal
        csrf.check(req)
        answer: Response
        if route.load is None:
            answer = route.handler(req, **found.values)
        else:
            loaded = route.load(reader, req.reach, **found.values)
            if loaded is None:
                raise NotFound("The requested resource does not exist")
            if not _may(req.actor, route):
                raise Forbidden("You do not have permission to perform this action.")
            answer = route.handler(req, loaded)
        return answer

    def unfound(self, req: Req, allowed: set[str]) -> Response:
        """A path without a route: 404, or 405 when other methods would find one."""
        self._identify(req, req.meta.read())
        if allowed:
            names = sorted(allowed | ({"HEAD"} if "GET" in allowed else set()))
            answer = problem(req, MethodNotAllowed(f'Method "{req.method}" not allowed.'))
            answer.headers["allow"] = ", ".join(names)
            return answer
        raise NotFound("The requested resource does not exist")

    def knows(self, req: Req) -> bool:
        """Whether the request's login or token still holds; for answers that stay open."""
        return self._identity(req, req.meta.read()) is not None

    def flush(self, meta: Meta) -> None:
        """Write down when logins and tokens were last used; they gather in memory meanwhile."""
        with self._lock:
            logins, self._logins = self._logins, {}
            tokens, self._tokens = self._tokens, {}
        if logins or tokens:
            with meta.write() as tx:
                self._doors.seen(tx, logins, tokens)

    def _identify(self, req: Req, reader: Reader) -> None:
        identity = self._identity(req, reader)
        if identity is None:
            return
        with self._lock:
            used = self._logins if identity.scopes is None else self._tokens
            used[identity.ref] = clock.now_ms()
        req.actor = Actor(
            kind="user" if identity.scopes is None else "token",
            user_id=identity.user_id,
            email=identity.email,
            name=identity.name,
            organization_id=identity.organization_id,
            organization_slug=identity.organization_slug,
            role=identity.role,
            permissions=granted(identity.role, identity.scopes),
            theme=identity.theme,
            csrf=identity.csrf,
            ref=identity.ref,
        )
        req.projects = tuple(projects(reader, identity.organization_id))
        req.reach = Reach(identity.organization_id, tuple(ref.id for ref in req.projects))

    def _identity(self, req: Req, reader: Reader) -> Identity | None:
        bearer = _bearer(req)
        if bearer is not None:
            identity = self._doors.by_token(reader, bearer)
            if identity is None:
                raise Unauthenticated("Invalid token")
            return identity
        cookie = req.cookies.get(req.login_cookie)
        return self._doors.by_login(reader, cookie) if cookie else None


def projects(reader: Reader, organization_id: int) -> list[ProjectRef]:
    """The projects of an organization, by name: reach and navigation in one read."""
    return [
        ProjectRef(*row)
        for row in reader.rows(
            """
            SELECT id, slug, name, platform
            FROM projects
            WHERE organization_id = :organization_id AND deleted_at IS NULL
            ORDER BY name COLLATE NOCASE, id
            """,
            organization_id=organization_id,
        )
    ]


def reach_of_all(reader: Reader, organization_id: int) -> Reach:
    """The reach of a command run on the server itself."""
    found = projects(reader, organization_id)
    return Reach(organization_id, tuple(ref.id for ref in found))


def _refuse(req: Req, route: Route) -> Response | None:
    """Let through, redirect to the login, or raise. With `load`, the permission waits for it."""
    if req.actor is ANONYMOUS:
        if route.can is Permission.PUBLIC:
            return None
        if req.is_api or route.is_api:
            raise Unauthenticated("Authentication credentials were not provided.")
        return _to_login(req)
    if route.load is None and not _may(req.actor, route):
        raise Forbidden("You do not have permission to perform this action.")
    return None


def _may(actor: Actor, route: Route) -> bool:
    can = route.can
    if can is Permission.PUBLIC:
        return True
    if can is Permission.LOGGED_IN:
        return actor.kind in ("user", "token")
    return can in SCOPES and can in actor.permissions


def _to_login(req: Req) -> Response:
    """To the login page; back afterwards, if the address can be asked for again."""
    if req.method not in csrf.SAFE_METHODS or req.path == "/":
        return redirect("/login")
    query = "&".join(f"{quote(k)}={quote(v)}" for k, v in req.query.pairs)
    return redirect("/login?next=" + quote(req.path + (f"?{query}" if query else ""), safe="/"))


def _bearer(req: Req) -> str | None:
    scheme, _, value = req.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None
