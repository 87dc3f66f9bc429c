"""What commands and background work change is recorded as their doing, by name and without secrets.

Every command that a server carries out is in RUNS or in READS.
"""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from factor_steps import add_app, logged_in
from harness import PASSWORD, Running
from tracer import clock
from tracer.accounts.failures import failures
from tracer.app import local
from tracer.errors import Conflict
from tracer.kit import audit, control
from tracer.manifest import FEATURES

DOCS = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
NEW_PASSWORD = "a quiet harbour at dusk 42"
MAIL_PASSWORD = "the-postman-always-knocks"
EMAIL = "owner@example.com"
MAIL = {
    "host": "127.0.0.1",
    "port": 1,
    "security": "tls",
    "sender": "tracer@example.com",
    "username": "tracer",
    "password": MAIL_PASSWORD,
}

Arguments = Mapping[str, Any]

READS = {
    "token_list",
    "keys_list",
    "secrets_status",
    "mail_show",
    "access_show",
    "access_explain",
    "spool_show",
    "quota_list",
    "secrets_forget_lost",  # there is nothing lost here; test_master_key looks for its entry
}


def ask(tracer: Running, command: str, arguments: Arguments) -> Any:
    """What the running server answers a command."""
    return control.call(tracer.app.folder.control, command, **arguments)


def entries(tracer: Running, after_id: int = 0) -> list[dict[str, Any]]:
    columns = "actor_kind, actor, token_id, action, object_type, object_id, object, before, after"
    rows = tracer.meta.read().rows(
        f"SELECT {columns} FROM audit WHERE id > :last ORDER BY id", last=after_id
    )
    return [dict(zip(columns.split(", "), row, strict=True)) for row in rows]


def token_of(tracer: Running) -> Arguments:
    tracer.token()
    return {"token_id": tracer.meta.read().value("SELECT max(id) FROM tokens")}


def event_of(tracer: Running) -> str:
    return tracer.send(message="It broke")


def shut_out(tracer: Running) -> Arguments:
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("""UPDATE organizations SET ip_ranges = '["10.0.0.0/8"]'""")
    return {}


def with_factor(tracer: Running) -> Arguments:
    add_app(logged_in(tracer, "ada@example.com", "member"))
    return {"email": "ada@example.com"}


def key_of(tracer: Running) -> Arguments:
    return {"project": tracer.project.slug, "key": tracer.key}


#: command -> what is recorded first, and its arguments
RUNS: dict[str, tuple[str, Callable[[Running], Arguments]]] = {
    "setup": ("user.create", lambda t: {"email": "new@example.com", "password": NEW_PASSWORD}),
    "token": ("token.create", lambda t: {"email": EMAIL, "scopes": ["event:read"]}),
    "token_revoke": ("token.revoke", token_of),
    "token_rotate": ("token.create", lambda t: {**token_of(t), "overlap_s": 60}),
    "keys_rotate": ("signing_key.create", lambda t: {"overlap_s": 60}),
    "secrets_rotate": ("secrets.rotate", lambda t: {}),
    "mail_set": ("mail.update", lambda t: MAIL),
    "mail_test": ("mail.test", lambda t: ask(t, "mail_set", MAIL) and {"to": EMAIL}),
    "mail_remove": ("mail.remove", lambda t: ask(t, "mail_set", MAIL) and {}),
    "reset_second_factor": ("factor.reset", with_factor),
    "demo_project": ("project.create", lambda t: {"project": "demo"}),
    "demo_triage": (
        "issue.archive",
        lambda t: {
            "project_id": t.project.id,
            "steps": [{"action": "archive", "event_id": event_of(t)}],
        },
    ),
    "quota_set": ("quota.create", lambda t: {"amount": 5, "per": "month"}),
    "quota_remove": (
        "quota.remove",
        lambda t: {"quota_id": ask(t, "quota_set", {"amount": 5, "per": "day"})["id"]},
    ),
    "access_unlock": ("organization.addresses", shut_out),
    "account_create": ("user.create", lambda t: {"email": "ada@example.com"}),
    "account_disable": ("user.disable", with_factor),
    "account_role": ("member.update", lambda t: {**with_factor(t), "org": None, "role": "viewer"}),
    "organization_create": (
        "organization.create",
        lambda t: {"name": "Beta", "slug": None, "owner": EMAIL},
    ),
    "project_create": (
        "project.create",
        lambda t: {"name": "Blog", "slug": None, "org": None, "platform": "other"},
    ),
    "project_delete": ("project.delete", lambda t: {"project": t.project.slug}),
    "key_create": ("project_key.create", lambda t: {"project": t.project.slug, "label": ""}),
    "key_rotate": ("project_key.rotate", lambda t: {**key_of(t), "overlap_s": 60}),
    "key_switch": ("project_key.update", lambda t: {**key_of(t), "is_active": False}),
    "account_reset_link": ("password.reset_link", lambda t: {"email": EMAIL}),
    "account_end_logins": ("login.end_all", lambda t: {"email": EMAIL}),
    "account_server_admin": ("user.server_admin", lambda t: {"email": EMAIL}),
    "audit_export": ("audit.export", lambda t: {"org": t.org.slug, "format": "csv"}),
    "audit_retention": ("organization.update", lambda t: {"org": t.org.slug, "days": 90}),
}

#: test_cli_dlq looks for their entries.
OF_LETTERS = {"dlq_replay", "dlq_discard", "dlq_export"}


def test_every_command_is_known_here(tracer: Running) -> None:
    found = set(local.commands(tracer.meta, tracer.tracer.vault, "", lambda: tracer.tracer.spool))
    assert found == READS | OF_LETTERS | set(RUNS)


@pytest.mark.parametrize("command", RUNS)
def test_command_is_recorded_as_the_doing_of_who_runs_it(tracer: Running, command: str) -> None:
    tracer.login()
    action, arguments_of = RUNS[command]
    arguments = arguments_of(tracer)
    last = tracer.meta.read().value("SELECT max(id) FROM audit")
    if command == "mail_test":  # nobody listens there
        with pytest.raises(Conflict):
            ask(tracer, command, arguments)
        shown = None
    else:
        shown = ask(tracer, command, arguments)
    found = entries(tracer, last)
    assert action in {entry["action"] for entry in found}
    assert all(f"`{entry['action']}`" in DOCS for entry in found)
    who = {(entry["actor_kind"], entry["actor"]) for entry in found}
    assert who == {("cli", pwd.getpwuid(os.getuid()).pw_name)}
    text = json.dumps(found)
    stored = tracer.meta.read().rows(
        "SELECT password_hash FROM users UNION SELECT csrf FROM logins"
    )
    secrets = [PASSWORD, NEW_PASSWORD, MAIL_PASSWORD, *(row[0] for row in stored if row[0])]
    if shown and "token" in shown:
        secrets.append(shown["token"])
    if shown and "link" in shown:
        secrets.append(shown["link"].rpartition("/")[2])
    assert not [secret for secret in secrets if secret in text]


@pytest.mark.parametrize("command", sorted(READS))
def test_command_that_only_reads_leaves_no_entry(tracer: Running, command: str) -> None:
    tracer.login()
    arguments: dict[str, dict[str, Any]] = {
        "token_list": {"email": EMAIL},
        "access_explain": {"actor": EMAIL, "permission": "event:read"},
    }
    last = tracer.meta.read().value("SELECT max(id) FROM audit")
    ask(tracer, command, arguments.get(command, {}))
    assert entries(tracer, last) == []


def test_task_is_recorded_under_its_name(tracer: Running) -> None:
    project = tracer.add_project("doomed")
    path = f"/api/0/projects/{tracer.org.slug}/{project.slug}/"
    assert tracer.api(path, "DELETE").status_code == 204
    last = tracer.meta.read().value("SELECT max(id) FROM audit")
    tracer.run_tasks()
    (entry,) = entries(tracer, last)
    assert (entry["actor_kind"], entry["actor"]) == ("task", "erase_project")
    assert (entry["action"], entry["object_id"]) == ("project.erase", str(project.id))


SCHEDULED = [every for feature in FEATURES for every in feature.every]


@pytest.mark.parametrize("days", [0, 1, 40, 500])
def test_scheduled_work_writes_nothing_unrecorded(tracer: Running, days: int) -> None:
    """The store would refuse it: there is something to do for all of it after a while."""
    tracer.login()
    tracer.token()
    tracer.send(message="Old", items=[({"type": "user_report"}, {"comments": "Oh"})])
    ask(tracer, "account_reset_link", {"email": EMAIL})
    ask(tracer, "keys_rotate", {"overlap_s": 60})
    began = clock.now_s()
    clock.set_clock(lambda: began + days * 86_400)
    last = tracer.meta.read().value("SELECT max(id) FROM audit")
    for every in SCHEDULED:
        with audit.acting(audit.Acting("task", name=every.function.__name__)):
            every.function(tracer.tracer)
    tracer.run_tasks()
    assert {entry["actor_kind"] for entry in entries(tracer, last)} <= {"task"}


def test_what_a_new_folder_begins_with_is_recorded(tracer: Running) -> None:
    began = entries(tracer)[:4]
    assert {(entry["actor_kind"], entry["actor"]) for entry in began} == {("task", "start")}
    assert [entry["action"] for entry in began] == [
        "organization.create",
        "project.create",
        "project_key.create",
        "setup_link.create",
    ]


def test_wrong_passwords_are_recorded_without_what_was_typed(tracer: Running) -> None:
    tracer.add_user()
    form = {"email": EMAIL, "password": "a wrong guess 77"}
    assert tracer.post("/login", form, browser=tracer.browser()).status_code == 422
    last = tracer.meta.read().value("SELECT max(id) FROM audit")
    assert failures.write(tracer.meta) == 1
    (entry,) = entries(tracer, last)
    assert (entry["actor_kind"], entry["action"]) == ("anonymous", "login.fail")
    assert entry["object"] == EMAIL
    assert "guess" not in json.dumps(entry)
