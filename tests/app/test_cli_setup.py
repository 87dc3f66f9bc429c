"""Set-up, tokens and settings from the command line, without a server and beside one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Running, running
from serving import cli, read_json

PASSWORD = "correct-horse-battery"


def set_up(data: Path, *flags: str, email: str = "me@example.com") -> Any:
    return read_json(
        cli(
            *("setup", "--email", email, "--password-stdin", "--json"),
            *("--data", str(data), *flags),
            stdin=f"{PASSWORD}\n",
        )
    )


def token(data: Path, *scopes: str, email: str = "me@example.com") -> Any:
    flags = [flag for scope in scopes for flag in ("--scope", scope)]
    return read_json(
        cli("token", "create", "--email", email, *flags, "--json", "--data", str(data))
    )


def ask(server: Running, path: str, plain: str) -> Any:
    return server.visitor.get(path, headers={"Authorization": f"Bearer {plain}"})


def organizations(server: Running, plain: str) -> list[str]:
    return [entry["slug"] for entry in ask(server, "/api/0/organizations/", plain).json()]


def login(server: Running, email: str, password: str) -> Any:
    browser = server.browser()
    form = {"email": email, "password": password, "csrf": server.csrf(browser)}
    answer = browser.post("/login", data=form)
    assert answer.status_code == 303, answer.text
    return browser


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(data: Path) -> Iterator[Running]:
    with running(data) as started:
        yield started


ACME = ("--org", "acme", "--project", "shop", "--platform", "python-django")


def test_empty_folder_gets_the_named_organization_and_project_only(data: Path) -> None:
    found = set_up(data, *ACME)
    assert (found["organization"], found["project"], found["project_id"]) == ("acme", "shop", 1)
    assert re.fullmatch(r"http://[0-9a-f]{32}@127\.0\.0\.1:9000/1", found["dsn"])
    assert found["url"] == "http://127.0.0.1:9000"
    with running(data) as server:
        assert [ref.slug for ref in server.projects()] == ["shop"]
        assert organizations(server, token(data, "org:read")["token"]) == ["acme"]


def test_set_up_twice_gives_the_same_answer(data: Path) -> None:
    assert set_up(data, *ACME) == set_up(data, *ACME)
    assert set_up(data)["dsn"] == set_up(data, *ACME)["dsn"]


def test_unused_defaults_of_a_running_server_are_renamed(data: Path, server: Running) -> None:
    found = set_up(data, *ACME)
    assert (found["organization"], found["project_id"]) == ("acme", 1)
    assert organizations(server, token(data, "org:read")["token"]) == ["acme"]


def test_another_project_is_added_once_the_first_is_in_use(data: Path) -> None:
    first = set_up(data, *ACME)
    second = set_up(data, "--org", "acme", "--project", "api")
    assert second["project"] == "api"
    assert second["project_id"] != first["project_id"]
    assert set_up(data, "--project", "shop")["project_id"] == first["project_id"]


def test_key_of_a_new_project_works_beside_a_running_server(data: Path, server: Running) -> None:
    set_up(data, *ACME)
    found = set_up(data, "--project", "api")
    key = re.search(r"//([0-9a-f]{32})@", found["dsn"])
    assert key
    path = f"/api/{found['project_id']}/store/?sentry_key={key[1]}"
    sent = server.visitor.post(path, json={"message": "hello"})
    assert sent.status_code == 200, sent.text


def test_account_made_by_set_up_can_log_in(data: Path, server: Running) -> None:
    set_up(data)
    browser = login(server, "me@example.com", PASSWORD)
    assert browser.get("/account/").status_code == 200


def test_other_password_of_an_account_is_refused_until_reset(data: Path, server: Running) -> None:
    set_up(data)
    other = ("setup", "--email", "ME@example.com", "--password-stdin", "--data", str(data))
    refused = cli(*other, stdin="another-password")
    assert refused.exit_code == 1
    assert "--reset-password" in refused.stderr
    assert cli(*other, "--reset-password", stdin="another-password").exit_code == 0
    login(server, "me@example.com", "another-password")


def test_member_of_a_lower_role_can_be_added(data: Path, server: Running) -> None:
    set_up(data)
    set_up(data, "--role", "viewer", email="you@example.com")
    plain = token(data, "event:read", email="you@example.com")["token"]
    answer = ask(server, "/api/0/", plain)
    assert answer.status_code == 200
    assert answer.json()["auth"]["scopes"] == ["event:read"]


def test_token_beyond_the_role_of_its_owner_is_refused(data: Path) -> None:
    set_up(data)
    set_up(data, "--role", "viewer", email="you@example.com")
    create = ("token", "create", "--data", str(data), "--scope", "event:read")
    refused = cli(*create, "--scope", "event:admin", "--email", "you@example.com")
    assert refused.exit_code == 1
    assert refused.stderr.startswith(
        "tracer: A token of a member with the role viewer cannot have event:admin."
    )
    assert refused.stderr.count("\n") == 1
    assert cli(*create, "--scope", "event:admin", "--email", "me@example.com").exit_code == 0
    refused = cli(*create, "--scope", "member:admin", "--org", "default")
    assert refused.exit_code == 1
    assert "of an organization cannot have member:admin" in refused.stderr
    assert cli(*create, "--scope", "org:ci", "--org", "default").exit_code == 0


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--org", "No Slug"), "lower-case"),
        (("--project", "new"), "slug"),
        (("--project", "x", "--platform", "<b>"), "platform"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_nothing(
    data: Path, flags: tuple[str, ...], reason: str
) -> None:
    arguments = ("setup", "--email", "me@example.com", "--password-stdin", "--data", str(data))
    refused = cli(*arguments, *flags, stdin=PASSWORD)
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1
    assert reason in refused.stderr.lower()
    again = set_up(data, *ACME)
    assert (again["organization"], again["project_id"]) == ("acme", 1)


def test_password_must_come_from_somewhere(data: Path) -> None:
    for flags, stdin in ((("--password-stdin",), ""), ((), PASSWORD)):
        refused = cli(
            "setup", "--email", "me@example.com", *flags, "--data", str(data), stdin=stdin
        )
        assert refused.exit_code == 1
        assert "password" in refused.stderr.lower()


def test_token_reaches_what_its_scopes_allow(data: Path, server: Running) -> None:
    set_up(data)
    plain = token(data, "org:read", "project:read")["token"]
    assert organizations(server, plain) == ["default"]
    narrow = token(data, "event:read")["token"]
    assert ask(server, "/api/0/organizations/", narrow).status_code == 403


def test_token_for_nobody_or_for_an_unknown_scope_is_refused(data: Path) -> None:
    set_up(data)
    create = ("token", "create", "--data", str(data))
    nobody = cli(*create, "--email", "nobody@example.com", "--scope", "event:read")
    assert nobody.exit_code == 1
    assert "nobody@example.com" in nobody.stderr
    unknown = cli(*create, "--email", "me@example.com", "--scope", "event:rad")
    assert unknown.exit_code == 1
    assert "event:rad" in unknown.stderr
    assert "event:read" in unknown.stderr


def test_data_folder_comes_from_the_environment_too(data: Path) -> None:
    made = cli(
        *("setup", "--email", "me@example.com", "--password-stdin"),
        stdin=PASSWORD,
        env={"TRACER_DATA": str(data)},
    )
    assert made.exit_code == 0
    assert (data / "meta.db").exists()


def test_settings_tell_value_and_source_of_each(data: Path) -> None:
    data.mkdir()
    (data / "tracer.toml").write_text('spool_max_bytes = "2GiB"\n')
    result = cli("settings", "--json", "--data", str(data), env={"TRACER_PORT": "9100"})
    rows = {row["name"]: row for row in read_json(result)}
    assert (rows["port"]["value"], rows["port"]["source"]) == (9100, "TRACER_PORT")
    assert rows["data"]["source"] == "--data"
    assert rows["spool_max_bytes"]["source"] == "tracer.toml"
    assert rows["spool_max_bytes"]["value"] == 2 << 30
    assert rows["host"]["source"] == "default"
    table = cli("settings", "--data", str(data)).stdout
    assert re.search(r"^spool_max_bytes +2GiB +tracer\.toml +\w", table, re.MULTILINE)


def test_help_names_the_commands_and_exit_codes() -> None:
    text = cli("--help").stdout
    for word in ("serve", "setup", "token", "settings", "Exit codes"):
        assert word in text
    assert cli("serve", "--nonsense").exit_code == 2


def test_token_is_listed_rotated_and_revoked_beside_a_server(data: Path, server: Running) -> None:
    set_up(data)
    where = ("--data", str(data), "--json")
    first = token(data, "org:read")
    second = read_json(cli("token", "rotate", str(first["id"]), "--overlap", "1h", *where))
    assert organizations(server, first["token"]) == organizations(server, second["token"])
    listed = read_json(cli("token", "list", "--email", "me@example.com", *where))["tokens"]
    assert {entry["id"] for entry in listed} == {first["id"], second["id"]}
    assert cli("token", "revoke", str(first["id"]), "--data", str(data)).exit_code == 0
    assert ask(server, "/api/0/organizations/", first["token"]).status_code == 401
    assert ask(server, "/api/0/organizations/", second["token"]).status_code == 200


def test_signing_key_rotates_beside_a_server_and_without(data: Path) -> None:
    set_up(data)
    made = read_json(
        cli("token", "create", "--org", "default", "--scope", "org:read", "--json", *at(data))
    )
    assert len(read_json(cli("keys", "rotate", "--json", *at(data)))["keys"]) == 2
    with running(data) as server:
        assert organizations(server, made["token"]) == ["default"]
        assert (
            len(read_json(cli("keys", "rotate", "--overlap", "0", "--json", *at(data)))["keys"])
            == 3
        )
        assert ask(server, "/api/0/organizations/", made["token"]).status_code == 401
    assert cli("keys", "rotate", "--overlap", "soon", *at(data)).exit_code == 2


def at(data: Path) -> tuple[str, str]:
    return ("--data", str(data))
