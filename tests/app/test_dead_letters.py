"""Dead letters on their pages: what is shown of one, replayed, discarded, exported, counted."""

from __future__ import annotations

import json
import re

import pytest

import fatal_items
from harness import envelope, running
from letter_steps import bury, change, ids, mend
from tracer.features.dead_letters import actions, queries
from tracer.kit.feature import Feature
from tracer.manifest import FEATURES
from tracer.storage import counting

PAGE = "/settings/dead-letters/"
SERVER_PAGE = "/settings/server/dead-letters/"
EVENT = {"message": "from the dead", "extra": {"password": "hunter2-raw", "colour": "green"}}


def outcomes(tracer):
    tracer.tracer.digest.flush()
    rows = tracer.meta.read().rows(
        """
        SELECT project_id, category, outcome, reason, sum(quantity)
        FROM outcomes
        GROUP BY 1, 2, 3, 4
        HAVING sum(quantity) <> 0
        """
    )
    return {tuple(row[1:4]): row[4] for row in rows}


def audited(tracer, action):
    sql = "SELECT object_id, project_id, after FROM audit WHERE action = :action ORDER BY id"
    rows = tracer.meta.read().rows(sql, action=action)
    return [(row[0], row[1], json.loads(row[2])) for row in rows]


def test_a_page_without_dead_letters_says_so(tracer):
    assert "No dead letters" in tracer.page(PAGE).text


def test_letters_are_listed_by_reason_and_one_tells_all_about_itself(tracer):
    first = bury(tracer, encoding="gzip")
    bury(tracer)
    page = tracer.page(PAGE).text
    assert "2 letters" in page
    assert f'href="{PAGE}?project={tracer.project.id}&amp;reason=Invalid"' in page
    assert f'href="{PAGE}{first}/"' in page
    letter = tracer.page(f"{PAGE}{first}/").text
    assert "Invalid" in letter
    assert "1 try" in letter
    assert tracer.project.slug in letter
    assert "the same tracer, the same grouping and scrubbing rules" in letter
    assert "none that fits" in tracer.page(f"{PAGE}?reason=Nothing").text.lower()


def test_content_is_shown_scrubbed_by_the_rules_of_the_project(tracer):
    headers = {"event_id": "a" * 32, "sent_at": "2026-01-01T00:00:00Z", "token": "raw-token-1"}
    items = [
        ({"type": "event"}, EVENT),
        ({"type": "attachment", "filename": "a.txt"}, b"attached-bytes"),
        ({"type": "session"}, b"not json secret=raw-session"),
        ({"type": "transaction"}, {"spans": [{"data": {"api_key": "raw-api-key"}}], "op": "web"}),
    ]
    letter = bury(tracer)
    mend(tracer, letter, envelope(headers, items))
    shown = tracer.page(f"{PAGE}{letter}/content").text
    assert "Would it be digested now?" in shown
    assert "Yes: it would be digested now." in shown
    assert "1 × error: stored" in shown
    for visible in ("from the dead", "green", "[Filtered]", "a.txt", "Bytes are not shown", "web"):
        assert visible in shown
    assert "It is not JSON, so it cannot be scrubbed" in shown
    for secret in ("hunter2", "raw-token-1", "attached-bytes", "raw-session", "raw-api-key"):
        assert secret not in shown
    assert tracer.meta.read().value("SELECT count(*) FROM issues") == 0, "nothing was stored"
    assert ids(tracer) == [letter]


def test_a_dry_run_says_that_it_would_fail_again(tracer):
    letter = bury(tracer)
    part = tracer.page(f"{PAGE}{letter}/content", part=True).text
    assert part.lstrip().startswith('<div class="stack" id="dead_letter-content">')
    assert "No: it would fail again (Invalid)" in part
    assert "It cannot be opened" in part
    assert "hunter2" not in part


def test_secrets_in_the_reason_are_removed(tracer):
    letter = bury(tracer)
    detail = "ValueError: bad line 'password=raw-in-stack'"
    change(tracer, "UPDATE dead_letters SET detail = ?", detail)
    page = tracer.page(f"{PAGE}{letter}/").text
    assert "ValueError" in page
    assert "raw-in-stack" not in page


def test_what_changed_since_is_told(tracer):
    letter = bury(tracer)
    old = '{"tracer":"0.0.1","grouping":0,"scrub":{"defaults":true,"scrub_ip":false}}'
    change(tracer, "UPDATE dead_letters SET conditions = ?", old)
    settings = {"name": "Shop", "slug": tracer.project.slug, "platform": "python"}
    tracer.post(f"/projects/{tracer.project.slug}/", {**settings, "scrub_ip": "1"})
    page = re.sub(r"\s+", " ", tracer.page(f"{PAGE}{letter}/").text)
    for name, before in (("tracer", "0.0.1"), ("Grouping version", "0"), ("Default", "on")):
        assert re.search(rf"{name}[^<]*</th><td class=\"wrap\">{before}</td>", page), name
    assert "project.update" in page
    assert "scrub ip" in page


def test_a_replayed_letter_is_digested_and_counted_once(tracer):
    letter = bury(tracer)
    assert outcomes(tracer) == {("unknown", "dead_letter", "Invalid"): 1}
    mend(tracer, letter, envelope({"event_id": "b" * 32}, [({"type": "event"}, EVENT)]))
    answer = tracer.post(f"{PAGE}{letter}/replay")
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    tracer.digest()
    assert outcomes(tracer) == {("error", "stored", ""): 1}
    assert tracer.meta.read().value("SELECT title FROM issues") == "from the dead"
    assert ids(tracer) == []
    assert audited(tracer, "dead_letter.replay") == [(str(letter), tracer.project.id, {"tries": 1})]


def test_a_letter_that_fails_again_keeps_its_first_try(tracer):
    letter = bury(tracer)
    first = tracer.tracer.spool.letters.read.find(letter)
    for tries in (2, 3):
        tracer.post(f"{PAGE}{ids(tracer)[0]}/replay")
        tracer.digest()
        again = tracer.tracer.spool.letters.read.find(ids(tracer)[0])
        assert (again.tries, again.first_try_at) == (tries, first.first_try_at)
        assert again.received_at == first.received_at
    assert outcomes(tracer) == {("unknown", "dead_letter", "Invalid"): 1}


def test_replaying_all_of_a_reason_leaves_the_others(tracer):
    kept = [bury(tracer), bury(tracer, project=tracer.add_project("other"))]
    change(tracer, "UPDATE dead_letters SET reason = 'KeyError'")
    wanted = [bury(tracer), bury(tracer)]
    for letter in wanted:
        mend(tracer, letter, envelope({}, [({"type": "event"}, {"message": f"no {letter}"})]))
    tracer.post(PAGE + "replay", {"project": tracer.project.id, "reason": "Invalid"})
    tracer.digest()
    assert ids(tracer) == kept
    assert outcomes(tracer)["error", "stored", ""] == 2
    (entry,) = audited(tracer, "dead_letter.replay")
    assert entry[1:] == (tracer.project.id, {"letters": 2, "through": wanted[-1]})


def test_many_are_replayed_and_discarded_in_the_background(tracer, monkeypatch):
    monkeypatch.setattr(actions, "AT_ONCE", 2)
    letters = [bury(tracer) for _ in range(5)]
    tracer.post(PAGE + "replay")
    tracer.run_tasks()
    tracer.digest()
    again = ids(tracer)
    assert len(again) == 5
    assert set(again).isdisjoint(letters)
    tracer.post(PAGE + "discard")
    tracer.run_tasks()
    assert ids(tracer) == []
    assert [entry[2]["letters"] for entry in audited(tracer, "dead_letter.discard")] == [5]
    assert outcomes(tracer) == {("unknown", "dead_letter", "Invalid"): 5}


def test_a_discarded_letter_is_gone_and_stays_counted(tracer):
    letter = bury(tracer)
    assert tracer.post(f"{PAGE}{letter}/discard").status_code == 303
    assert tracer.page(f"{PAGE}{letter}/").status_code == 404
    assert tracer.post(f"{PAGE}{letter}/replay").status_code == 404
    assert outcomes(tracer) == {("unknown", "dead_letter", "Invalid"): 1}
    assert audited(tracer, "dead_letter.discard")[0][0] == str(letter)


def test_the_export_is_scrubbed_json_lines_and_recorded(tracer):
    letters = [bury(tracer), bury(tracer)]
    mend(tracer, letters[1], envelope({}, [({"type": "event"}, EVENT)]))
    answer = tracer.post(PAGE + "export", {"reason": "Invalid"})
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["id"] for row in rows] == [str(letter) for letter in letters]
    assert rows[0]["content"]["note"].startswith("It cannot be opened")
    event = rows[1]["content"]["items"][0]["content"]
    assert event["extra"] == {"password": "[Filtered]", "colour": "green"}
    assert rows[1]["conditions"]["scrub"]["defaults"] is True
    assert "hunter2" not in answer.text
    assert audited(tracer, "dead_letter.export")[0][2]["letters"] == 2


def test_removed_letters_are_shown(tmp_path):
    with running(tmp_path / "data", dead_letters_max_bytes=100) as tracer:
        bury(tracer, b"\x00" * 80)
        bury(tracer, b"\x00" * 80)
        page = re.sub(r"\s+", " ", tracer.page(PAGE).text)
        assert "1 dead letter (80 B)" in page
        assert "together they were larger than 100 B" in page


def test_roles_and_other_tenants(tracer):
    letter = bury(tracer)
    member = tracer.login("member@example.com", "member")
    for path in (PAGE, f"{PAGE}{letter}/", SERVER_PAGE):
        assert tracer.page(path, browser=member).status_code == 403
    admin = tracer.login("admin@example.com", "admin")
    assert tracer.page(f"{PAGE}{letter}/", browser=admin).status_code == 200
    assert tracer.page(SERVER_PAGE, browser=admin).status_code == 403
    elsewhere = bury(tracer, project_id=999)
    assert tracer.page(f"{PAGE}{elsewhere}/").status_code == 404
    assert tracer.post(f"{PAGE}{elsewhere}/discard").status_code == 404
    tracer.post(PAGE + "discard", {"project": 999})
    assert elsewhere in ids(tracer)
    assert f"{PAGE}{elsewhere}/" not in tracer.page(PAGE).text


def test_server_administrators_see_all_and_may_replay(tracer):
    elsewhere = bury(tracer, project_id=999)
    boss = tracer.login("boss@example.com", "owner")
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE users SET is_server_admin = 1 WHERE email = 'boss@example.com'")
    assert "project 999" in tracer.page(SERVER_PAGE, browser=boss).text
    page = tracer.page(f"{SERVER_PAGE}{elsewhere}/content", browser=boss).text
    assert "no longer there" in page
    tracer.post(f"{SERVER_PAGE}{elsewhere}/replay", browser=boss)
    tracer.digest()
    assert len(ids(tracer)) == 1
    assert ids(tracer) != [elsewhere]


def test_a_policy_on_environments_keeps_content_back(tracer):
    letter = bury(tracer)
    mend(tracer, letter, envelope({}, [({"type": "event"}, EVENT)]))
    policy = {
        "name": "No production",
        "effect": "deny",
        "conditions": {"roles": ["admin"], "environments": ["production"]},
    }
    made = tracer.api(f"/api/0/organizations/{tracer.org.slug}/policies/", "POST", json=policy)
    assert made.status_code == 201, made.text
    admin = tracer.login("admin@example.com", "admin")
    shown = tracer.page(f"{PAGE}{letter}/content", browser=admin).text
    assert "A policy keeps events" in shown
    assert "from the dead" not in shown
    exported = tracer.post(PAGE + "export", browser=admin).text
    assert "A policy keeps events" in exported
    assert "from the dead" not in exported


@pytest.mark.parametrize(
    ("payload", "says"),
    [(b"fatal", "WorkerDied"), (b"endless", "TookTooLong")],
)
def test_looking_at_a_poison_frame_harms_nobody(tmp_path, payload, says):
    poison = Feature(name="poison", items={"fatal": fatal_items.HANDLER})
    with running(tmp_path / "data", (*FEATURES, poison), digest_frame_s=1) as tracer:
        letter = bury(tracer)
        mend(tracer, letter, envelope({}, [({"type": "fatal"}, payload)]))
        page = tracer.page(f"{PAGE}{letter}/content").text
        assert f"No: it would fail again ({says})" in page
        assert "fatal" in page, "what can be looked at is shown all the same"
        mend(tracer, letter, envelope({}, [({"type": "fatal"}, b"mild")]))
        assert "Yes: it would be digested now" in tracer.page(f"{PAGE}{letter}/content").text


@pytest.mark.parametrize("path", ["", "?reason=Invalid&before=3", "{id}/"])
def test_pages_keep_to_their_budget_of_statements(tracer, monkeypatch, path):
    letter = bury(tracer)
    for _ in range(4):
        bury(tracer)
    tracer.page(PAGE)
    asked = []
    monkeypatch.setattr(counting, "note_query", lambda: asked.append(1))
    assert tracer.page(PAGE + path.format(id=letter)).status_code == 200
    assert 3 <= len(asked) <= queries.QUERY_BUDGET
