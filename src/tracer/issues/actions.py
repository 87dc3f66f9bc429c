"""Changes to issues by people. Each takes an open Tx, returns the issue as it is now, and records
itself in the audit log.

Callers load issues through a Reach; `bulk` does so itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from tracer.errors import Forbidden, Invalid, NotFound
from tracer.issues import queries
from tracer.issues.facts import IssuesChanged
from tracer.issues.model import (
    IGNORED,
    MAX_COMMENT,
    RESOLVED,
    STATUS_NAMES,
    UNRESOLVED,
    Activity,
    Discarded,
    Issue,
)
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.kit.context import Actor, Reach
    from tracer.storage.meta import Tx

ERASE_TASK = "erase_issue"
MAX_RELEASE = 250
MAX_BULK = 1000

_VERBS = {RESOLVED: "resolve", UNRESOLVED: "unresolve", IGNORED: "archive"}


def resolve(tx: Tx, issue: Issue, *, by: Actor, in_release: str | None = None) -> Issue:
    """Resolve. With `in_release`, only an event of a later release opens it again.

    Raises Invalid for a release name that cannot be one.
    """
    if in_release is not None:
        in_release = in_release.strip()
        if not 0 < len(in_release) <= MAX_RELEASE:
            raise Invalid(f"A release name has 1 to {MAX_RELEASE} characters.")
    return _set_status(tx, issue, RESOLVED, by, in_release)


def unresolve(tx: Tx, issue: Issue, *, by: Actor) -> Issue:
    """Open it again, out of the archive or resolved by mistake."""
    return _set_status(tx, issue, UNRESOLVED, by)


def archive(tx: Tx, issue: Issue, *, by: Actor) -> Issue:
    """Ignore it: new events are counted, and it stays archived."""
    return _set_status(tx, issue, IGNORED, by)


def _set_status(
    tx: Tx, issue: Issue, status: int, by: Actor, resolved_in: str | None = None
) -> Issue:
    issue = _current(tx, issue)
    if issue.status == status and issue.resolved_in == resolved_in:
        return issue
    tx.execute(
        """
        UPDATE issues
        SET status = :status, status_at = :now, resolved_in = :resolved_in, regressed_at = NULL
        WHERE id = :id
        """,
        id=issue.id,
        status=status,
        resolved_in=resolved_in,
        now=tx.now_ms,
    )
    tx.execute(
        "UPDATE issue_environments SET status = :status WHERE issue_id = :id",
        id=issue.id,
        status=status,
    )
    _note(tx, issue, by, STATUS_NAMES[status], {"release": resolved_in} if resolved_in else {})
    changed = replace(
        issue, status=status, status_at=tx.now_ms, resolved_in=resolved_in, regressed_at=None
    )
    before, after = audit.differing(_status_of(issue), _status_of(changed))
    _record(tx, _VERBS[status], issue, before=before, after=after)
    return changed


def _status_of(issue: Issue) -> dict[str, Any]:
    return {"status": issue.status_name, "resolved_in": issue.resolved_in}


def assign(tx: Tx, issue: Issue, user_id: int | None, *, by: Actor) -> Issue:
    """Give the issue to a member of its organization, or to nobody. Raises Invalid."""
    issue = _current(tx, issue)
    if issue.assignee_id == user_id:
        return issue
    assignee = None
    if user_id is not None:
        row = tx.row(
            """
            SELECT coalesce(nullif(u.name, ''), u.email), u.email
            FROM projects p
            JOIN members m ON m.organization_id = p.organization_id AND m.user_id = :user_id
            JOIN users u ON u.id = m.user_id
            WHERE p.id = :project_id
            """,
            project_id=issue.project_id,
            user_id=user_id,
        )
        if row is None:
            raise Invalid("The assignee is not a member of the organization.")
        assignee = row[0]
    tx.execute(
        "UPDATE issues SET assignee_id = :user_id WHERE id = :id", id=issue.id, user_id=user_id
    )
    if user_id is None:
        _note(tx, issue, by, "unassigned", {})
    else:
        _note(tx, issue, by, "assigned", {"user_id": user_id, "user": assignee})
    _record(
        tx,
        "assign",
        issue,
        before={"assignee_id": issue.assignee_id, "assignee": issue.assignee},
        after={"assignee_id": user_id, "assignee": assignee},
    )
    return replace(issue, assignee_id=user_id, assignee=assignee)


def comment(tx: Tx, issue: Issue, text: str, *, by: Actor) -> Activity:
    """Add a comment; the new entry. Raises Invalid when it is empty or too long."""
    data = {"text": _comment_text(text)}
    issue = _current(tx, issue)
    id_ = _note(tx, issue, by, "comment", data)
    _record_comment(tx, "create", issue, id_, after=data)
    return Activity(id_, "comment", data, tx.now_ms, by.user_id, by.name or by.email)


def edit_comment(tx: Tx, issue: Issue, entry: Activity, text: str, *, by: Actor) -> Activity:
    """Change one's own comment. Raises Forbidden for another's, Invalid as `comment` does."""
    _check_author(entry, by)
    data = {"text": _comment_text(text)}
    tx.execute(
        "UPDATE issue_activity SET data = :data WHERE id = :id", id=entry.id, data=_json(data)
    )
    _changed(tx, issue.project_id)
    _record_comment(tx, "update", issue, entry.id, before=entry.data, after=data)
    return replace(entry, data=data)


def delete_comment(tx: Tx, issue: Issue, entry: Activity, *, by: Actor) -> None:
    """Remove one's own comment. Raises Forbidden for another's."""
    _check_author(entry, by)
    tx.execute("DELETE FROM issue_activity WHERE id = :id", id=entry.id)
    _changed(tx, issue.project_id)
    _record_comment(tx, "delete", issue, entry.id, before=entry.data)


def _check_author(entry: Activity, by: Actor) -> None:
    if entry.user_id is None or entry.user_id != by.user_id:
        raise Forbidden("Only its author may change a comment.")


def _comment_text(text: str) -> str:
    text = text.replace("\x00", "").strip()
    if not text:
        raise Invalid("Write something first.")
    if len(text) > MAX_COMMENT:
        raise Invalid(f"Use at most {MAX_COMMENT:,} characters.")
    return text


def delete(tx: Tx, issue: Issue, *, by: Actor) -> Issue:  # noqa: ARG001
    """Remove the issue at once; the task `erase_issue` then erases its events and files.

    Its hashes lead nowhere afterwards, so a new event of the kind makes a new issue. Only events
    digested until now are erased, told by their frame.
    """
    _remove(tx, issue, queries.hashes(tx, issue))
    _record(tx, "delete", issue, before={"title": issue.title, "status": issue.status_name})
    return issue


def discard(tx: Tx, issue: Issue, *, by: Actor) -> Issue:
    """Delete the issue, and filter out the events of its kind that come from now on.

    What it was is kept, to be shown and for `restore`.
    """
    hashes = queries.hashes(tx, issue)
    environments = tx.rows(
        "SELECT environment FROM issue_environments WHERE issue_id = :id", id=issue.id
    )
    discard_id = tx.insert(
        """
        INSERT INTO discarded_issues (project_id, short_id, title, culprit, level, environments,
            discarded_by, discarded_at)
        VALUES (:project_id, :short_id, :title, :culprit, :level, :environments, :by, :now)
        """,
        project_id=issue.project_id,
        short_id=issue.short_id,
        title=issue.title,
        culprit=issue.culprit,
        level=issue.level,
        environments=msgspec.json.encode([row[0] for row in environments]).decode(),
        by=by.user_id,
        now=tx.now_ms,
    )
    tx.many(
        "INSERT OR REPLACE INTO discarded_hashes (project_id, hash, discard_id) VALUES (?, ?, ?)",
        [(issue.project_id, hash_, discard_id) for hash_ in hashes],
    )
    _remove(tx, issue, hashes)
    _record(tx, "discard", issue, before={"title": issue.title, "status": issue.status_name})
    return issue


def restore(tx: Tx, discarded: Discarded) -> None:
    """Events of a discarded issue's kind are stored again; the next one makes a new issue."""
    tx.execute("DELETE FROM discarded_issues WHERE id = :id", id=discarded.id)
    audit.record(
        tx,
        "issue.restore",
        "issue",
        discarded.id,
        name=discarded.name,
        project_id=discarded.project_id,
        before={"title": discarded.title, "filtered": discarded.event_count},
    )


def _remove(tx: Tx, issue: Issue, hashes: Sequence[str]) -> None:
    frame = tx.value("SELECT frame FROM digest_position")
    tx.execute("DELETE FROM issue_text WHERE rowid = :id", id=issue.id)
    tx.execute("DELETE FROM issues WHERE id = :id", id=issue.id)
    tx.enqueue(ERASE_TASK, project_id=issue.project_id, hashes=list(hashes), frame=frame)
    _changed(tx, issue.project_id)


def bulk(
    tx: Tx,
    reach: Reach,
    ids: Sequence[int],
    action: Callable[..., Issue],
    *arguments: Any,
    **options: Any,
) -> list[Issue]:
    """One of the actions above on each issue in reach; ids out of reach are passed over.
    The audit log gets one entry of them all (in each project).

    `bulk(tx, reach, ids, assign, 7, by=actor)`. Raises Invalid for more than MAX_BULK ids.
    """
    if len(ids) > MAX_BULK:
        raise Invalid(f"Choose at most {MAX_BULK:,} issues.")
    found = queries.issues_by_id(tx, reach, tuple(dict.fromkeys(ids)))
    with audit.together(tx):
        return [action(tx, issue, *arguments, **options) for issue in found]


def _current(tx: Tx, issue: Issue) -> Issue:
    """The issue as it is in this transaction: it was loaded before it. Raises NotFound."""
    found = queries.current_issue(tx, issue.id)
    if found is None:
        raise NotFound("The issue is not there any more.")
    return found


def _note(tx: Tx, issue: Issue, by: Actor, kind: str, data: dict[str, Any]) -> int:
    _changed(tx, issue.project_id)
    return tx.insert(
        """
        INSERT INTO issue_activity (issue_id, user_id, kind, data, created_at)
        VALUES (:issue_id, :user_id, :kind, :data, :now)
        """,
        issue_id=issue.id,
        user_id=by.user_id,
        kind=kind,
        data=_json(data),
        now=tx.now_ms,
    )


def _record(tx: Tx, verb: str, issue: Issue, **values: Any) -> None:
    audit.record(
        tx,
        f"issue.{verb}",
        "issue",
        issue.id,
        name=issue.name,
        project_id=issue.project_id,
        **values,
    )


def _record_comment(tx: Tx, verb: str, issue: Issue, comment_id: int, **values: Any) -> None:
    audit.record(
        tx,
        f"comment.{verb}",
        "comment",
        comment_id,
        name=issue.name,
        project_id=issue.project_id,
        **values,
    )


def _changed(tx: Tx, project_id: int) -> None:
    fact = IssuesChanged(project_id)
    if fact not in tx.facts:
        tx.emit(fact)


def _json(data: dict[str, Any]) -> str:
    return msgspec.json.encode(data).decode()
