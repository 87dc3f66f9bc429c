"""`tracer account` and the first account: on a folder, and beside a running server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from factor_steps import add_app, logged_in
from factor_steps import password as by_password
from harness import PASSWORD, running
from serving import cli, read_json
from tracer.accounts import queries
from tracer.cli import main

EMAIL = "me@example.com"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def account(data: Path, *arguments: str) -> Any:
    return cli("account", *arguments, "--data", str(data))


def set_up(data: Path, email: str = EMAIL, *flags: str, password: str = PASSWORD) -> Any:
    return cli(
        *("setup", "--email", email, "--password-stdin", "--json", "--data", str(data), *flags),
        stdin=f"{password}\n",
    )


def admins(data: Path) -> list[str]:
    listed = read_json(account(data, "list", "--json"))["accounts"]
    return [one["email"] for one in listed if one["is_server_admin"]]


def test_first_account_administers_the_server_and_no_other(data: Path) -> None:
    read_json(set_up(data))
    read_json(set_up(data, "you@example.com", "--role", "owner"))
    assert admins(data) == [EMAIL]
    text = account(data, "list").stdout
    assert re.search(r"^me@example\.com +server admin +default:owner$", text, re.MULTILINE)
    assert re.search(r"^you@example\.com +default:owner$", text, re.MULTILINE)


def test_account_of_the_set_up_link_administers_the_server(data: Path) -> None:
    with running(data) as server:
        link = server.app.founded.setup_link.removeprefix(server.app.url)
        fields = {"email": EMAIL, "password": "correct horse battery"}
        assert server.post(link, fields, browser=server.visitor).status_code == 303
        user = queries.user_by_email(server.meta.read(), EMAIL)
        assert queries.is_server_admin(server.meta.read(), user.id)


def test_set_up_refuses_a_password_that_is_easily_guessed(data: Path) -> None:
    for password, why in (("Password1!", "first that are guessed"), ("me@example.com", "names")):
        result = set_up(data, password=password)
        assert result.exit_code == 1
        assert why in result.stderr
        assert password not in result.stderr.replace("“me@example.com”", "")
    with running(data) as server:
        link = server.app.founded.setup_link.removeprefix(server.app.url)
        fields = {"email": EMAIL, "organization": "Acme Corp", "password": "acme corp rules"}
        answer = server.post(link, fields, browser=server.visitor)
        assert answer.status_code == 422
        assert "acme corp" in answer.text


def test_reset_link_from_the_command_line_works_beside_the_server(data: Path) -> None:
    read_json(set_up(data))
    with running(data) as server:
        made = read_json(account(data, "reset-link", "--email", EMAIL.upper(), "--json"))
        path = made["link"].removeprefix(server.app.url)
        assert re.fullmatch(r"/reset/[\w-]{43}", path)
        answer = server.post(path, {"password": "battery staple 2"}, browser=server.visitor)
        assert answer.headers["location"] == "/login"
        entry = server.meta.read().row(
            "SELECT actor_kind, after FROM audit WHERE action = 'password.reset_link'"
        )
        assert entry[0] == "cli"
        assert json.loads(entry[1])["by"] == "cli"


def test_reset_link_of_nobody_is_refused(data: Path) -> None:
    read_json(set_up(data))
    result = account(data, "reset-link", "--email", "nobody@example.com")
    assert result.exit_code == 1
    assert "There is no account" in result.stderr


def test_new_password_from_the_command_line_ends_logins(data: Path) -> None:
    read_json(set_up(data))
    with running(data) as server:
        browser = server.login(EMAIL)
        read_json(set_up(data, EMAIL, "--reset-password", password="battery staple 2"))
        assert browser.get("/account/").status_code == 303


def test_logins_end_from_the_command_line(data: Path) -> None:
    read_json(set_up(data))
    with running(data) as server:
        browser = server.login(EMAIL)
        result = account(data, "end-logins", "--email", EMAIL)
        assert result.stdout == "1 logins and 0 remembered devices ended.\n"
        assert browser.get("/account/").status_code == 303


def test_server_administrator_is_named_and_one_is_always_left(data: Path) -> None:
    read_json(set_up(data))
    read_json(set_up(data, "you@example.com"))
    refused = account(data, "server-admin", "--email", EMAIL, "--remove")
    assert refused.exit_code == 1
    assert "Somebody must administer the server." in refused.stderr
    assert account(data, "server-admin", "--email", "you@example.com").exit_code == 0
    assert account(data, "server-admin", "--email", EMAIL, "--remove").exit_code == 0
    assert admins(data) == ["you@example.com"]


def options(group: click.Group, *above: str) -> Iterator[tuple[str, click.Parameter]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from options(command, *above, name)
        else:
            yield from ((" ".join((*above, name)), option) for option in command.params)


def test_no_command_takes_a_password_or_key_as_an_argument() -> None:
    """Whatever stands on a command line is read by every other user of the machine."""
    found = [
        (command, option.opts, option.is_flag)
        for command, option in options(main)
        if isinstance(option, click.Option)
        and any(re.search("password|secret|passphrase", name) for name in option.opts)
    ]
    assert ("setup", ["--password-stdin"], True) in found
    assert [entry for entry in found if not entry[2]] == []


def test_second_factor_is_reset_beside_the_server(data: Path) -> None:
    read_json(set_up(data))
    with running(data) as server:
        browser = logged_in(server, EMAIL, "owner")
        add_app(browser)
        result = account(data, "reset-second-factor", "--email", EMAIL.upper())
        assert result.stdout == f"{EMAIL}: 1 second factor is removed.\n"
        assert browser.get("/account/").status_code == 303
        entry = server.meta.read().row(
            "SELECT actor_kind, object_type FROM audit WHERE action = 'factor.reset'"
        )
        assert entry == ("cli", "user")
        assert by_password(server.browser(), EMAIL).headers["location"] == "/members/"
