"""The running application for tests: everything in process, in a temporary data folder.

Events go in through the real endpoint and are digested; pages and the API are asked as a browser
or a token would. Nothing of the application is replaced.
"""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tracer import app, clock
from tracer.accounts import actions as accounts
from tracer.accounts import queries as account_queries
from tracer.accounts.factors import flow
from tracer.accounts.failures import failures
from tracer.accounts.pages import reset
from tracer.accounts.passwords import hash_password
from tracer.accounts.throttle import guesses
from tracer.accounts.tokens.actions import create_token
from tracer.accounts.tokens.model import PERSONAL, NewToken
from tracer.kit.access import reach_of_all
from tracer.kit.feature import Feature
from tracer.kit.permissions import SCOPES
from tracer.projects import actions as projects
from tracer.projects import queries as project_queries
from tracer.projects.model import Project
from tracer.settings import Settings

PASSWORD = "correct horse battery"
TASKS_TIMEOUT_S = 30
DIGEST_TIMEOUT_S = 20.0
HOST = "http://testserver"


@cache
def hashed(password: str) -> str:
    """One slow hash for the whole run."""
    return hash_password(password)


class Running:
    """A started application and its visitors.

    `client` is the signed-in owner's browser, `visitor` one without a login. `org` and `project`
    are the first ones; `key` is the project's public key.
    """

    def __init__(self, application: app.Application) -> None:
        self.app = application
        self.tracer = application.site.tracer
        self.org = account_queries.first_organization(self.meta.read())
        self.reach = reach_of_all(self.meta.read(), self.org.id)
        self.project = project_queries.projects(self.meta.read(), self.reach)[0]
        self.key = self.key_of(self.project)
        self.visitor = self.browser()
        self.client = self.browser()
        self._tokens: dict[tuple[str, ...], str] = {}

    @property
    def meta(self) -> Any:
        return self.tracer.meta

    def browser(self) -> TestClient:
        """A browser without a login, on this server."""
        return TestClient(
            self.app.site, base_url=HOST, follow_redirects=False, raise_server_exceptions=True
        )

    # People ---------------------------------------------------------------------------------

    def add_user(self, email: str = "owner@example.com", role: str = "owner") -> int:
        """A member of the first organization with the password `PASSWORD`; found if it is there."""
        with self.meta.write() as tx:
            known = account_queries.user_by_email(tx, email)
            user_id = known.id if known else accounts.create_user(tx, email, hashed(PASSWORD))
            accounts.add_member(tx, self.org.id, user_id, role)
        return user_id

    def login(self, email: str = "owner@example.com", role: str = "owner") -> TestClient:
        """A new browser that is logged in."""
        user_id = self.add_user(email, role)
        with self.meta.write() as tx:
            cookie = accounts.start_login(tx, user_id, self.org.id)
        browser = self.browser()
        browser.cookies.set("tracer_login", cookie, domain="testserver.local", path="/")
        return browser

    def token(self, *scopes: str, email: str = "owner@example.com", role: str = "owner") -> str:
        """An API token; without scopes it has them all."""
        wanted = tuple(sorted(scopes or SCOPES))
        if (*wanted, email, role) not in self._tokens:
            user_id = self.add_user(email, role)
            with self.meta.write() as tx:
                new = NewToken(PERSONAL, user_id, self.org.id, "test", wanted)
                made = create_token(tx, self.tracer.vault, new)
            self._tokens[*wanted, email, role] = made.text
        return self._tokens[*wanted, email, role]

    # Pages and API --------------------------------------------------------------------------

    def page(self, path: str, *, part: bool = False, browser: TestClient | None = None) -> Any:
        """GET as the owner's browser; with `part` as htmx asks."""
        headers = {"HX-Request": "true"} if part else {}
        return (browser or self._owner()).get(path, headers=headers)

    def post(
        self,
        path: str,
        data: Mapping[str, Any] | None = None,
        *,
        part: bool = False,
        browser: TestClient | None = None,
    ) -> Any:
        """POST a form as the owner's browser, with the CSRF token that its pages carry."""
        browser = browser or self._owner()
        headers = {"X-CSRF-Token": self.csrf(browser)} | ({"HX-Request": "true"} if part else {})
        return browser.post(path, data=dict(data or {}), headers=headers)

    def csrf(self, browser: TestClient) -> str:
        """The CSRF token on a page of this browser."""
        for path in ("/account/", "/login"):
            found = re.search(r'X-CSRF-Token"?: ?"([^"&]+)"', browser.get(path).text)
            if found:
                return found[1]
        raise AssertionError("no page carries a CSRF token")

    def api(
        self, path: str, method: str = "GET", *, json: Any = None, scopes: Iterable[str] = ()
    ) -> Any:
        """A request to the API with a token (all scopes unless named)."""
        headers = {"Authorization": f"Bearer {self.token(*scopes)}"}
        return self.visitor.request(method, path, json=json, headers=headers)

    # Ingest ---------------------------------------------------------------------------------

    def projects(self) -> list[Project]:
        """The projects of the first organization."""
        self.reach = reach_of_all(self.meta.read(), self.org.id)
        return project_queries.projects(self.meta.read(), self.reach)

    def add_project(self, slug: str, platform: str = "python") -> Project:
        """Another project of the first organization."""
        with self.meta.write() as tx:
            project = projects.create_project(tx, self.org.id, slug, slug, platform)
        self.reach = reach_of_all(self.meta.read(), self.org.id)
        return project

    def key_of(self, project: Project) -> str:
        """The public key of a project."""
        return project_queries.working_key(self.meta.read(), project.id).public_key

    def send(
        self,
        event: Mapping[str, Any] | None = None,
        *,
        items: Iterable[tuple[Mapping[str, Any], Any]] = (),
        project: Project | None = None,
        digest: bool = True,
        **fields: Any,
    ) -> str:
        """Send an event and any other items in one envelope, wait for digest; its event id.

        `items` are (item headers, payload) with a payload of bytes or JSON. Fields given by name
        are added to the event: `tracer.send(message="Hello", level="info")`.
        """
        body = None if event is None and not fields and items else {**(event or {}), **fields}
        event_id = (body or {}).get("event_id") or clock.new_id()
        parts = list(items)
        if body is not None:
            parts.insert(0, ({"type": "event"}, {"event_id": event_id, **body}))
        response = self.post_envelope(envelope({"event_id": event_id}, parts), project)
        assert response.status_code == 200, response.text
        if digest:
            self.digest()
        return event_id

    def post_envelope(self, raw: bytes, project: Project | None = None, **headers: str) -> Any:
        """POST raw envelope bytes, gzipped, with the project's key; the answer."""
        project = project or self.project
        auth = f"Sentry sentry_version=7, sentry_client=test/1.0, sentry_key={self.key_of(project)}"
        sent = {"X-Sentry-Auth": auth, "Content-Encoding": "gzip", **headers}
        path = f"/api/{project.id}/envelope/"
        return self.visitor.post(path, content=gzip.compress(raw), headers=sent)

    def digest(self) -> None:
        """Wait until everything accepted is digested."""
        assert self.tracer.digest.settle(DIGEST_TIMEOUT_S), "digest did not finish in time"

    def run_tasks(self) -> None:
        """Run every background task that is due, now; one that the worker has begun is awaited."""
        deadline = time.monotonic() + TASKS_TIMEOUT_S
        running = "SELECT count(*) FROM tasks WHERE status = 'running'"
        while self.tracer.worker.run_due(self.tracer) or self.meta.read().value(running):
            assert time.monotonic() < deadline, "background tasks did not end in time"
            time.sleep(0.005)

    def _owner(self) -> TestClient:
        if "tracer_login" not in self.client.cookies:
            self.client = self.login()
        return self.client


def envelope(headers: Mapping[str, Any], items: Iterable[tuple[Mapping[str, Any], Any]]) -> bytes:
    """Envelope bytes; payloads are bytes or JSON, lengths are added."""
    lines = [json.dumps(headers).encode()]
    for item_headers, payload in items:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        lines += [json.dumps({"length": len(raw), **item_headers}).encode(), raw]
    return b"\n".join(lines) + b"\n"


def forget_guesses() -> None:
    """What the process remembers of wrong passwords and codes is another test's."""
    for kept in (guesses, failures, flow.throttle, flow.refusals, reset.requests):
        kept.clear()


@contextmanager
def running(data: Path, features: tuple[Feature, ...] | None = None, **settings: Any) -> Any:
    """A started application on a data folder, closed at the end."""
    forget_guesses()
    wanted = {"disk_floor_bytes": 0, "web_threads": 2, **settings}
    application = app.build(Settings(data=data, **wanted), features)
    with TestClient(application.site, base_url=HOST):
        yield Running(application)
