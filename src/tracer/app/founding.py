"""What a new folder begins with, what a start finds, and the set-up that scripts ask for."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tracer.accounts import actions as accounts
from tracer.accounts import queries as account_queries
from tracer.accounts.model import Organization
from tracer.accounts.passwords import hash_password, new_password, verify_password
from tracer.errors import Conflict
from tracer.kit import audit
from tracer.kit.access import reach_of_all
from tracer.projects import actions as projects
from tracer.projects import queries as project_queries
from tracer.projects.model import Project, dsn

if TYPE_CHECKING:
    from tracer.storage.meta import Meta, Reader, Tx

FIRST_ORGANIZATION = ("default", "Default")
FIRST_PROJECT = ("first-project", "First project")


@dataclass(frozen=True, slots=True)
class Founded:
    """What a start found or made. `setup_link` is empty once somebody can log in."""

    is_new: bool
    url: str
    setup_link: str
    dsn: str
    organizations: int
    projects: int
    issues: int


def found(meta: Meta, url: str) -> Founded:
    """Make the first organization and project if there is none, and a new link while nobody can
    log in (an earlier one goes on working: only hashes are kept, it cannot be shown again)."""
    with audit.acting(audit.Acting("task", name="start")), meta.write() as tx:
        is_new = account_queries.first_organization(tx) is None
        organization = _organization(tx, None)
        reach = reach_of_all(tx, organization.id)
        if is_new:
            slug, name = FIRST_PROJECT
            project = projects.create_project(tx, organization.id, slug, name)
            dsn_text = _dsn(tx, project.id, url)
        else:
            dsn_text = _dsn(tx, reach.project_ids[0], url) if reach.project_ids else ""
        link = ""
        if not account_queries.has_users(tx):
            link = f"{url}/setup/{accounts.create_setup_link(tx)}"
        return Founded(
            is_new=is_new,
            url=url,
            setup_link=link,
            dsn=dsn_text,
            organizations=tx.value("SELECT count(*) FROM organizations"),
            projects=tx.value("SELECT count(*) FROM projects WHERE deleted_at IS NULL"),
            issues=tx.value("SELECT count(*) FROM issues"),
        )


def set_up(
    meta: Meta,
    url: str,
    *,
    email: str,
    password: str,
    name: str = "",
    org: str | None = None,
    project: str | None = None,
    platform: str | None = None,
    role: str = "owner",
    reset_password: bool = False,
) -> dict[str, Any]:
    """An account, an organization and a project, each made unless it is there already.

    The defaults that nobody has used yet are renamed, not joined by others. Conflict when the
    account exists with another password; Invalid when a new one is too easy to guess. The first
    account administers the server.
    """
    known = account_queries.user_by_email(meta.read(), email.strip())
    fits = known is not None and verify_password(known.password_hash, password)
    if known is not None and not fits and not reset_password:
        raise Conflict(f"{known.email} has another password. Use --reset-password to replace it.")
    hashed = "" if fits else hash_password(new_password(password, email.strip(), org or ""))
    with meta.write() as tx:
        untouched = not account_queries.has_users(tx)
        home = _organization(tx, org, rename=untouched)
        found_project = _project(tx, home.id, project, platform, rename=untouched)
        if known is None:
            user_id = accounts.create_user(tx, email, hashed, name, is_server_admin=untouched)
        else:
            user_id = known.id
            if hashed:
                accounts.set_password(tx, user_id, hashed)
                accounts.end_other_logins(tx, user_id, keep="")
        if not any(m.user_id == user_id for m in account_queries.members(tx, home.id)):
            accounts.add_member(tx, home.id, user_id, role)
        return {
            "url": url,
            "dsn": _dsn(tx, found_project.id, url),
            "organization": home.slug,
            "project": found_project.slug,
            "project_id": found_project.id,
        }


def greet(founded: Founded, data: str, waiting: int, *, colour: bool) -> str:
    """The lines a start prints when requests are accepted."""
    strong, dim, plain = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if colour else ("", "", "")
    lines = [("tracer", f"{strong}{founded.url}{plain}")]
    if founded.setup_link:
        lines.append(("set up", f"{strong}{founded.setup_link}{plain}"))
    if founded.is_new:
        lines.append(("DSN", founded.dsn))
    else:
        counts = (
            (founded.organizations, "organization"),
            (founded.projects, "project"),
            (founded.issues, "issue"),
            (waiting, "envelope"),
        )
        texts = [f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in counts]
        lines.append(("found", ", ".join(texts[:3]) + f"; {texts[3]} waiting"))
    lines.append(("data", data))
    text = "\n".join(f"  {dim}{label:<8}{plain}{value}" for label, value in lines)
    if founded.is_new:
        text += f"\n\n  {dim}Send a test error:{plain}\n\n{_test_line(founded)}"
    return f"\n{text}\n"


def _test_line(founded: Founded) -> str:
    scheme, _, rest = founded.dsn.partition("://")
    key, _, place = rest.partition("@")
    host, _, project_id = place.rpartition("/")
    body = '{"exception":{"values":[{"type":"HelloError","value":"It works"}]},"platform":"other"}'
    target = f"{scheme}://{host}/api/{project_id}/store/?sentry_key={key}"
    kind = shlex.quote("Content-Type: application/json")
    return f"  curl -sS {shlex.quote(target)} \\\n    -H {kind} -d {shlex.quote(body)}"


def _organization(tx: Tx, slug: str | None, *, rename: bool = False) -> Organization:
    """The organization of a slug (None: the oldest); made, or renamed from an unused one."""
    first = account_queries.first_organization(tx)
    if slug is None and first is not None:
        return first
    wanted, name = (slug, slug) if slug is not None else FIRST_ORGANIZATION
    row = tx.row("SELECT id, slug, name, created_at FROM organizations WHERE slug = :s", s=wanted)
    if row is not None:
        return Organization(*row)
    if first is not None and rename:
        accounts.rename_organization(tx, first.id, name, slug=wanted)
        return replace(first, slug=wanted, name=name)
    organization_id = accounts.create_organization(tx, wanted, name)
    return Organization(organization_id, wanted, name, tx.now_ms)


def _project(
    tx: Tx, organization_id: int, slug: str | None, platform: str | None, *, rename: bool
) -> Project:
    """The project of a slug (None: the first); made, or renamed from an unused one."""
    there = project_queries.projects(tx, reach_of_all(tx, organization_id))
    there.sort(key=lambda project: project.id)
    if slug is None and there:
        return there[0]
    wanted = slug or FIRST_PROJECT[0]
    for project in there:
        if project.slug == wanted:
            return project
    name = wanted if slug else FIRST_PROJECT[1]
    unused = [p for p in there if p.slug == FIRST_PROJECT[0] and p.first_event_at is None]
    if rename and unused and len(there) == 1:
        changes = replace(
            unused[0], slug=wanted, name=name, platform=platform or unused[0].platform
        )
        return projects.update_project(tx, unused[0], changes)
    return projects.create_project(tx, organization_id, wanted, name, platform or "other")


def _dsn(reader: Reader, project_id: int, url: str) -> str:
    key = project_queries.working_key(reader, project_id)
    return "" if key is None else str(dsn(key, url))
