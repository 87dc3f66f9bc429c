"""The audit log for the command line. Reads go past the server, in a connection that cannot write;
what must be written is a command that the running server carries out (`app.local`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from tracer.accounts.actions.retention import set_audit_days
from tracer.errors import Invalid, NotFound
from tracer.features.audit import actions, export, queries
from tracer.features.audit import verify as checking
from tracer.features.audit.model import Entry, Position, Wanted
from tracer.features.audit.reading import wanted as parse_wanted
from tracer.kit.forms import Query
from tracer.storage.folder import Folder
from tracer.storage.readonly import reading

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tracer.settings import Settings
    from tracer.storage.meta import Meta, Reader


@dataclass(frozen=True, slots=True)
class Search:
    """Which entries a command asks for; `organization_id` None is all of them."""

    organization_id: int | None
    wanted: Wanted

    @property
    def scope(self) -> queries.Scope:
        return queries.Scope(self.organization_id)


@contextmanager
def open_log(settings: Settings) -> Iterator[Reader]:
    """The audit log of a data folder. NotFound, Invalid, Unavailable: it cannot be read."""
    with reading(Folder(settings.data).meta) as reader:
        yield reader


def search(reader: Reader, org: str | None, project: str | None, **fields: str | None) -> Search:
    """A search as flags give it. NotFound: no such organization or project; Invalid: a bad date."""
    organization_id = None if org is None else _organization(reader, org)
    found = parse_wanted(Query([(name, value) for name, value in fields.items() if value]))
    if project is not None:
        found = replace(found, project_id=find_project(reader, org, project))
    return Search(organization_id, found)


def newest(reader: Reader, asked: Search, limit: int) -> list[Entry]:
    """The newest entries that fit, newest first, however far back they lie."""
    found: list[Entry] = []
    place: Position | None = None
    while True:
        page = queries.page(
            reader, asked.scope, asked.wanted, after=place, limit=limit - len(found)
        )
        found += page.entries
        place = page.next
        if place is None or len(found) >= limit:
            return found


def exported(reader: Reader, asked: Search, format: str) -> Iterator[bytes]:
    """All entries that fit as pieces of a file."""
    return export.lines(queries.export(lambda: reader, asked.scope, asked.wanted), format)


def verify(settings: Settings, expect: str | None, against: Path | None) -> checking.Verdict:
    """Walk the chain. Invalid when what was noted earlier cannot be read."""
    witnesses = dict(_noted(expect, against))
    key_path = Folder(settings.data).audit_key_path
    try:
        key = bytes.fromhex(key_path.read_text("ascii"))
    except (OSError, ValueError):
        key = None
    with open_log(settings) as reader:
        return checking.verify(reader, key, witnesses)


def commands(meta: Meta) -> Mapping[str, Any]:
    """What the server does for `tracer audit`."""

    def note_export(org: str | None, format: str, **fields: Any) -> dict[str, Any]:
        with meta.write() as tx:
            organization_id = None if org is None else _organization(tx, org)
            actions.note_export(tx, organization_id, Wanted(**fields), format)
        return {}

    def retention(org: str | None, days: int | None) -> dict[str, Any]:
        reader = meta.read()
        slugs = [row[0] for row in reader.rows("SELECT slug FROM organizations ORDER BY id")]
        chosen = slugs if org is None else [org]
        if days is not None:
            if org is None and len(slugs) > 1:
                raise Invalid("There are several organizations: name one with --org.")
            with meta.write() as tx:
                for slug in chosen:
                    set_audit_days(tx, _organization(tx, slug), days)
        return {slug: queries.audit_days(reader, _organization(reader, slug)) for slug in chosen}

    return {"audit_export": note_export, "audit_retention": retention}


def _organization(reader: Reader, slug: str) -> int:
    found: int | None = reader.value("SELECT id FROM organizations WHERE slug = :slug", slug=slug)
    if found is None:
        raise NotFound(f"There is no organization called {slug}.")
    return found


def find_project(reader: Reader, org: str | None, project: str) -> int:
    """A project's id by id or slug. NotFound; Invalid: `org` must say which."""
    if project.isascii() and project.isdigit() and len(project) < 19:
        return int(project)
    rows = reader.rows(
        """
        SELECT p.id
        FROM projects p
        JOIN organizations o ON o.id = p.organization_id
        WHERE p.slug = :slug AND o.slug = coalesce(:org, o.slug)
        """,
        slug=project,
        org=org,
    )
    if not rows:
        raise NotFound(f"There is no project called {project}. One that is gone has its id only.")
    if len(rows) > 1:
        raise Invalid(f"Several organizations have a project {project}: name one with --org.")
    found: int = rows[0][0]
    return found


def _noted(expect: str | None, against: Path | None) -> Iterable[tuple[int, str]]:
    """What was noted earlier: a head, and the entries of an export in JSON Lines."""
    if expect is not None:
        noted = checking.parse_witness(expect)
        if noted is None:
            raise Invalid("--expect takes the head that an earlier `tracer audit verify` printed.")
        yield noted
    if against is not None:
        try:
            with against.open("rb") as file:
                for line in file:
                    row = msgspec.json.decode(line, type=dict[str, Any])
                    yield int(row["id"]), str(row["hash"])
        except (OSError, ValueError, KeyError, msgspec.MsgspecError):
            raise Invalid(f"{against} is no export in JSON Lines.") from None
