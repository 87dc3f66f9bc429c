"""Two organizations with something of everything in them, and everybody who may come to the door.

"acme" is a closed organization: its members see the projects of their teams. Its project
`shop` is the one that is asked for; `depot` belongs to another team. "globex" has the project
`gallery`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from harness import PASSWORD, Running, hashed, running
from issue_samples import failure
from letter_steps import bury
from security.door import Answer, Door
from tracer import clock
from tracer.accounts.factors import flow
from tracer.accounts.model import secret_hash
from tracer.accounts.pages import reset
from tracer.accounts.throttle import guesses
from tracer.accounts.tokens.actions import create_token
from tracer.accounts.tokens.model import ORGANIZATION, PERSONAL, Made, NewToken
from tracer.kit.csrf import SAFE_METHODS
from tracer.kit.directory import Directory
from tracer.kit.permissions import SCOPES
from tracer.projects import actions as projects
from tracer.projects.model import Project
from tracer.storage.spool import Burial, Frame

DAY_MS = 86_400_000


@dataclass
class Things:
    """What an organization has, by the names of places in paths. Ids of rows are integers."""

    organization_id: int
    organization: str
    user_id: int
    team_id: int
    team: str
    project: Project
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Visitor:
    """Somebody at the door. `sees` and `leads` are project ids of acme; a token has scopes.

    `is_known` is False for those who must be treated as nobody; `headers` say who they are.
    """

    name: str
    headers: tuple[tuple[str, str], ...] = ()
    csrf: bytes = b""
    is_known: bool = True
    is_refused: bool = False
    organization: str = ""
    role: str = ""
    scopes: tuple[str, ...] | None = None
    sees: frozenset[int] = frozenset()
    leads: frozenset[int] = frozenset()
    user_id: int | None = None
    is_server_admin: bool = False


class World:
    """The running application with its two organizations; `restore` undoes what was written."""

    def __init__(self, app: Running) -> None:
        self.app = app
        self.tracer = app.tracer
        self.door = Door(app.app.site)
        self.tracer.worker.stop(2)
        self._letters: dict[int, Frame] = {}
        self.acme = self._organization("acme", is_open=False)
        self.globex = self._organization("globex", is_open=True)
        self.depot = self._project(self.acme.organization_id, "depot")
        self.other_team = self._team(self.acme, "stock", self.depot.id)
        self.visitors: dict[str, Visitor] = {}
        self._kept = apsw.Connection(":memory:")
        self._kept_at = -1

    # Rows -----------------------------------------------------------------------------------

    def insert(self, table: str, **values: Any) -> int:
        """One row; its rowid."""
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        with self.tracer.meta.write(unaudited="test") as tx:
            return int(tx.insert(f"INSERT INTO {table} ({names}) VALUES ({marks})", **values))

    def execute(self, sql: str, **values: Any) -> None:
        """One statement."""
        with self.tracer.meta.write(unaudited="test") as tx:
            tx.execute(sql, **values)

    def value(self, sql: str, **values: Any) -> Any:
        """The first column of the first row."""
        return self.tracer.meta.read().value(sql, **values)

    def keep(self) -> None:
        """What `restore` comes back to."""
        with self._kept.backup("main", self.tracer.meta._writer, "main") as copy:
            copy.step()

    def restore(self) -> None:
        """Put the database back if it was changed, and forget what was kept in memory about it."""
        for throttle in (guesses, flow.throttle, reset.requests):
            throttle.__init__()  # type: ignore[misc]
        letters = self.tracer.spool.letters
        for letter_id, frame in self._letters.items():
            if letters.read.find(letter_id) is None:
                letters.bury(frame, Burial("Invalid", "as before"))
        meta = self.tracer.meta
        with meta._lock:
            if meta._writer.total_changes() == self._kept_at:
                return
            with meta._writer.backup("main", self._kept, "main") as copy:
                copy.step()
            self._kept_at = meta._writer.total_changes()
        self.tracer.guard.directory = Directory()
        self.tracer.keys.refresh(meta.read())
        self.tracer.quotas.refresh(meta.read())
        self.app.app.tokens.refresh(meta.read())

    # Who comes ------------------------------------------------------------------------------

    def person(
        self,
        email: str,
        things: Things | None = None,
        role: str = "member",
        *,
        teams: dict[int, str] | None = None,
        is_server_admin: bool = False,
    ) -> int:
        """A user with the password `PASSWORD`; a member of an organization and of teams."""
        now = clock.now_ms()
        user_id = self.insert(
            "users",
            email=email,
            name=email.partition("@")[0].title(),
            password_hash=hashed(PASSWORD),
            created_at=now,
            is_server_admin=int(is_server_admin),
        )
        if things is not None:
            self.member(things.organization_id, user_id, role)
        for team_id, team_role in (teams or {}).items():
            self.insert(
                "team_members", team_id=team_id, user_id=user_id, role=team_role, created_at=now
            )
        return user_id

    def member(self, organization_id: int, user_id: int, role: str) -> None:
        """Make somebody a member."""
        self.insert(
            "members",
            organization_id=organization_id,
            user_id=user_id,
            role=role,
            created_at=clock.now_ms(),
        )

    def login(self, user_id: int, organization_id: int, **columns: Any) -> tuple[str, bytes]:
        """A login that was just confirmed: the Cookie header and the CSRF key behind it."""
        secret, key, now = clock.new_secret(), clock.new_secret(), clock.now_ms()
        values = {
            "created_at": now,
            "seen_at": now,
            "expires_at": now + DAY_MS,
            "confirmed_at": now,
            "user_agent": "Mozilla/5.0",
            **columns,
        }
        self.insert(
            "logins",
            token_hash=secret_hash(secret),
            user_id=user_id,
            organization_id=organization_id,
            csrf=key,
            **values,
        )
        return f"tracer_login={secret}", key.encode()

    def visit(self) -> tuple[str, bytes]:
        """What a browser without a login is known by: the Cookie header and the CSRF key."""
        visit = "a-visit"
        key = hmac.digest(self.tracer.secret, b"visit" + visit.encode(), hashlib.sha256)
        return f"tracer_visit={visit}", key

    # Requests -------------------------------------------------------------------------------

    def ask(
        self, visitor: Visitor | str, method: str, target: str, *, csrf: bool = True, **body: Any
    ) -> Answer:
        """A request as one of the visitors makes it, with their CSRF token where one is due."""
        who = self.visitors[visitor] if isinstance(visitor, str) else visitor
        headers = [*who.headers, *body.pop("headers", ())]
        if csrf and who.csrf and method not in SAFE_METHODS:
            headers.append(("x-csrf-token", csrf_token(who.csrf)))
        return self.door.ask(method, target, headers, **body)

    # Things ---------------------------------------------------------------------------------

    def _organization(self, slug: str, *, is_open: bool) -> Things:
        now = clock.now_ms()
        organization_id = self.insert(
            "organizations",
            slug=slug,
            name=f"{slug.title()} Incorporated",
            created_at=now,
            is_open=int(is_open),
        )
        user_id = self.person(f"owner@{slug}.example")
        self.member(organization_id, user_id, "owner")
        project_slug, team = {"acme": ("shop", "core"), "globex": ("gallery", "crew")}[slug]
        project = self._project(organization_id, project_slug)
        things = Things(organization_id, slug, user_id, 0, team, project)
        things.team_id = self._team(things, team, project.id)
        things.values = self._values(things) | self._people_of(things)
        return things

    def _project(self, organization_id: int, slug: str) -> Project:
        with self.tracer.meta.write(unaudited="test") as tx:
            return projects.create_project(tx, organization_id, slug, slug.title(), "python")

    def _team(self, things: Things, slug: str, project_id: int) -> int:
        team_id = self.insert(
            "teams",
            organization_id=things.organization_id,
            slug=slug,
            name=slug.title(),
            created_at=clock.now_ms(),
        )
        self.insert("team_projects", team_id=team_id, project_id=project_id)
        return team_id

    def _values(self, things: Things) -> dict[str, Any]:
        """Objects of the project, sent and made as people would."""
        app, project, reader = self.app, things.project, self.tracer.meta.read()
        attachment = {"type": "attachment", "filename": "log.txt", "content_type": "text/plain"}
        event_id = app.send(
            failure("StockError", f"none at {things.organization}", release="shop@1.0"),
            items=[(attachment, b"secret of " + things.organization.encode())],
            project=project,
        )
        report = {"event_id": event_id, "name": "Ada", "email": "a@b.example", "comments": "Broken"}
        app.send(items=[({"type": "user_report"}, report)], project=project)
        issue_id = reader.value("SELECT id FROM issues WHERE project_id = :id", id=project.id)
        key = reader.row(
            "SELECT id, public_key FROM project_keys WHERE project_id = :id", id=project.id
        )
        comment_id = self.insert(
            "issue_activity",
            issue_id=issue_id,
            user_id=things.user_id,
            kind="comment",
            data='{"text":"mine"}',
            created_at=clock.now_ms(),
        )
        assert key is not None
        return {
            "issue_id": issue_id,
            "short_id": f"{project.slug.upper()}-1",
            "event_id": event_id,
            "key_id": key[0],
            "public_key": key[1],
            "comment_id": comment_id,
            "attachment_id": reader.value(
                "SELECT id FROM attachments WHERE project_id = :id", id=project.id
            ),
            "feedback_id": reader.value(
                "SELECT id FROM feedback WHERE project_id = :id", id=project.id
            ),
            "letter_id": self._letter(project),
            "quota_id": self._quota(things, project.id),
            "organization_quota_id": self._quota(things, None),
            "discard_id": self.insert(
                "discarded_issues",
                project_id=project.id,
                short_id=99,
                title="Noise",
                culprit="",
                level=40,
                environments='["production"]',
                discarded_at=clock.now_ms(),
            ),
        }

    def _quota(self, things: Things, project_id: int | None) -> int:
        """A quota that nobody comes near."""
        return self.insert(
            "quotas",
            organization_id=things.organization_id,
            project_id=project_id,
            category="error",
            window_s=0,
            amount=1_000_000,
            is_hard=1,
            created_at=clock.now_ms(),
        )

    def _letter(self, project: Project) -> int:
        """A dead letter that can be digested no better the next time."""
        letter_id = bury(self.app, project=project)
        frame = self.tracer.spool.letters.read.frame(letter_id)
        assert frame is not None
        self._letters[letter_id] = frame
        return letter_id

    def _people_of(self, things: Things) -> dict[str, Any]:
        """What belongs to people: a member that things are done to, and what the owner has."""
        now, owner, home = clock.now_ms(), things.user_id, things.organization_id
        slug = things.organization
        clerk = self.person(f"clerk@{slug}.example", things, teams={things.team_id: "contributor"})
        return {
            "login_ref": secret_hash(self.login(owner, home)[0].partition("=")[2]),
            "token_id": self.token(owner, home, "event:read").token.id,
            "organization_token_id": self.token(None, home, "event:read").token.id,
            "member_id": clerk,
            "factor_id": self.insert(
                "second_factors",
                user_id=owner,
                kind="passkey",
                name="key",
                credential_id=slug.encode(),
                public_key=b"key",
                created_at=now,
            ),
            "device_ref": self._device(owner),
            "policy_id": self.insert(
                "policies",
                organization_id=home,
                name="Nothing of nowhere",
                effect="deny",
                conditions='{"environments":["nowhere"]}',
                is_active=0,
                created_at=now,
                changed_at=now,
            ),
            "invitation_id": self.insert(
                "invitations",
                organization_id=home,
                email=f"somebody@{slug}.example",
                role="member",
                token_hash=clock.new_id(),
                created_at=now,
                expires_at=now + DAY_MS,
            ),
        }

    def _device(self, user_id: int) -> str:
        now, reference = clock.now_ms(), secret_hash(clock.new_secret())
        self.insert(
            "remembered_devices",
            token_hash=reference,
            user_id=user_id,
            created_at=now,
            used_at=now,
            expires_at=now + DAY_MS,
        )
        return reference

    def token(
        self,
        user_id: int | None,
        organization_id: int,
        *scopes: str,
        project_ids: tuple[int, ...] | None = None,
        lives_ms: int = DAY_MS,
    ) -> Made:
        """A token of a user, or of the organization itself; all scopes unless some are named."""
        kind = ORGANIZATION if user_id is None else PERSONAL
        wanted = scopes or tuple(sorted(SCOPES))
        new = NewToken(kind, user_id, organization_id, "token", wanted, project_ids, lives_ms)
        with self.tracer.meta.write(unaudited="test") as tx:
            return create_token(tx, self.tracer.vault, new)


def csrf_token(key: bytes) -> str:
    """A token as a page of a login or visit with this key carries it."""
    nonce = "0123456789abcdef"
    return f"{nonce}.{hmac.new(key, nonce.encode(), hashlib.sha256).hexdigest()}"


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """A world on a folder, with its visitors."""
    from security.visitors import arrive

    with running(folder / "data") as app:
        made = World(app)
        try:
            made.visitors = arrive(made)
            made.keep()
            made.restore()
            yield made
        finally:
            made.door.close()
