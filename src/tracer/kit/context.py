"""What a handler is given: the running application (`Tracer`) and one request (`Req`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import msgspec

from tracer import clock
from tracer.errors import Invalid
from tracer.kit.access import NO_ACCESS, Access
from tracer.kit.directory import ProjectRef
from tracer.kit.forms import Form, Query
from tracer.kit.permissions import Permission
from tracer.kit.reach import NOWHERE
from tracer.kit.reach import Reach as Reach
from tracer.kit.tracing import Trace
from tracer.settings import Settings

if TYPE_CHECKING:
    from tracer.kit.guard import Guard, Identity
    from tracer.kit.live import Live
    from tracer.kit.metrics import Metrics
    from tracer.kit.network import Network
    from tracer.kit.own_errors import OwnErrors
    from tracer.kit.routes import Route, Table
    from tracer.kit.samples import Samples
    from tracer.kit.templates import Templates
    from tracer.kit.watch import Watch
    from tracer.kit.worker import Worker
    from tracer.storage.blobs import Blobs
    from tracer.storage.codec import Codec
    from tracer.storage.events import EventStore
    from tracer.storage.meta import Meta, Reader
    from tracer.storage.spool import Spool
    from tracer.storage.vault import Vault

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `ref` is the stored hash of the cookie or the token's id; `csrf` the login's own
    key. `confirmed_at` (unix ms): when the password or a second factor was last shown.

    What they may do is `access`; ask `can`.
    """

    kind: Literal["user", "token", "anonymous"]
    user_id: int | None = None
    email: str = ""
    name: str = ""
    organization_id: int | None = None
    organization_slug: str = ""
    role: str = ""
    access: Access = NO_ACCESS
    teams: Mapping[int, str] = field(default_factory=dict)
    is_server_admin: bool = False
    second_factor: bool = False
    confirmed_at: int = 0
    theme: str = "system"
    csrf: str = ""
    ref: str = ""
    token_id: int | None = None
    identity: Identity | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.kind == "anonymous"

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the actor may do in the whole organization."""
        return self.access.permissions

    @property
    def leads(self) -> frozenset[int]:
        """The projects of the teams that the actor leads."""
        return self.access.leads

    @property
    def of_lead(self) -> frozenset[Permission]:
        """What the actor may do on the projects in `leads` besides."""
        return self.access.of_lead

    def can(self, permission: Permission | str, project_id: int | None = None) -> bool:
        """Whether the actor holds a permission (member or value), on a project if one is named."""
        if permission == Permission.SERVER_ADMIN:
            return self.is_server_admin
        return self.access.may(permission, project_id)

    def can_with_team(self, permission: Permission, team_id: int) -> bool:
        """Whether the actor holds a permission on a team: in the organization, or as its lead."""
        if permission in self.permissions:
            return True
        return self.teams.get(team_id) == "lead" and permission in self.of_lead


ANONYMOUS = Actor("anonymous")


class Keys(Protocol):
    """The DSN cache, written by the projects package: plain look-ups in memory."""

    def find(self, public_key: str) -> Any: ...
    def project(self, project_id: int) -> Any: ...
    def refresh(self, reader: Reader) -> None: ...
    def touch(self, key_id: int) -> None: ...
    def is_protected(self, project_id: int) -> bool: ...


@dataclass(slots=True)
class Tracer:
    """The running application: settings and open stores. Only `app` makes one.

    `intake`, `shedding`, `digest`, `quotas` and `solo` belong to the ingest package, which stands
    above this one.
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
    vault: Vault
    metrics: Metrics
    samples: Samples
    watch: Watch
    own_errors: OwnErrors
    intake: Any = None
    shedding: Any = None
    digest: Any = None
    quotas: Any = None
    solo: Any = None
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
    trace: Trace = field(default_factory=lambda: Trace(""))
    error_id: str = ""
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
    def public_url(self) -> str:
        """The URL of this server for links in mails: never the request's own Host header."""
        return self.tracer.network.public_url

    @property
    def own_referer(self) -> str:
        """The path and query of the page of this site that the request came from, or ""."""
        referer = self.headers.get("referer", "")
        path = referer.removeprefix(self.base_url)
        is_path = path != referer and path.startswith("/") and not path.startswith(("//", "/\\"))
        return path if is_path else ""

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
