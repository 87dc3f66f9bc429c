"""What a handler is given: the running application (`Tracer`) and one request (`Req`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from tracer import clock
from tracer.errors import Invalid
from tracer.kit.forms import Form, Query
from tracer.kit.permissions import Permission
from tracer.settings import Settings

if TYPE_CHECKING:
    from tracer.kit.guard import Guard
    from tracer.kit.live import Live
    from tracer.kit.network import Network
    from tracer.kit.routes import Route, Table
    from tracer.kit.templates import Templates
    from tracer.kit.worker import Worker
    from tracer.storage.blobs import Blobs
    from tracer.storage.codec import Codec
    from tracer.storage.events import EventStore
    from tracer.storage.meta import Meta, Reader
    from tracer.storage.spool import Spool

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `ref` is the stored hash of the cookie or token; `csrf` the login's own key."""

    kind: Literal["user", "token", "anonymous"]
    user_id: int | None = None
    email: str = ""
    name: str = ""
    organization_id: int | None = None
    organization_slug: str = ""
    role: str = ""
    permissions: frozenset[Permission] = frozenset()
    theme: str = "system"
    csrf: str = ""
    ref: str = ""

    @property
    def is_anonymous(self) -> bool:
        return self.kind == "anonymous"

    def can(self, permission: Permission | str) -> bool:
        """Whether the actor holds a permission, by value (`"event:write"`) or member."""
        return permission in self.permissions


ANONYMOUS = Actor("anonymous")


@dataclass(frozen=True, slots=True)
class Reach:
    """The project ids an actor may see. Made by the guard and by tests only."""

    organization_id: int
    project_ids: tuple[int, ...]

    def holds(self, project_id: int) -> bool:
        """Whether the project is in reach."""
        return project_id in self.project_ids


NOWHERE = Reach(0, ())


class ProjectRef(NamedTuple):
    """A project in reach, as the navigation shows it."""

    id: int
    slug: str
    name: str
    platform: str


class Keys(Protocol):
    """The DSN cache, written by the projects package: plain look-ups in memory."""

    def find(self, public_key: str) -> Any: ...
    def project(self, project_id: int) -> Any: ...
    def refresh(self, reader: Reader) -> None: ...
    def touch(self, key_id: int) -> None: ...


@dataclass(slots=True)
class Tracer:
    """The running application: settings and open stores. Only `app` makes one.

    `intake` and `digest` belong to the ingest package, which stands above this one.
    """

    settings: Settings
    meta: Meta
    events: EventStore
    spool: Spool
    blobs: Blobs
    codec: Codec
    keys: Keys
    live: Live
    guard: Guard
    worker: Worker
    network: Network
    templates: Templates
    table: Table
    secret: bytes
    intake: Any = None
    digest: Any = None
    closing: bool = False


@dataclass(slots=True)
class Req:
    """One request, after the guard: `actor` and `reach` are established facts."""

    tracer: Tracer
    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    client_ip: str
    base_url: str
    content: bytes = b""
    actor: Actor = ANONYMOUS
    reach: Reach = NOWHERE
    projects: tuple[ProjectRef, ...] = ()
    route: Route | None = None
    now: datetime = field(default_factory=clock.now)
    flashes: list[tuple[str, str]] = field(default_factory=list)
    cookie_changes: list[str] = field(default_factory=list)
    _form: Form | None = None

    @property
    def meta(self) -> Meta:
        return self.tracer.meta

    @property
    def is_api(self) -> bool:
        """Whether errors are answered in JSON."""
        return self.path.startswith("/api/0/") or self.path == "/api/0"

    @property
    def is_htmx(self) -> bool:
        """Whether htmx asks for a part; links, selections and history want the whole page."""
        headers = self.headers
        return (
            "hx-request" in headers
            and headers.get("hx-request-type") != "full"
            and "hx-boosted" not in headers
            and "hx-history-restore-request" not in headers
        )

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https:")

    def set_cookie(
        self, name: str, value: str, *, max_age_s: int | None = None, same_site: str = "Lax"
    ) -> None:
        """Send a cookie with the answer, whatever it is: HttpOnly, Secure on https. 0 removes."""
        age = "" if max_age_s is None else f"; Max-Age={max_age_s}"
        secure = "; Secure" if self.is_https else ""
        self.cookie_changes.append(
            f"{name}={value}; Path=/; HttpOnly; SameSite={same_site}{age}{secure}"
        )

    @property
    def login_cookie(self) -> str:
        """The name of the login cookie; on https it cannot be set by a sibling domain."""
        return "__Host-tracer_login" if self.is_https else "tracer_login"

    @property
    def form(self) -> Form:
        """The fields of an urlencoded body; Invalid when it is something else."""
        if self._form is None:
            self._form = Form.parse(self.headers.get("content-type", ""), self.content)
        return self._form

    def body(self) -> bytes:
        """The whole body, already bounded by the route's `body_bytes`."""
        return self.content

    def json(self) -> Any:
        """The body as JSON; Invalid when it is none."""
        return self.decode(Any)

    def decode(self, shape: type[T] | Any) -> T | Any:
        """The body as JSON of one shape (a msgspec struct); Invalid says what is wrong where."""
        try:
            return msgspec.json.decode(self.content, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid(f"Invalid JSON body: {error}") from None
