"""Declaring routes beside their handlers, and finding the route of a request.

`can=` has no default on purpose: a route that does not say who may use it is a TypeError.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tracer.kit.permissions import Permission

if TYPE_CHECKING:
    from tracer.kit.context import Req, Tracer
    from tracer.kit.reach import Reach
    from tracer.storage.meta import Reader

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
RawApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Handler = Callable[..., Any]
H = TypeVar("H", bound=Handler)

MAX_BODY_BYTES = 1024 * 1024

# 18 digits always fit SQLite's integers.
_CONVERTERS = {"str": r"[^/]+", "int": r"[0-9]{1,18}", "path": r".+"}
_PLACEHOLDER = re.compile(r"\{(\w+)(?::(\w+))?\}")


class Param(NamedTuple):
    """A query parameter of an API operation; `type` is a JSON Schema type or an enum of values."""

    name: str
    description: str
    type: str = "string"
    values: tuple[str, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """What the API document says of a route. `body` and `returns` are msgspec-readable types."""

    summary: str
    query: tuple[Param, ...] = ()
    body: Any = None
    returns: Any = None
    status: int = 200
    errors: tuple[int, ...] = ()
    tag: str = ""
    description: str = ""
    paged: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """A `load` of what does not lie in meta: called with (tracer, reach, **values)."""

    load: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path with its handler and rules."""

    method: str
    path: str
    can: Permission
    handler: Handler
    load: Callable[..., Any] | Stored | None
    doc: Operation | None
    body_bytes: int
    pattern: re.Pattern[str] = field(repr=False)
    ints: frozenset[str] = frozenset()
    step_up: bool | Callable[[Req], bool] = False

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/0/")

    def loaded(self, tracer: Tracer, reader: Reader, reach: Reach, **values: Any) -> Any:
        """What the path names, or None where it names nothing in reach. Only if `load` is given."""
        if isinstance(self.load, Stored):
            return self.load.load(tracer, reach, **values)
        assert self.load is not None
        return self.load(reader, reach, **values)

    def is_dangerous(self, req: Req) -> bool:
        """Whether this request needs a recent proof of who asks."""
        return self.step_up if isinstance(self.step_up, bool) else self.step_up(req)


@dataclass(frozen=True, slots=True)
class RawRoute:
    """An ASGI application of its own behind a path pattern: ingest. No guard, no middleware."""

    path: str
    methods: tuple[str, ...]
    can: Permission
    app: RawApp
    pattern: re.Pattern[str] = field(repr=False)


class Routes:
    """The routes that one module declares."""

    def __init__(self) -> None:
        self.items: list[Route] = []
        self.raws: list[RawRoute] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self.items)

    def add(
        self,
        method: str,
        path: str,
        *,
        can: Permission,
        load: Callable[..., Any] | Stored | None = None,
        doc: Operation | None = None,
        body_bytes: int = MAX_BODY_BYTES,
        step_up: bool | Callable[[Req], bool] = False,
    ) -> Callable[[H], H]:
        """Declare a handler: called with (req, loaded) if `load` is given, else (req, **values).

        `load(reader, reach, **values)` returns the object, or None for 404; see also `Stored`.
        `body_bytes` bounds the request's body; a longer one is 413. `step_up` asks a login for its
        password or second factor again, if that was not shown for a while; a function tells for
        which requests.
        """
        pattern, ints = _compile(path)

        def declare(handler: H) -> H:
            self.items.append(
                Route(method, path, can, handler, load, doc, body_bytes, pattern, ints, step_up)
            )
            return handler

        return declare

    def get(self, path: str, *, can: Permission, **rules: Any) -> Callable[[H], H]:
        """A GET route; HEAD is answered by it too."""
        return self.add("GET", path, can=can, **rules)

    def post(self, path: str, *, can: Permission, **rules: Any) -> Callable[[H], H]:
        return self.add("POST", path, can=can, **rules)

    def put(self, path: str, *, can: Permission, **rules: Any) -> Callable[[H], H]:
        return self.add("PUT", path, can=can, **rules)

    def patch(self, path: str, *, can: Permission, **rules: Any) -> Callable[[H], H]:
        return self.add("PATCH", path, can=can, **rules)

    def delete(self, path: str, *, can: Permission, **rules: Any) -> Callable[[H], H]:
        return self.add("DELETE", path, can=can, **rules)

    def raw(
        self, path: str, methods: Sequence[str], *, can: Permission
    ) -> Callable[[RawApp], RawApp]:
        """An async ASGI application for a path, with or without its trailing slash.

        It finds the path values in `scope["path_params"]` (ints converted) and the application
        in `scope["tracer"]`. A method that is not named is answered with 405.
        """

        def declare(app: RawApp) -> RawApp:
            pattern = re.compile(
                _compile(path.rstrip("/"))[0].pattern.removesuffix(r"\Z") + r"/?\Z"
            )
            self.raws.append(RawRoute(path, tuple(methods), can, app, pattern))
            return app

        return declare


class Found(NamedTuple):
    """A matched route and its path values, integers converted."""

    route: Route
    values: dict[str, Any]


class Table:
    """All routes of the application, indexed by their first path segment."""

    def __init__(self, groups: Iterable[Routes]) -> None:
        self.routes: list[Route] = []
        self.raws: list[RawRoute] = []
        self._index: dict[str, list[Route]] = {}
        for group in groups:
            self.routes.extend(group.items)
            self.raws.extend(group.raws)
        seen: set[tuple[str, str]] = set()
        for route in self.routes:
            if (route.method, route.path) in seen:
                raise ValueError(f"two handlers for {route.method} {route.path}")
            seen.add((route.method, route.path))
            self._index.setdefault(_first(route.path), []).append(route)

    def find(self, method: str, path: str) -> Found | set[str]:
        """The route, or the methods that this path would take (empty: no such path)."""
        wanted = "GET" if method == "HEAD" else method
        allowed: set[str] = set()
        for key in (_first(path), "*"):
            for route in self._index.get(key, ()):
                match = route.pattern.match(path)
                if match is None:
                    continue
                if route.method == wanted:
                    values = match.groupdict()
                    for name in route.ints:
                        values[name] = int(values[name])
                    return Found(route, values)
                allowed.add(route.method)
        return allowed

    def serves(self, path: str) -> bool:
        """Whether a GET of this path finds a handler."""
        return isinstance(self.find("GET", path), Found)

    def find_raw(self, path: str) -> tuple[RawRoute, dict[str, Any]] | None:
        """The raw route of a path and its path values."""
        for route in self.raws:
            match = route.pattern.match(path)
            if match is not None:
                values: dict[str, Any] = match.groupdict()
                for name, value in values.items():
                    if value.isascii() and value.isdigit():
                        values[name] = int(value)
                return route, values
        return None


def _first(path: str) -> str:
    """The index key of a path: its first segment (of API paths the first three), `*` if a value."""
    segment = path[1:].partition("/")[0]
    if segment == "api" and path.startswith("/api/0/"):
        segment = "api/0/" + path[7:].partition("/")[0]
    return "*" if "{" in segment else segment


def _compile(path: str) -> tuple[re.Pattern[str], frozenset[str]]:
    ints = set()
    pattern, position = "", 0
    for match in _PLACEHOLDER.finditer(path):
        name, kind = match[1], match[2] or "str"
        if kind == "int":
            ints.add(name)
        pattern += re.escape(path[position : match.start()]) + f"(?P<{name}>{_CONVERTERS[kind]})"
        position = match.end()
    pattern += re.escape(path[position:])
    return re.compile(pattern + r"\Z"), frozenset(ints)
