"""The audit page, its API and exports, `tracer audit list`: search, paging, what is kept back."""

from __future__ import annotations

import html
import json
import re

import pytest

from audit_steps import PAGE, log_of, rows, write
from harness import Running
from serving import cli, read_json
from tracer.features.audit import queries
from tracer.kit import audit


@pytest.fixture
def log(tracer: Running) -> str:
    """The path of the API."""
    return log_of(tracer)


def other_organization(tracer: Running) -> int:
    with tracer.meta.write(unaudited="test") as tx:
        return int(
            tx.insert(
                "INSERT INTO organizations (slug, name, created_at) VALUES ('rival', 'Rival', 0)"
            )
        )


# The page -------------------------------------------------------------------------------------


def test_page_shows_who_did_what_and_the_difference(tracer: Running) -> None:
    write(
        tracer,
        "policy.update",
        "Office only",
        before={"is_active": False, "ranges": ["10.0.0.0/8", "fd00::/8"]},
        after={"is_active": True, "ranges": ["10.0.0.0/8"]},
    )
    page = tracer.page(PAGE).text
    for text in ("ada@example.com", "policy.update", "Office only", "10.1.2.3", "Firefox"):
        assert text in page
    assert '<del class="wrap">no</del>' in page
    assert '<ins class="wrap">yes</ins>' in page
    assert '<del class="wrap">fd00::/8</del>' in page
    assert "10.0.0.0/8</del>" not in page


def test_what_others_typed_is_escaped(tracer: Running) -> None:
    evil = "<script>alert(1)</script>"
    write(tracer, "team.create", evil, actor=evil, after={evil: evil, "list": [evil]})
    page = tracer.page(PAGE).text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert") >= 4


SEARCHES = {
    "query=10.1.2.3+wanted": True,
    "query=firefox": True,
    "query=old-value": True,
    "query=new-value": True,
    "query=team.rename": True,
    "query=nothing+of+the+kind": False,
    "query=%25": False,
    "actor=ADA": True,
    "actor=grace": False,
    "action=team.rename": True,
    "action=team": False,
    "object_type=team": True,
    "object_type=project": False,
    "object_id=7": True,
    "object_id=8": False,
    "project=99": False,
    "start=2020-01-01": True,
    "start=2999-01-01": False,
    "end=2999-01-01": True,
    "end=2020-01-01": False,
}


@pytest.mark.parametrize("search", SEARCHES)
def test_search_and_filters(tracer: Running, log: str, search: str) -> None:
    write(
        tracer,
        "team.rename",
        "wanted",
        before={"name": "old-value"},
        after={"name": "new-value"},
    )
    api = search.replace("action=", "event=").replace("object_", "target_")
    assert ("wanted" in tracer.page(f"{PAGE}?{search}").text) == SEARCHES[search]
    found = [row["targetName"] for row in rows(tracer, f"{log}?{api}")]
    assert ("wanted" in found) == SEARCHES[search]


def test_project_is_chosen_by_id_or_slug(tracer: Running, log: str) -> None:
    other = tracer.add_project("other")
    write(tracer, "thing.make", "wanted", project_id=other.id)
    write(tracer, "thing.make", "beside", project_id=tracer.project.id)
    for project in (other.id, "other"):
        page = tracer.page(f"{PAGE}?project={project}").text
        assert "wanted" in page
        assert "beside" not in page
        assert f'<option value="{other.id}" selected>' in page
        names = [row["targetName"] for row in rows(tracer, f"{log}?project={project}")]
        assert "wanted" in names
        assert "beside" not in names
    assert tracer.api(f"{log}?project=nowhere").status_code == 400


def test_many_projects_are_suggested_not_listed(tracer: Running) -> None:
    with tracer.meta.write(unaudited="test") as tx:
        tx.many(
            "INSERT INTO projects (organization_id, slug, name, created_at) VALUES (?, ?, ?, 0)",
            [(tracer.org.id, f"p{number}", f"Project {number}") for number in range(60)],
        )
    page = tracer.page(f"{PAGE}?project=p7").text
    assert 'list="project-names"' in page
    assert 'value="p7"' in page
    assert "Project 59" not in page


@pytest.mark.parametrize("query", ["start=yesterday", "end=2026-13-01", "cursor=xx", "project=x"])
def test_search_that_cannot_be_read_is_refused(tracer: Running, log: str, query: str) -> None:
    assert tracer.page(f"{PAGE}?{query}").status_code == 400
    assert tracer.api(f"{log}?{query}").status_code == 400


def test_entries_come_in_pages_without_gap_or_repeat(tracer: Running, log: str) -> None:
    for number in range(25):
        write(tracer, "thing.make", f"thing-{number}")
    seen: list[str] = []
    path = f"{log}?limit=10&event=thing.make"
    while path:
        answer = tracer.api(path)
        seen += [row["targetName"] for row in answer.json()["rows"]]
        link = re.search(r'<([^>]+)>; rel="next"; results="true"', answer.headers["link"])
        path = link[1].removeprefix("http://testserver") if link else ""
    assert seen == [f"thing-{number}" for number in reversed(range(25))]


def test_page_leads_to_older_entries_and_back(tracer: Running) -> None:
    for number in range(queries.PAGE_SIZE + 1):
        write(tracer, "thing.make", f"thing-{number}.")
    first = tracer.page(f"{PAGE}?action=thing.make").text
    assert "thing-0." not in first
    link = re.search(r'href="([^"]+)"[^>]*rel="next"|rel="next"[^>]*href="([^"]+)"', first)
    assert link
    address = (link[1] or link[2]).replace("&amp;", "&")
    assert "thing-0." in tracer.page(address).text


def test_long_search_says_how_far_it_looked(
    tracer: Running, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tracer, "needle.drop", "needle")
    for number in range(10):
        write(tracer, "hay.add", f"hay-{number}")
    monkeypatch.setattr(queries, "LOOK_AT", 5)
    page = tracer.page(f"{PAGE}?query=needle")
    assert "Go on looking" in page.text
    path, found = f"{log}?query=needle", []
    while path and not found:
        answer = tracer.api(path)
        found = answer.json()["rows"]
        link = re.search(r'<([^>]+)>; rel="next"; results="true"', answer.headers["link"])
        path = link[1].removeprefix("http://testserver") if link else ""
    assert [row["targetName"] for row in found] == ["needle"]


def test_entry_leads_to_what_else_its_actor_did_and_befell_its_object(tracer: Running) -> None:
    write(tracer, "team.create", "red-team")
    write(tracer, "user.update", "somebody else", actor="o'neil+x@example.com")
    page = tracer.page(PAGE).text
    links = {html.unescape(link) for link in re.findall(r'href="(/settings/audit/\?[^"]+)"', page)}
    actor, target = (
        f"{PAGE}?actor=o%27neil%2Bx%40example.com",
        f"{PAGE}?object_type=team&object_id=7",
    )
    assert {actor, target} <= links
    assert "somebody else" in tracer.page(actor).text
    assert "red-team" not in tracer.page(actor).text
    assert "red-team" in tracer.page(target).text
    assert "somebody else" not in tracer.page(target).text


def test_times_of_a_change_are_shown_as_times(tracer: Running) -> None:
    write(tracer, "token.create", "ci", after={"expires_at": 1_800_000_000_123, "at": None})
    assert "2027-01-15 08:00:00 UTC" in tracer.page(PAGE).text


# What is kept back ----------------------------------------------------------------------------


def test_entries_of_another_organization_are_never_shown(tracer: Running, log: str) -> None:
    rival = other_organization(tracer)
    write(tracer, "secret.plan", "takeover", organization_id=rival)
    write(tracer, "server.change", "whole-server", organization_id=rival)
    for path in (PAGE, f"{PAGE}?query=takeover", f"{PAGE}?action=secret.plan", f"{PAGE}?server=1"):
        shown = tracer.page(path).text.replace("query=takeover", "").replace('"takeover"', "")
        assert "takeover" not in shown
        assert '<option value="secret.plan">' not in shown
    for path in (log, f"{log}?query=takeover", f"{log}?event=secret.plan", f"{log}export/"):
        assert "takeover" not in tracer.api(path).text
    assert "secret.plan" not in tracer.api(log).json()["options"]
    assert tracer.api("/api/0/organizations/rival/audit-logs/").status_code == 404
    assert tracer.api("/api/0/organizations/rival/audit-logs/export/").status_code == 404
    exported = tracer.post(f"{PAGE}export", {"format": "jsonl", "query": "takeover"}).text
    assert [json.loads(line) for line in exported.splitlines()] == []


def test_new_organization_does_not_inherit_the_log_of_one_that_is_gone(tracer: Running) -> None:
    def found(name: str) -> int:
        assert tracer.post("/organizations/", {"name": name}).status_code == 303
        rows = tracer.meta.read().rows("SELECT max(id) FROM organizations WHERE name = :n", n=name)
        return int(rows[0][0])

    gone = found("Doomed")
    assert "Doomed" in tracer.page(PAGE).text
    assert tracer.post("/settings/delete", {"confirm": "doomed"}).status_code == 303
    count = "SELECT count(*) FROM organizations WHERE id = :id"
    assert tracer.meta.read().value(count, id=gone) == 0
    assert found("Heir") > gone
    assert "doomed" not in tracer.page(PAGE).text.lower()


def test_entries_of_the_server_are_for_its_administrators(tracer: Running) -> None:
    with tracer.meta.write() as tx:
        audit.record(tx, "mail.update", "mail_settings", name="smtp.internal")
    tracer.add_user()
    path = f"{PAGE}?server=1"
    assert "smtp.internal" not in tracer.page(PAGE).text
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE users SET is_server_admin = 0")
    assert "smtp.internal" not in tracer.page(path).text
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE users SET is_server_admin = 1")
    assert "smtp.internal" in tracer.page(path).text
    assert "smtp.internal" not in tracer.page(PAGE).text


@pytest.mark.parametrize(
    ("role", "status"),
    [("owner", 200), ("manager", 200), ("admin", 403), ("member", 403), ("viewer", 403)],
)
def test_log_is_for_managers_and_owners(tracer: Running, role: str, status: int) -> None:
    browser = tracer.login(f"{role}@example.com", role)
    page = tracer.page(PAGE, browser=browser)
    assert page.status_code == status
    assert ("An owner can change this." in page.text) == (role == "manager")
    exported = tracer.post(f"{PAGE}export", {"format": "csv"}, browser=browser)
    assert exported.status_code == status
    kept = tracer.post(f"{PAGE}retention", {"days": 90}, browser=browser)
    assert (kept.status_code == 303) == (role == "owner")


def test_token_without_the_scope_is_refused(tracer: Running, log: str) -> None:
    for path in (log, f"{log}export/", f"{log}retention/"):
        assert tracer.api(path, scopes=["org:read", "project:admin"]).status_code == 403
        assert tracer.api(path, scopes=["org:write"]).status_code == 200


def test_export_asks_again_who_one_is(tracer: Running) -> None:
    browser = tracer.login()
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE logins SET confirmed_at = 0")
    answer = tracer.post(f"{PAGE}export", {"format": "csv"}, browser=browser)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/account/confirm/")


# Retention and the command line ---------------------------------------------------------------


def test_retention_is_changed_and_recorded(tracer: Running, log: str) -> None:
    assert tracer.post(f"{PAGE}retention", {"days": 90}).status_code == 303
    assert 'value="90"' in tracer.page(PAGE).text
    changed = tracer.api(f"{log}retention/", "PUT", json={"auditDays": 0})
    assert changed.json() == {"auditDays": 0}
    assert tracer.api(f"{log}retention/").json() == {"auditDays": 0}
    found = rows(tracer, f"{log}?event=organization.update")
    assert [row["after"] for row in found[:2]] == [{"audit_days": 0}, {"audit_days": 90}]


@pytest.mark.parametrize("days", ["29", "3651", "x", "-1"])
def test_retention_that_makes_no_sense_is_refused(tracer: Running, log: str, days: str) -> None:
    answer = tracer.post(f"{PAGE}retention", {"days": days})
    assert answer.status_code == 422
    assert f'value="{days}"' in answer.text
    assert "field-error" in answer.text
    if days != "x":
        wanted = tracer.api(f"{log}retention/", "PUT", json={"auditDays": int(days)})
        assert wanted.status_code == 400


def test_command_lists_beside_a_running_server(tracer: Running) -> None:
    write(tracer, "team.create", "Red\x1b[31m team")
    data = ("--data", str(tracer.app.settings.data))
    found = cli("audit", "list", "--object", "team:7", *data)
    assert found.exit_code == 0, found.stderr
    assert "ada@example.com" in found.stdout
    assert "\x1b" not in found.stdout
    assert cli("audit", "list", "--object", "team:8", *data).stdout == ""
    row = read_json(cli("audit", "list", "--action", "team.create", "--json", *data))
    assert row["targetName"] == "Red\x1b[31m team"


@pytest.mark.parametrize(
    "flags", [("--org", "nobody"), ("--project", "nothing"), ("--since", "long ago")]
)
def test_command_refuses_what_is_not_there(tracer: Running, flags: tuple[str, str]) -> None:
    found = cli("audit", "list", *flags, "--data", str(tracer.app.settings.data))
    assert found.exit_code == 1
    assert found.stderr.startswith("tracer: ")
