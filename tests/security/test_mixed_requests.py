"""Requests that name one's own things and another tenant's together: lists, searches, live topics.

What is another's must change nothing, show nothing, and answer as what is not there.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from security.test_other_tenants import comparable
from security.world import World
from tracer.kit.live import Live
from tracer.kit.paging import encode_cursor

NOWHERE = 999_999_999
ISSUES = "/api/0/organizations/acme/issues/"


def issue_rows(world: World, organization_id: int) -> list[tuple[Any, ...]]:
    """All that is kept of the issues of an organization."""
    rows: list[tuple[Any, ...]] = world.tracer.meta.read().rows(
        """
        SELECT i.id, i.status, i.assignee_id, i.resolved_in, i.status_at,
            (SELECT count(*) FROM issue_activity a WHERE a.issue_id = i.id)
        FROM issues i
        JOIN projects p ON p.id = i.project_id
        WHERE p.organization_id = :id
        """,
        id=organization_id,
    )
    return rows


BULK = [{"action": "resolve"}, {"action": "archive"}, {"action": "delete"}, {"assign": "mine"}]


@pytest.mark.parametrize("change", BULK, ids=str)
def test_bulk_form_passes_over_anothers_issues(world: World, change: dict[str, str]) -> None:
    fields: dict[str, Any] = dict(change)
    if "assign" in change:
        fields["assign"] = world.acme.user_id
    mine, theirs = world.acme.values["issue_id"], world.globex.values["issue_id"]
    before = issue_rows(world, world.globex.organization_id)
    answers = []
    for strange in (theirs, NOWHERE):
        world.restore()
        form = {**fields, "id": [mine, strange]}
        answers.append(comparable(world.ask("owner", "POST", "/issues/bulk", form=form), "-", []))
        assert issue_rows(world, world.globex.organization_id) == before
        assert issue_rows(world, world.acme.organization_id) != before
    assert answers[0][0] == answers[1][0] == 303
    assert [h for h in answers[0][1] if h[0] != "set-cookie"] == [
        h for h in answers[1][1] if h[0] != "set-cookie"
    ]
    alone = [
        comparable(
            world.ask("owner", "POST", "/issues/bulk", form={**fields, "id": strange}), "-", []
        )
        for strange in (theirs, NOWHERE)
    ]
    assert alone[0] == alone[1]


@pytest.mark.parametrize("where", [ISSUES, "/api/0/projects/acme/shop/issues/"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_bulk_api_passes_over_anothers_issues(world: World, where: str, method: str) -> None:
    mine, theirs = world.acme.values["issue_id"], world.globex.values["issue_id"]
    before = issue_rows(world, world.globex.organization_id)
    body: dict[str, Any] = {"json": {"status": "resolved"}} if method == "PUT" else {}
    answers = []
    for strange in (theirs, NOWHERE):
        world.restore()
        target = f"{where}?id={mine}&id={strange}"
        answers.append(comparable(world.ask("owner", method, target, **body), "-", []))
        assert issue_rows(world, world.globex.organization_id) == before
    assert answers[0] == answers[1]
    assert answers[0][0] in (200, 204)


def test_change_of_all_that_match_stays_in_the_organization(world: World) -> None:
    before = issue_rows(world, world.globex.organization_id)
    answer = world.ask("owner", "PUT", ISSUES + "?query=", json={"status": "resolved"})
    assert answer.json["ids"] == [str(world.acme.values["issue_id"])]
    assert issue_rows(world, world.globex.organization_id) == before


def test_change_of_all_that_match_stays_in_the_teams_projects(world: World) -> None:
    before = issue_rows(world, world.acme.organization_id)
    answer = world.ask("other team", "PUT", ISSUES + "?query=", json={"status": "resolved"})
    assert answer.json["ids"] == []
    assert issue_rows(world, world.acme.organization_id) == before


@pytest.mark.parametrize("by", ["id", "email"])
def test_issue_cannot_be_given_to_somebody_of_another_organization(world: World, by: str) -> None:
    their_id, mine = world.globex.user_id, world.acme.values["issue_id"]
    theirs = {"id": f"user:{their_id}", "email": "owner@globex.example"}[by]
    none = {"id": f"user:{NOWHERE}", "email": "nobody@nowhere.example"}[by]
    answers = [
        comparable(
            world.ask("owner", "PUT", f"/api/0/issues/{mine}/", json={"assignedTo": name}), "-", []
        )
        for name in (theirs, none)
    ]
    assert answers[0] == answers[1]
    assert answers[0][0] == 400
    if by == "id":
        forms = [
            world.ask("owner", "POST", f"/issues/{mine}/assign", form={"user": user})
            for user in (their_id, NOWHERE)
        ]
        assert forms[0].status == forms[1].status == 400


SEARCHES = [
    ("GALLERY-1", "GOLLERY-1"),
    ("issue:GALLERY-1", "issue:GOLLERY-1"),
    ("project:gallery", "project:gollery"),
    ("assigned:owner@globex.example", "assigned:nobody@nowhere.example"),
    ("globex", "nowhere"),
    ("!project:gallery", "!project:gollery"),
    ("!issue:GALLERY-1", "!issue:GOLLERY-1"),
]


@pytest.mark.parametrize(("theirs", "none"), SEARCHES)
def test_search_says_nothing_of_other_organizations(world: World, theirs: str, none: str) -> None:
    for path in (ISSUES, "/issues/"):
        answers = []
        for text in (theirs, none):
            target = f"{path}?query={quote(text)}&q={quote(text)}"
            answer = world.ask("owner", "GET", target)
            word = text.split(":")[-1]
            answers.append(comparable(answer, target, [text, quote(text), word, quote(word)]))
        assert answers[0] == answers[1]
        assert answers[0][0] == 200


def test_search_by_number_says_nothing_of_other_organizations(world: World) -> None:
    for wanted in (world.globex.values["issue_id"], NOWHERE):
        assert world.ask("owner", "GET", f"{ISSUES}?query=issue:{wanted}").json == []


@pytest.mark.parametrize(
    "path", ["/issues/?project={}", "/feedback/?project={}", ISSUES + "?project={}"]
)
def test_project_filter_answers_anothers_as_none(world: World, path: str) -> None:
    answers = []
    for project_id in (world.globex.project.id, NOWHERE):
        target = path.format(project_id)
        answer = world.ask("owner", "GET", target)
        body = answer.text.replace(f"project={project_id}", "project=·")
        answers.append((answer.status, body.replace(f"'{project_id}'", "·")))
        assert "Gallery" not in body
    assert answers[0][0] == answers[1][0]


def test_project_filter_of_the_api_takes_no_other_organizations_slug(world: World) -> None:
    answers = [
        world.ask("owner", "GET", f"{ISSUES}?project={slug}").text.replace(slug, "·")
        for slug in ("gallery", "gollery")
    ]
    assert answers[0] == answers[1]


def test_live_topics_of_others_are_never_listened_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[frozenset[str]] = []
    monkeypatch.setattr(Live, "join", lambda self, listener: heard.append(listener.topics))
    monkeypatch.setattr(Live, "leave", lambda self, listener: None)
    mine, theirs = f"project:{world.acme.project.id}", f"project:{world.globex.project.id}"
    answers = [
        world.ask("owner", "GET", f"/live/?topic={topic}")
        for topic in (theirs, f"project:{NOWHERE}")
    ]
    assert comparable(answers[0], "-", []) == comparable(answers[1], "-", [])
    assert answers[0].status == 400
    assert world.ask("owner", "GET", f"/live/?topic={mine}&topic={theirs}").status == 200
    assert world.ask("other team", "GET", f"/live/?topic=projects&topic={mine}").status == 200
    assert heard == [frozenset({mine}), frozenset({f"project:{world.depot.id}"})]


def test_cursor_of_anothers_list_leads_to_ones_own(world: World) -> None:
    """A forged or borrowed position is a place in one's own list, nothing else."""
    theirs = world.globex.values["event_id"]
    path = f"/api/0/issues/{world.acme.values['issue_id']}/events/?cursor="
    for forged in (encode_cursor(theirs), encode_cursor("0;0"), "bm9uc2Vuc2U", "%00"):
        answer = world.ask("owner", "GET", path + forged)
        assert answer.status in (200, 400)
        assert theirs not in answer.text.replace(f"cursor={forged}", "")


def test_people_of_other_organizations_are_not_listed(world: World) -> None:
    for path in ("/members/", f"/issues/{world.acme.values['issue_id']}/", "/issues/"):
        page = world.ask("owner", "GET", path)
        assert page.status == 200
        assert "globex" not in page.text.lower()
        assert "gallery" not in page.text.lower()


# Ids where one would not look for them ----------------------------------------------------------


def test_change_of_more_issues_than_can_be_named_changes_none(world: World) -> None:
    """A list that is too long is not read as no list, which would mean everything."""
    before = issue_rows(world, world.acme.organization_id)
    ids = "&".join(f"id={NOWHERE - number}" for number in range(1100))
    for where in (ISSUES, "/api/0/projects/acme/shop/issues/"):
        answer = world.ask("owner", "PUT", f"{where}?{ids}", json={"status": "resolved"})
        assert answer.status == 400
        assert world.ask("owner", "DELETE", f"{where}?{ids}").status == 400
    form = {"action": "delete", "id": [NOWHERE - number for number in range(1100)]}
    assert world.ask("owner", "POST", "/issues/bulk", form=form).status == 400
    assert issue_rows(world, world.acme.organization_id) == before


@pytest.mark.parametrize("path", [ISSUES, "/issues/", "/api/0/projects/acme/shop/issues/"])
def test_search_by_the_id_of_anothers_event_finds_nothing(world: World, path: str) -> None:
    theirs, none = world.globex.values["event_id"], "f" * 32
    dashed = f"{theirs[:8]}-{theirs[8:12]}-{theirs[12:16]}-{theirs[16:20]}-{theirs[20:]}"
    for query in ("{}", "id:{}", "event.id:{}", "!id:{}"):
        answers = []
        for event_id in (theirs, none, dashed):
            text = query.format(event_id)
            target = f"{path}?query={quote(text)}&q={quote(text)}"
            answer = world.ask("owner", "GET", target)
            words = [text, quote(text), event_id, query.format("-"), quote(query.format("-"))]
            answers.append(comparable(answer, target, list(words)))
        assert answers[0] == answers[1] == answers[2]
        assert answers[0][0] < 500


@pytest.mark.parametrize("place", ["issue", "project", "team", "policy"])
def test_page_of_another_cannot_be_watched(world: World, place: str) -> None:
    """Whether it exists would show by what the open answer does."""
    theirs = world.globex
    paths = {
        "issue": ("/issues/{}/", theirs.values["issue_id"], NOWHERE),
        "project": ("/projects/{}/", theirs.project.slug, "gollery"),
        "team": ("/teams/{}/", theirs.team, "crow"),
        "policy": ("/settings/policies/{}/", theirs.values["policy_id"], NOWHERE),
    }
    pattern, *values = paths[place]
    answers = []
    for value in values:
        target = "/live/page?path=" + quote(pattern.format(value), safe="")
        answers.append(comparable(world.ask("owner", "GET", target), target, []))
    assert answers[0] == answers[1]
    assert answers[0][0] in (204, 404)


@pytest.mark.parametrize("path", ["/login", "/account/confirm/"])
def test_way_back_to_anothers_page_tells_nothing(world: World, path: str) -> None:
    answers = []
    for issue_id in (world.globex.values["issue_id"], NOWHERE):
        target = f"{path}?next=/issues/{issue_id}/"
        answer = world.ask("owner", "GET", target)
        found = comparable(answer, target, [])
        answers.append(str(found).replace(f"/issues/{issue_id}/", "·"))
    assert answers[0] == answers[1]


def test_export_of_the_audit_log_holds_ones_own_entries_only(world: World) -> None:
    """Entries of the other organization exist, and no filter reaches them."""
    theirs = world.globex
    issue = f"/api/0/issues/{theirs.values['issue_id']}/"
    assert world.ask("outsider", "PUT", issue, json={"status": "resolved"}).status == 200
    mark: str = world.value(
        "SELECT lower(hex(hash)) FROM audit WHERE organization_id = :id ORDER BY id DESC",
        id=theirs.organization_id,
    )
    export = "/api/0/organizations/globex/audit-logs/export/"
    assert mark in world.ask("outsider", "GET", f"{export}?format=jsonl").text
    filters = (
        {},
        {"actor": f"owner@{theirs.organization}.example"},
        {"project": theirs.project.id},
        {"object_id": theirs.values["issue_id"]},
        {"organization": theirs.organization, "organization_id": theirs.organization_id},
        {"server": "1"},
    )
    api = "/api/0/organizations/acme/audit-logs/"
    for chosen in filters:
        query = "&".join(f"{key}={quote(str(value))}" for key, value in chosen.items())
        for format_ in ("jsonl", "csv"):
            form = {"format": format_, **chosen}
            answers = [
                world.ask("owner", "POST", "/settings/audit/export", form=form),
                world.ask("owner's token", "GET", f"{api}export/?format={format_}&{query}"),
                world.ask("owner", "GET", f"{api}?{query}"),
                world.ask("owner", "GET", f"/settings/audit/?{query}"),
            ]
            for answer in answers:
                assert answer.status in (200, 400, 403, 404)
                assert mark not in answer.text, chosen
    for visitor in ("owner", "owner's token"):
        assert world.ask(visitor, "GET", f"{export}?format=csv").status == 404


def test_tokens_of_others_are_not_ended_by_their_id(world: World) -> None:
    before = world.value("SELECT count(*) FROM tokens WHERE revoked_at IS NULL")
    theirs = [world.globex.values["token_id"], world.globex.values["organization_token_id"]]
    own_of_owner = world.acme.values["token_id"]
    answers = []
    for token_id in (*theirs, NOWHERE):
        answer = world.ask("owner", "DELETE", "/api/0/api-tokens/", json={"tokenId": token_id})
        answers.append(comparable(answer, "-", [token_id]))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 404
    refused = world.ask("manager", "DELETE", "/api/0/api-tokens/", json={"tokenId": own_of_owner})
    assert refused.status == 404
    assert world.value("SELECT count(*) FROM tokens WHERE revoked_at IS NULL") == before
