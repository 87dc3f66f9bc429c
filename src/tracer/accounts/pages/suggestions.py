"""What fields offer as one types: members and teams, a few at a time, whatever the size."""

from __future__ import annotations

import re
from typing import Any

from tracer.accounts import queries
from tracer.kit.context import Req
from tracer.kit.permissions import Permission
from tracer.kit.render import Response, page
from tracer.kit.routes import Routes

routes = Routes()

OFFERED = 20

_BLANKS = re.compile(r"[\s,;]+")


@routes.get("/members/suggest", can=Permission.MEMBER_READ)
def members(req: Req) -> Response:
    """The field may be called `email` or `assigned`."""
    text = req.query.text("email", max=200) or req.query.text("assigned", max=200)
    found = queries.members_page(
        req.meta.read(), req.reach.organization_id, text=text, limit=OFFERED
    )
    return _part(req, "accounts/_people.html", people=found)


@routes.get("/teams/suggest", can=Permission.TEAM_READ)
def teams(req: Req) -> Response:
    """The field is called `teams`, with several slugs, or `team`, with one."""
    text = req.query.text("team", max=200) or req.query.get("teams")[:2000]
    typed = _BLANKS.split(text)[-1]
    before = text.removesuffix(typed)
    found = queries.teams(req.meta.read(), req.reach.organization_id, text=typed, limit=OFFERED)
    return _part(req, "accounts/_teams.html", teams=found, before=before)


def _part(req: Req, template: str, **values: Any) -> Response:
    return page(req, template, part=template, **values)
