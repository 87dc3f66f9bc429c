"""The accounts for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from tracer import clock
from tracer.accounts.model import Organization
from tracer.accounts.queries import organization_by_slug
from tracer.features.accounting.model import PERIODS, Account, Line
from tracer.features.accounting.pages import accounts_of
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, json
from tracer.kit.routes import Operation, Param, Routes

routes = Routes()


class Counts(msgspec.Struct, rename="camel"):
    """`accepted` is the sum of `outcomes`; `missing` is the difference, which should be 0."""

    accepted: int
    outcomes: dict[str, int]
    missing: int
    client_discards: dict[str, int]


class HourCounts(Counts, rename="camel"):
    """The counts of one hour."""

    hour: datetime


class AccountLine(Counts, rename="camel"):
    """A project's data category over the period. `waiting` is accepted and not yet digested."""

    project_id: str
    project: str
    category: str
    waiting: int
    hours: list[HourCounts]


@routes.get(
    "/api/0/organizations/{organization_slug}/accounting/",
    can=Permission.PROJECT_READ,
    load=organization_by_slug,
    doc=Operation(
        "Account for every item",
        description="What was accepted by project, data category and hour, and what became of it.",
        query=(
            Param("statsPeriod", "24h, 7d, 30d or 90d."),
            Param("project", "Only this project, by slug or id."),
        ),
        returns=list[AccountLine],
        errors=(400, 401, 403, 404),
        tag="Accounting",
    ),
)
def accounting(req: Req, _organization: Organization) -> Response:
    period = req.query.choice("statsPeriod", PERIODS, "24h")
    wanted = req.query.text("project", max=100)
    slugs = {ref.id: ref.slug for ref in req.projects}
    found = accounts_of(req, None, PERIODS[period])
    lines = [
        _shape(line, slugs.get(line.project_id, ""))
        for line in found.lines
        if wanted in ("", str(line.project_id), slugs.get(line.project_id))
    ]
    return json(lines)


def _shape(line: Line, slug: str) -> AccountLine:
    return AccountLine(
        **_counts(line.account),
        project_id=str(line.project_id),
        project=slug,
        category=line.category,
        waiting=line.account.waiting,
        hours=[
            HourCounts(**_counts(account), hour=clock.from_ms(hour_at))
            for hour_at, account in sorted(line.hours.items())
        ],
    )


def _counts(account: Account) -> dict[str, Any]:
    outcomes: dict[str, int] = {}
    for (outcome, _), quantity in account.fates.items():
        outcomes[outcome] = outcomes.get(outcome, 0) + quantity
    return {
        "accepted": account.accepted,
        "outcomes": outcomes,
        "missing": account.missing,
        "client_discards": account.discarded,
    }
