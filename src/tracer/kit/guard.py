"""Between the request and its handler: actor, then permission, then reach, then the loaded object.

Pages, the API and tokens pass here alike. Out of reach is 404; in reach without permission, 403.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from tracer import clock
from tracer.errors import Forbidden, NotFound, Problem
from tracer.kit import access, audit, csrf
from tracer.kit.context import ANONYMOUS, Actor, Req
from tracer.kit.directory import Directory, OrganizationView, entrance_rules
from tracer.kit.permissions import ADMINISTRATION, OF_TEAMS, SCOPES, Permission
from tracer.kit.policy import decide, within
from tracer.kit.reach import NOWHERE
from tracer.kit.render import Response, problem, redirect

if TYPE_CHECKING:
    from tracer.kit.routes import Found, Route
    from tracer.storage.meta import Meta, Reader, Tx

#: A dangerous action asks for the password or second factor if neither was shown for so long.
CONFIRMED_FOR_MS = 15 * 60_000
_SECURITY_PAGE = "/account/security/"
_NO_PERMISSION = "You do not have permission to perform this action."


class Unauthenticated(Problem):
    """Nobody is known by this request's cookie or token."""

    status = 401


class MethodNotAllowed(Problem):
    """The path is right, the method is not."""

    status = 405


class Identity(Protocol):
    """Whom a cookie or token belongs to, as the accounts package tells it.

    `scopes` is None for a login, `project_ids` None without a restriction, `teams` has the role in
    each. `second_factor`: the login showed one; `confirmed_at` unix ms of the last proof.
    """

    @property
    def user_id(self) -> int | None: ...
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
    def access_version(self) -> int: ...
    @property
    def role(self) -> str: ...
    @property
    def teams(self) -> Mapping[int, str]: ...
    @property
    def is_server_admin(self) -> bool: ...
    @property
    def second_factor(self) -> bool: ...
    @property
    def confirmed_at(self) -> int: ...
    @property
    def scopes(self) -> tuple[str, ...] | None: ...
    @property
    def project_ids(self) -> tuple[int, ...] | None: ...
    @property
    def csrf(self) -> str: ...
    @property
    def ref(self) -> str: ...
    @property
    def token_id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Doors:
    """How the accounts package knows people: by login cookie, by token; and how it notes uses.

    `seen` is given unix ms of the last use of logins and tokens by `ref`, and the address of each
    token's.
    """

    by_login: Callable[[Reader, str], Identity | None]
    by_token: Callable[[Reader, str], Identity | None]
    seen: Callable[[Tx, dict[str, int], dict[str, tuple[int, str]]], None]


class Guard:
    """Establishes who asks, and runs a handler only if the actor may."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._lock = threading.Lock()
        self._logins: dict[str, int] = {}
        self._tokens: dict[str, tuple[int, str]] = {}
        self.directory = Directory()

    def run(self, req: Req, found: Found) -> Response:
        """The handler's answer; raises a Problem when it may not run."""
        route = found.route
        reader = req.meta.read()
        # An open page asks by itself: that keeps no login alive.
        view = self._identify(req, reader, is_use=not req.path.startswith("/live/"))
        refusal = _refuse(req, reader, route, view)
        if refusal is not None:
            return refusal
        csrf.check(req)
        if route.load is None:
            arguments: tuple[Any, ...] = (req,)
            values = found.values
        else:
            # What may be known to exist; whether it may be used is asked of the object itself.
            loaded = route.loaded(req.tracer, reader, req.reach, **found.values)
            if loaded is None:
                raise NotFound("The requested resource does not exist")
            _check_object(req, route, loaded)
            arguments, values = (req, loaded), {}
        req.reach = req.actor.access.reach_for(route.can)
        if route.step_up and not _is_confirmed(req) and route.is_dangerous(req):
            return _ask_again(req)
        with audit.acting(_acting(req)):
            answer: Response = route.handler(*arguments, **values)
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

    def still_sees(self, req: Req, project_ids: frozenset[int]) -> bool:
        """Whether the request would be let in again now, with these projects in reach."""
        again = self._let_in(req, req.route)
        if again is None or req.route is None:
            return False
        return all(map(again.access.reach_for(req.route.can).holds, project_ids))

    def still_opens(self, req: Req, path: str) -> bool:
        """Whether who asks would be shown the page at a path now. What no GET leads to is the
        answer to a form: whoever is still logged in may go on looking at it."""
        found = req.tracer.table.find("GET", path)
        if isinstance(found, set):
            return self._let_in(req, req.route) is not None
        actor = self._let_in(req, found.route)
        if actor is None or found.route.load is None:
            return actor is not None
        again = replace(req, actor=actor, reach=actor.access.reach)
        try:
            reader = req.meta.read()
            loaded = found.route.loaded(req.tracer, reader, again.reach, **found.values)
            if loaded is not None:
                _check_object(again, found.route, loaded)
        except Problem:
            return False
        return loaded is not None

    def _let_in(self, req: Req, route: Route | None) -> Actor | None:
        """Who asks, known anew, if the route lets them in and they are where they were."""
        if route is None:
            return None
        again = replace(req, actor=ANONYMOUS, reach=NOWHERE, now=clock.now())
        reader = req.meta.read()
        try:
            view = self._identify(again, reader, is_use=False)
            if _refuse(again, reader, route, view) is not None:
                return None
        except Problem:
            return None
        same = again.actor.organization_id == req.actor.organization_id
        return again.actor if same else None

    def flush(self, meta: Meta) -> None:
        """Write down when logins and tokens were last used; they gather in memory meanwhile."""
        with self._lock:
            logins, self._logins = self._logins, {}
            tokens, self._tokens = self._tokens, {}
        if logins or tokens:
            with meta.write(unaudited="last use") as tx:
                self._doors.seen(tx, logins, tokens)

    def _identify(
        self, req: Req, reader: Reader, *, is_use: bool = True
    ) -> OrganizationView | None:
        identity = self._identity(req, reader)
        if identity is None:
            return None
        if is_use:
            self._note_use(identity, req.client_ip)
        view = self.directory.of(reader, identity.organization_id, identity.access_version)
        allowed = access.access(identity, view, req.client_ip, req.now)
        is_login = identity.scopes is None
        req.actor = Actor(
            kind="user" if is_login else "token",
            user_id=identity.user_id,
            email=identity.email,
            name=identity.name,
            organization_id=identity.organization_id,
            organization_slug=identity.organization_slug,
            role=identity.role,
            access=allowed,
            teams=identity.teams,
            is_server_admin=identity.is_server_admin and is_login and not allowed.is_outside,
            second_factor=identity.second_factor,
            confirmed_at=identity.confirmed_at,
            theme=identity.theme,
            csrf=identity.csrf,
            ref=identity.ref,
            token_id=identity.token_id,
            identity=identity,
        )
        req.reach = allowed.reach
        req.projects = allowed.projects
        return view

    def _note_use(self, identity: Identity, address: str) -> None:
        with self._lock:
            if identity.scopes is None:
                self._logins[identity.ref] = clock.now_ms()
            else:
                self._tokens[identity.ref] = (clock.now_ms(), address)

    def _identity(self, req: Req, reader: Reader) -> Identity | None:
        bearer = _bearer(req)
        if bearer is not None:
            identity = self._doors.by_token(reader, bearer)
            if identity is None:
                raise Unauthenticated("Invalid token")
            return identity
        cookie = req.cookies.get(req.login_cookie)
        return self._doors.by_login(reader, cookie) if cookie else None


def _check_object(req: Req, route: Route, loaded: object) -> None:
    """The permission on this very object; Forbidden names the policy that refused, if any."""
    if route.can not in SCOPES:
        return
    project_id: int | None = _told(loaded, "project_id")
    team_id: int | None = _told(loaded, "team_id")
    # A permission about teams is asked of the team; any other one of the project if one is named,
    # since policies may refuse it there.
    if team_id is not None and (project_id is None or route.can in OF_TEAMS):
        is_held = req.actor.can_with_team(route.can, team_id)
    else:
        is_held = req.actor.can(route.can, project_id)
    if not is_held:
        raise Forbidden(_why(req, route.can, project_id))
    environment: str | None = _told(loaded, "environment")
    if environment is not None:
        refusal = decide(req.actor.access.refusals, route.can, project_id, environment)
        if refusal is not None:
            raise Forbidden(refusal.why)


def _told(loaded: object, name: str) -> Any:
    """An attribute of what was loaded, or of the first of several parts that has it."""
    found = getattr(loaded, name, None)
    if found is None and isinstance(loaded, tuple):
        found = next((value for part in loaded if (value := _told(part, name)) is not None), None)
    return found


def _why(req: Req, can: Permission, project_id: int | None = None) -> str:
    """What to say of a refused permission: the policy's words if one refused it."""
    refusal = decide(req.actor.access.refusals, can, project_id)
    return _NO_PERMISSION if refusal is None else refusal.why


def _refuse(
    req: Req, reader: Reader, route: Route, view: OrganizationView | None
) -> Response | None:
    """Let through, redirect, or raise. With `load`, the permission waits for the object."""
    can = route.can
    if can is Permission.PUBLIC:
        return None
    actor = req.actor
    if actor is ANONYMOUS or view is None:
        if req.is_api or route.is_api:
            raise Unauthenticated("Authentication credentials were not provided.")
        return _to_login(req)
    if can is Permission.LOGGED_IN:
        # A token is not its owner: it may not touch passwords, factors or other tokens.
        if actor.kind == "token":
            raise Forbidden("Only a login may do this.")
        return None
    _check_address(req, can)
    if actor.access.closed == access.CLOSED_WITHOUT_FACTOR:
        return _lacks_second_factor(req)
    if can is Permission.SERVER_ADMIN:
        _check_server_admin(req, reader)
    elif route.load is None and not actor.can(can):
        raise Forbidden(_why(req, can))
    return None


def _check_address(req: Req, can: Permission) -> None:
    allowed = req.actor.access
    if allowed.closed == access.CLOSED_TO_ADDRESS:
        raise Forbidden(f"This organization does not allow access from {req.client_ip}.")
    if allowed.is_outside and (can in ADMINISTRATION or can is Permission.SERVER_ADMIN):
        raise Forbidden(f"Administration is not allowed from {req.client_ip}.")


def _check_server_admin(req: Req, reader: Reader) -> None:
    """The server is everyone's: each organization of its administrator guards the way to it, so
    that changing to one without rules is no way around those of another."""
    actor = req.actor
    if not actor.is_server_admin or actor.user_id is None:
        raise Forbidden("Only an administrator of this server may do this.")
    for rules in entrance_rules(reader, actor.user_id):
        ranges = [found for found in (rules.ip_ranges, rules.admin_ip_ranges) if found]
        if not all(within(req.client_ip, one) for one in ranges):
            raise Forbidden(f"Administration is not allowed from {req.client_ip}.")
        if rules.asks_second_factor and not actor.second_factor:
            raise Forbidden("One of your organizations requires a second factor.")


def _lacks_second_factor(req: Req) -> Response:
    """Redirect to where a factor is set up, or raise."""
    if req.is_api or req.actor.kind == "token" or req.method not in csrf.SAFE_METHODS:
        raise Forbidden("This organization requires a second factor.")
    return redirect(_SECURITY_PAGE + "?required=1")


def _is_confirmed(req: Req) -> bool:
    actor = req.actor
    return actor.kind != "user" or clock.now_ms() - actor.confirmed_at < CONFIRMED_FOR_MS


def _ask_again(req: Req) -> Response:
    """To the page that asks for the password or a second factor, and back to where one was."""
    if req.is_api:
        raise Forbidden("Confirm your identity at /account/confirm/ and try again.")
    back = _address(req) if req.method in csrf.SAFE_METHODS else _page_before(req)
    return redirect("/account/confirm/?next=" + quote(back, safe="/"))


def _page_before(req: Req) -> str:
    """The page that a form was on. One that only an earlier form opened cannot be asked for again:
    the nearest above it then."""
    path, mark, query = req.own_referer.partition("?")
    if req.tracer.table.serves(path):
        return path + mark + query
    while path.count("/") > 1:
        path = path.rstrip("/").rpartition("/")[0] + "/"
        if path != "/" and req.tracer.table.serves(path):
            return path
    return "/account/"


def _acting(req: Req) -> audit.Acting:
    actor = req.actor
    return audit.Acting(
        kind=actor.kind,
        id=actor.user_id,
        name=actor.email or actor.name,
        token_id=actor.token_id,
        address=req.client_ip,
        device=req.headers.get("user-agent", ""),
        organization_id=actor.organization_id,
    )


def _to_login(req: Req) -> Response:
    """To the login page; back afterwards, if the address can be asked for again."""
    if req.method not in csrf.SAFE_METHODS or req.path == "/":
        return redirect("/login")
    return redirect("/login?next=" + quote(_address(req), safe="/"))


def _address(req: Req) -> str:
    """The path of a request with its query."""
    query = "&".join(f"{quote(k)}={quote(v)}" for k, v in req.query.pairs)
    return req.path + (f"?{query}" if query else "")


def _bearer(req: Req) -> str | None:
    scheme, _, value = req.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None
