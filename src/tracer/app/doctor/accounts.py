"""Whether what was accepted and what became of it add up, and the chain of the audit log."""

from __future__ import annotations

from collections.abc import Iterator

from tracer import clock
from tracer.app import trail
from tracer.app.doctor.model import ERROR, WARNING, Finding, Place
from tracer.ingest import balance

_SHOWN = 20


def accounts(place: Place) -> Iterator[Finding]:
    """Every hour of every project and category must balance."""
    wrong = balance.check(place.reader, limit=_SHOWN)
    place.step()
    for one in wrong:
        yield Finding(
            ERROR,
            "accounts",
            f"Project {one.project_id}, {clock.from_ms(one.hour_at):%Y-%m-%d %H:00},"
            f" {one.category}: {one.accepted:,} accepted, {one.decided:,} accounted for.",
            "Items were lost or counted twice, or a store was restored without the others.",
            "No number is made up for it: look at the log of that hour, and report it as a bug.",
        )
    if balance.is_noted(place.reader):
        yield Finding(
            ERROR if wrong else WARNING,
            "imbalance-noted",
            "A batch once did not balance, and nobody has settled it.",
            "The red banner stays until somebody has looked into it.",
            "Look at /accounting/ and the log, then settle it: `tracer doctor --fix`.",
            () if wrong else (("settle", {}),),
        )


def chain(place: Place) -> Iterator[Finding]:
    """The chain of audit entries, to its sealed end."""
    verdict = trail.verify(place.settings, None, None)
    place.step()
    if verdict.broken:
        yield Finding(
            ERROR,
            "audit",
            f"The audit log is broken: {verdict.broken}.",
            "Somebody changed it behind the program's back, or a damaged file was restored.",
            "Keep the file as it is, compare it with an export: `tracer audit verify --against`.",
        )
