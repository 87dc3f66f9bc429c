"""The accounting page: every project's data categories, and one of them hour by hour."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlencode

from tracer import clock
from tracer.errors import NotFound
from tracer.features.accounting import queries
from tracer.features.accounting.model import PERIODS, Account, Accounts, Line
from tracer.ingest import outcomes
from tracer.kit import render
from tracer.kit.context import Req
from tracer.kit.directory import ProjectRef
from tracer.kit.permissions import Permission
from tracer.kit.routes import Routes

PATH = "/settings/accounting/"

routes = Routes()

#: The columns of fates, in the order in which they are decided.
FATES = (
    (outcomes.STORED, "Stored"),
    (outcomes.FILTERED, "Filtered"),
    (outcomes.SAMPLED, "Sampled"),
    (outcomes.RATE_LIMITED, "Rate limited"),
    (outcomes.INVALID, "Invalid"),
    (outcomes.UNSUPPORTED, "Unsupported"),
    (outcomes.UNKNOWN_TYPE, "Unknown type"),
    (outcomes.DEAD_LETTER, "Dead letters"),
)
TITLES = {
    **dict(FATES),
    outcomes.REFUSED: "Refused",
    outcomes.CLIENT_DISCARD: "Dropped by the SDK",
}
#: A table of hours is no longer than this.
HOURS_SHOWN = 7 * 24


@routes.get(PATH, can=Permission.PROJECT_READ)
def index(req: Req) -> render.Response:
    """Every line of the projects in reach; with `category` one project's hours."""
    period = req.query.choice("period", PERIODS, "24h")
    chosen = _project(req)
    found = accounts_of(req, chosen, PERIODS[period])
    category = req.query.text("category", max=40)
    line = next((one for one in found.lines if one.category == category), None)
    if category and (chosen is None or line is None):
        raise NotFound("There are no such accounts.")
    # Most fates never occur: their columns of zeros would only hide the others.
    fates = [fate for fate in FATES if fate[0] == outcomes.STORED or found.of(fate[0])]
    return render.page(
        req,
        "accounting/hours.html" if line else "accounting/index.html",
        accounts=found,
        line=line,
        hours=_hours(line) if line else [],
        fates=fates,
        heads=[(title, "num") for _, title in fates],
        titles=TITLES,
        reasons=_reasons(found),
        names={ref.id: ref.name for ref in req.projects},
        slugs={ref.id: ref.slug for ref in req.projects},
        chosen=chosen,
        offered=[("", "All projects"), *((ref.slug, ref.name) for ref in req.projects)],
        period=period,
        periods=[
            {"title": name, "href": address(chosen, name, category), "active": name == period}
            for name in PERIODS
        ],
        address=lambda **of: PATH + "?" + urlencode(of),
        sums=found.sums(min(PERIODS[period], HOURS_SHOWN)),
        imbalance=req.tracer.digest.imbalance,
    )


def accounts_of(req: Req, chosen: ProjectRef | None, hours: int) -> Accounts:
    """The accounts of one project, or of all in reach."""
    projects = [chosen.id] if chosen else list(req.reach.project_ids)
    return queries.accounts(
        req.meta.read(), req.tracer.spool, projects, hours=hours, now_ms=clock.to_ms(req.now)
    )


def address(chosen: ProjectRef | None, period: str, category: str = "") -> str:
    """The page of a project (or all) and a period."""
    given = {"project": chosen.slug if chosen else "", "period": period, "category": category}
    return PATH + "?" + urlencode({name: value for name, value in given.items() if value})


def _project(req: Req) -> ProjectRef | None:
    slug = req.query.text("project", max=100)
    if not slug:
        return None
    for ref in req.projects:
        if slug in (ref.slug, str(ref.id)):
            return ref
    raise NotFound("There is no such project.")


def _hours(line: Line) -> list[tuple[str, Account]]:
    """The latest hours, each with its name."""
    hours = sorted(line.hours.items(), reverse=True)[:HOURS_SHOWN]
    return [(f"{clock.from_ms(at):%d %b %Y, %H:00} UTC", account) for at, account in hours]


def _reasons(found: Accounts) -> list[dict[str, Any]]:
    """Why items were not stored, the most frequent first."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for line in found.lines:
        for (outcome, reason), quantity in line.account.fates.items():
            if outcome != outcomes.STORED and quantity:
                counts[outcome, reason, line.category] += quantity
        for reason, quantity in line.account.discarded.items():
            counts[outcomes.CLIENT_DISCARD, reason, line.category] += quantity
    for reason, quantity in found.refused.items():
        counts[outcomes.REFUSED, reason, ""] += quantity
    return [
        {"outcome": outcome, "reason": reason, "category": category, "quantity": quantity}
        for (outcome, reason, category), quantity in counts.most_common(50)
    ]
