"""Who is told by mail of quotas that are exceeded and of spikes, and how often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import Running, envelope, running
from mail_sink import mailbox
from tracer import clock
from tracer.features.quotas import tasks
from tracer.projects.quotas import actions
from tracer.projects.quotas.model import MONTH

DAY_S = 86_400
START_S = 1_774_000_800.0  # 20 March 2026, begins an hour
EVENT = ({"type": "event"}, {"message": "It broke"})


@pytest.fixture
def tracer(tmp_path: Path) -> Any:
    clock.set_clock(lambda: START_S)
    with running(tmp_path / "data", spike_floor_events=20) as started:
        yield started


def exceed(tracer: Running, **wanted: Any) -> None:
    settings = {"category": "error", "window_s": MONTH, "amount": 1, "is_hard": False, **wanted}
    with tracer.meta.write() as tx:
        actions.set_quota(tx, tracer.org.id, settings.pop("project_id", None), **settings)
    send(tracer)


def send(tracer: Running) -> None:
    for _ in range(2):
        tracer.post_envelope(envelope({"event_id": clock.new_id()}, [EVENT]))
    tracer.digest()
    tracer.tracer.digest.flush()


def tell(tracer: Running) -> None:
    tasks.tell_exceeded(tracer.tracer)
    tracer.run_tasks()


def told(mails: list[Any]) -> list[str]:
    return sorted(str(mail["To"]) for mail in mails)


def test_soft_quota_of_a_month_is_told_once_to_those_who_manage(tracer: Running) -> None:
    for name, role in (("own", "owner"), ("man", "manager"), ("adm", "admin"), ("mem", "member")):
        tracer.add_user(f"{name}@example.com", role)
    with mailbox(tracer) as mails:
        exceed(tracer)
        tell(tracer)
        assert told(mails) == ["man@example.com", "own@example.com"]
        assert "1 error a month" in mails[0].get_body(("plain",)).get_content()
        send(tracer)
        tell(tracer)
        assert len(mails) == 2
        clock.set_clock(lambda: START_S + 20 * DAY_S)
        send(tracer)
        tell(tracer)
        assert len(mails) == 4


def test_quota_of_a_project_is_told_to_its_admins_and_leads(tracer: Running) -> None:
    for name, role in (("adm", "admin"), ("mem", "member"), ("lead", "member")):
        tracer.add_user(f"{name}@example.com", role)
    with tracer.meta.write(unaudited="test") as tx:
        team = tx.insert(
            "INSERT INTO teams (organization_id, slug, name, created_at) VALUES (:o, 't', 'T', 1)",
            o=tracer.org.id,
        )
        lead = tx.value("SELECT id FROM users WHERE email = 'lead@example.com'")
        tx.execute(
            "INSERT INTO team_members (team_id, user_id, role, created_at) "
            "VALUES (:t, :u, 'lead', 1)",
            t=team,
            u=lead,
        )
        tx.execute(
            "INSERT INTO team_projects (team_id, project_id) VALUES (:t, :p)",
            t=team,
            p=tracer.project.id,
        )
    with mailbox(tracer) as mails:
        exceed(tracer, project_id=tracer.project.id)
        tell(tracer)
        assert told(mails) == ["adm@example.com", "lead@example.com"]


def test_quota_of_a_short_window_is_told_once_a_day(tracer: Running) -> None:
    tracer.add_user()
    with mailbox(tracer) as mails:
        exceed(tracer, window_s=60, is_hard=True)
        tell(tracer)
        for after_s, count in ((3600, 1), (DAY_S + 10, 2)):
            clock.set_clock(lambda after_s=after_s: START_S + after_s)
            send(tracer)
            tell(tracer)
            assert len(mails) == count
        assert "SDKs are told to wait" in mails[0].get_body(("plain",)).get_content()


def test_raised_quota_is_told_again_when_it_is_reached(tracer: Running) -> None:
    tracer.add_user()
    with mailbox(tracer) as mails:
        exceed(tracer)
        tell(tracer)
        exceed(tracer, amount=3)
        tell(tracer)
        assert len(mails) == 2


def test_nobody_is_told_of_a_quota_that_is_not_exceeded(tracer: Running) -> None:
    tracer.add_user()
    with mailbox(tracer) as mails:
        exceed(tracer, amount=2)
        tell(tracer)
        assert mails == []


def test_spike_is_told_once_and_shown(tracer: Running) -> None:
    tracer.add_user()
    with mailbox(tracer) as mails:
        for _ in range(2):
            for _ in range(25):
                tracer.send(message="It broke", digest=False)
            tracer.digest()
            tracer.run_tasks()
        assert told(mails) == ["owner@example.com"]
        assert "spike" in str(mails[0]["Subject"])
        assert "20 an hour" in mails[0].get_body(("plain",)).get_content()
    name = tracer.project.slug
    assert "has a spike of errors" in tracer.page("/quotas/notices").text
    assert "A spike lasts" in tracer.page(f"/projects/{name}/quotas/").text


def test_without_mail_nothing_is_queued(tracer: Running) -> None:
    exceed(tracer)
    tasks.tell_exceeded(tracer.tracer)
    assert tracer.meta.read().value("SELECT count(*) FROM tasks") == 0
