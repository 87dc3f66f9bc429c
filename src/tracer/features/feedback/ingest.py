"""The items `user_report` and `feedback`: what users wrote, tied to the event it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer import clock
from tracer.errors import Invalid
from tracer.features.feedback.model import (
    MAX_EMAIL,
    MAX_MESSAGE,
    MAX_NAME,
    MAX_SOURCE,
    MAX_URL,
)
from tracer.ingest import withheld
from tracer.ingest.items import Arrival, Batch, Ended, ItemHandler
from tracer.ingest.outcomes import FILTERED
from tracer.issues.queries import clean_event_id
from tracer.protocol.envelope import Item
from tracer.protocol.lenient import load_json


@dataclass(frozen=True, slots=True)
class PreparedFeedback:
    """One message, cut to its limits and scrubbed. `created_at` is unix milliseconds."""

    project_id: int
    feedback_id: str
    event_id: str | None
    source: str
    name: str
    email: str
    message: str
    url: str
    environment: str | None
    release: str | None
    created_at: int


def prepare_report(item: Item, arrival: Arrival) -> PreparedFeedback:
    """`{"event_id", "name", "email", "comments"}`. Raises Invalid without event or comments."""
    report = _object(item)
    event_id = clean_event_id(_text(report, "event_id", 40)) or arrival.event_id
    if event_id is None:
        raise Invalid("no_event_id")
    fields = {"name": report.get("name"), "contact_email": report.get("email")}
    said = _scrubbed({**fields, "message": report.get("comments")}, arrival)
    # A report has no id of its own; the same words about the same event are the same report.
    digest = hashlib.sha256("\0".join((event_id, *said.values())).encode()).hexdigest()
    return _prepared(arrival, said, feedback_id=digest[:32], event_id=event_id, source="report")


def prepare_feedback(item: Item, arrival: Arrival) -> PreparedFeedback:
    """An event-like item with `contexts.feedback`. Raises Invalid without a message."""
    event = _object(item)
    contexts = event.get("contexts")
    context = contexts.get("feedback") if isinstance(contexts, Mapping) else None
    if not isinstance(context, Mapping):
        raise Invalid("no_feedback_context")
    user = event.get("user")
    user = user if isinstance(user, Mapping) else {}
    said = _scrubbed(
        {
            "message": context.get("message"),
            "contact_email": context.get("contact_email") or user.get("email"),
            "name": context.get("name") or user.get("name") or user.get("username"),
            "url": context.get("url"),
        },
        arrival,
    )
    own_id = arrival.event_id or clean_event_id(_text(event, "event_id", 40))
    return _prepared(
        arrival,
        said,
        feedback_id=own_id or clock.new_id(),
        event_id=clean_event_id(_text(context, "associated_event_id", 40)),
        source=_text(context, "source", MAX_SOURCE) or "api",
        environment=_text(event, "environment", 64) or None,
        release=_text(event, "release", 250) or None,
    )


def _prepared(
    arrival: Arrival,
    said: Mapping[str, str],
    *,
    feedback_id: str,
    event_id: str | None,
    source: str,
    environment: str | None = None,
    release: str | None = None,
) -> PreparedFeedback:
    if not said["message"]:
        raise Invalid("no_message")
    return PreparedFeedback(
        project_id=arrival.project_id,
        feedback_id=feedback_id,
        event_id=event_id,
        source=source,
        name=said["name"],
        email=said["contact_email"],
        message=said["message"],
        url=said.get("url", ""),
        environment=environment,
        release=release,
        created_at=int(arrival.received_at * 1000),
    )


_LIMITS = {
    "message": MAX_MESSAGE,
    "contact_email": MAX_EMAIL,
    "name": MAX_NAME,
    "url": MAX_URL,
}


def _scrubbed(fields: Mapping[str, Any], arrival: Arrival) -> dict[str, str]:
    """The fields as text within their limits, without what the project's rules remove."""
    context = {name: _text(fields, name, _LIMITS[name]) for name in fields}
    data: dict[str, Any] = {"contexts": {"feedback": context}}
    arrival.scrubber(data)
    return {name: str(value) for name, value in data["contexts"]["feedback"].items()}


def _object(item: Item) -> Mapping[str, Any]:
    found = load_json(bytes(item.payload))
    if not isinstance(found, dict):
        raise Invalid("not_an_object")
    return found


def _text(fields: Mapping[str, Any], name: str, limit: int) -> str:
    value = fields.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    return value.replace("\x00", "").strip()[:limit] if isinstance(value, str) else ""


def store(batch: Batch, reports: Sequence[PreparedFeedback]) -> Sequence[str | Ended | None]:
    """Store messages. One whose event is known gets its issue now, others when it arrives; one
    whose event was filtered is filtered too."""
    pairs = [(one.project_id, one.event_id) for one in reports if one.event_id is not None]
    fates = withheld.fates(batch, pairs)
    return [
        fate
        if (fate := fates.get((one.project_id, one.event_id or ""))) and fate.outcome == FILTERED
        else _store_one(batch, one)
        for one in reports
    ]


def _store_one(batch: Batch, report: PreparedFeedback) -> str | None:
    added = batch.tx.execute(
        """
        INSERT INTO feedback (project_id, feedback_id, event_id, issue_id, source, name, email,
            message, url, environment, release, created_at)
        SELECT :project_id, :feedback_id, :event_id,
            (
                SELECT i.id
                FROM recent_events r
                JOIN issues i ON i.id = r.issue_id
                WHERE r.project_id = :project_id AND r.event_id = unhex(:event_id)
            ),
            :source, :name, :email, :message, :url, :environment, :release, :created_at
        WHERE EXISTS (SELECT 1 FROM projects WHERE id = :project_id AND deleted_at IS NULL)
        ON CONFLICT (project_id, feedback_id) DO NOTHING
        """,
        project_id=report.project_id,
        feedback_id=report.feedback_id,
        event_id=report.event_id,
        source=report.source,
        name=report.name,
        email=report.email,
        message=report.message,
        url=report.url,
        environment=report.environment,
        release=report.release,
        created_at=report.created_at,
    )
    return None if added else "duplicate"


REPORT = ItemHandler(prepare_report, store)
FEEDBACK = ItemHandler(prepare_feedback, store)
