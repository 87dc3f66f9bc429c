"""What each part of the site may ask for at least, written down a second time.

The walk believes what a route declares. A route that declares too little is found here.
"""

from __future__ import annotations

import re

import pytest

from security.test_access_walk import TABLE, name
from tracer.kit.csrf import SAFE_METHODS
from tracer.kit.permissions import WITH_STRONGER, Permission
from tracer.kit.routes import Route

P = Permission
ORG = r"/api/0/organizations/\{organization_slug\}/"
PROJECT = r"/api/0/projects/\{organization_slug\}/\{project_slug\}/"

#: Beginning of a path -> what looking may ask for, and what changing may. The first that fits.
FLOORS: tuple[tuple[str, set[P], set[P]], ...] = (
    # Oneself.
    (r"/$", {P.LOGGED_IN}, set()),
    (r"/account/", {P.LOGGED_IN}, {P.LOGGED_IN}),
    (r"/organizations/", {P.LOGGED_IN}, {P.LOGGED_IN}),
    (r"/teams/\{slug\}/leave", set(), {P.LOGGED_IN}),
    (r"/api/0/api-tokens/", {P.LOGGED_IN}, {P.LOGGED_IN}),
    (r"/api/docs", {P.LOGGED_IN}, set()),
    # The server.
    (r"/settings/(mail|accounts|server)/", {P.SERVER_ADMIN}, {P.SERVER_ADMIN}),
    # Who may do what, and what was done.
    (r"/settings/(policies|addresses)/", {P.ORG_ADMIN}, {P.ORG_ADMIN}),
    (ORG + "(policies|addresses)/", {P.ORG_ADMIN}, {P.ORG_ADMIN}),
    (r"/settings/audit/retention", set(), {P.ORG_ADMIN}),
    (r"/settings/audit/", {P.ORG_WRITE}, {P.ORG_WRITE}),
    (ORG + "audit-logs/retention/", {P.ORG_WRITE}, {P.ORG_ADMIN}),
    (ORG + "audit-logs/", {P.ORG_WRITE}, set()),
    (r"/settings/tokens/", {P.ORG_WRITE}, {P.ORG_WRITE}),
    (r"/settings/accounting/", {P.PROJECT_READ}, set()),
    (ORG + "accounting/", {P.PROJECT_READ}, set()),
    (r"/settings/dead-letters/export", set(), {P.PROJECT_WRITE}),
    (r"/settings/dead-letters/", {P.PROJECT_WRITE}, {P.PROJECT_ADMIN}),
    (ORG + "org-auth-tokens/", {P.ORG_WRITE}, {P.ORG_WRITE}),
    (r"/settings/quotas/", {P.ORG_READ}, {P.ORG_WRITE}),
    (ORG + "quotas/", {P.ORG_READ}, {P.ORG_WRITE}),
    (r"/quotas/notices", {P.EVENT_READ}, set()),
    (r"/settings/delete", set(), {P.ORG_ADMIN}),
    (r"/settings/$", {P.ORG_READ}, {P.ORG_WRITE}),
    (r"/members/\{user_id:int\}/reset-(link|second-factor)", set(), {P.ORG_ADMIN}),
    (r"/members/", {P.MEMBER_READ}, {P.MEMBER_WRITE, P.MEMBER_ADMIN}),
    (ORG + r"members/.*/teams/", set(), {P.TEAM_WRITE}),
    (ORG + "members/", {P.MEMBER_READ}, {P.MEMBER_WRITE, P.MEMBER_ADMIN}),
    (r"/teams/", {P.TEAM_READ}, {P.TEAM_WRITE, P.TEAM_ADMIN}),
    (ORG + "teams/", {P.TEAM_READ}, {P.TEAM_WRITE}),
    (r"/api/0/teams/.*/projects/", {P.TEAM_READ}, {P.PROJECT_WRITE}),
    (r"/api/0/teams/", {P.TEAM_READ}, {P.TEAM_WRITE, P.TEAM_ADMIN}),
    (PROJECT + "teams/", set(), {P.TEAM_WRITE}),
    (ORG + "$", {P.ORG_READ}, {P.ORG_WRITE}),
    (r"/api/0/organizations/$", {P.ORG_READ}, set()),
    # Events and what hangs on them.
    (r"/projects/\{slug\}/filters/discarded/", {P.EVENT_READ}, {P.EVENT_ADMIN}),
    (PROJECT + "(issues|events|user-feedback)/", {P.EVENT_READ}, {P.EVENT_WRITE, P.EVENT_ADMIN}),
    (ORG + "issues/", {P.EVENT_READ}, {P.EVENT_WRITE, P.EVENT_ADMIN}),
    (r"/api/0/issues/", {P.EVENT_READ}, {P.EVENT_WRITE, P.EVENT_ADMIN}),
    (r"/live/page", {P.LOGGED_IN}, set()),
    (r"/(issues|feedback|attachments|live)/", {P.EVENT_READ}, {P.EVENT_WRITE, P.EVENT_ADMIN}),
    (r"/projects/\{slug\}/sample", set(), {P.EVENT_WRITE}),
    # Projects.
    (r"/projects/new", {P.PROJECT_WRITE}, {P.PROJECT_WRITE}),
    (r"/projects/", {P.PROJECT_READ}, {P.PROJECT_WRITE, P.PROJECT_ADMIN}),
    (ORG + "projects/", {P.PROJECT_READ}, {P.PROJECT_WRITE}),
    (r"/api/0/projects/", {P.PROJECT_READ}, {P.PROJECT_WRITE, P.PROJECT_ADMIN}),
)

#: What ends something for good asks for the strongest permission of its kind.
ENDING = re.compile(r"/delete$|/remove$")

#: Deleting, tokens, policies and exports: the password or second factor is asked for again.
DANGEROUS = (
    r"POST /(projects|teams)/\{slug\}/delete",
    r"DELETE " + PROJECT + "$",
    r"DELETE /api/0/teams/",
    r"POST /issues/(bulk|\{issue_id:int\}/(delete|discard))",
    r"DELETE .*/issues/(\{issue_id\}/)?$",
    r"POST /projects/\{slug\}/keys/\{key_id:int\}/delete",
    r"DELETE " + PROJECT + "keys/",
    r"POST /settings/delete",
    r"POST /members/\{user_id:int\}/(remove|role|reset-link|reset-second-factor)",
    r"DELETE " + ORG + r"members/\{\w+(:int)?\}/$",
    r"POST /(account|settings)/tokens/(\{token_id:int\}/rotate)?$",
    r"POST /api/0/api-tokens/(\{token_id:int\}/rotate/)?$",
    r"POST " + ORG + r"org-auth-tokens/(\{token_id:int\}/rotate/)?$",
    r"POST /settings/policies/(?!dry-run)",
    r"(POST|PUT|DELETE) " + ORG + r"(policies|addresses)/(?!dry-run)",
    r"POST /settings/(addresses|mail)/$",
    r"POST /settings/accounts/",
    r"POST /settings/(server/)?dead-letters/(discard|export)$",
    r"POST /settings/audit/(export|retention)",
    r"PUT " + ORG + "audit-logs/retention/",
    r"GET " + ORG + "audit-logs/export/",
    r"POST /account/security/(authenticator|passkeys|recovery-codes)/$",
    r"POST /account/security/factors/\{factor_id:int\}/remove",
)
GUARDED = [route for route in TABLE.routes if route.can is not P.PUBLIC]


@pytest.mark.parametrize("route", GUARDED, ids=name)
def test_route_asks_for_no_less_than_its_part_of_the_site(route: Route) -> None:
    fitting = [floor for floor in FLOORS if re.match(floor[0], route.path)]
    assert fitting, "say in FLOORS what this part of the site asks for"
    _, looking, changing = fitting[0]
    floor = looking if route.method in SAFE_METHODS else changing
    assert any(route.can in WITH_STRONGER.get(least, {least}) for least in floor)


#: Ending these is no more than changing something: what they belong to stays.
LOOSE = re.compile(
    r"/comments/|/tokens/|org-auth-tokens|/teams/\{\w+\}/projects/|/teams/\{team_slug\}/"
    r"|/quotas/"
)


def test_what_ends_things_asks_for_the_strongest_of_its_kind() -> None:
    weak = (P.LOGGED_IN, P.SERVER_ADMIN)
    ending = [route for route in GUARDED if route.method == "DELETE" or ENDING.search(route.path)]
    assert len(ending) > 15
    for route in ending:
        of_team = route.path.startswith("/api/0/teams/") and "/projects/" not in route.path
        if route.can not in weak and (of_team or not LOOSE.search(route.path)):
            assert str(route.can).endswith(":admin"), name(route)


@pytest.mark.parametrize("pattern", DANGEROUS)
def test_dangerous_actions_ask_who_one_is_again(pattern: str) -> None:
    found = [route for route in TABLE.routes if re.match(pattern, name(route))]
    assert found, "nothing fits any more"
    assert [name(route) for route in found if not route.step_up] == []


@pytest.mark.parametrize("raw", TABLE.raws, ids=lambda raw: raw.path)
def test_what_needs_no_guard_asks_for_a_key(raw: object) -> None:
    assert raw.can is P.PROJECT_KEY  # type: ignore[attr-defined]
