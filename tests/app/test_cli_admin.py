"""Accounts, organizations, projects and keys from the command line, on a stopped server and beside
a running one; the spool, what is kept, and shell completion."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

from harness import PASSWORD, Running, running
from serving import cli, read_json
from tracer.accounts.passwords import verify_password
from tracer.cli import main
from tracer.storage.folder import Folder
from tracer.storage.readonly import reading

OWNER = "me@example.com"
ADA = "ada@example.com"

Command = Callable[..., Result]


@pytest.fixture(params=["stopped", "running"])
def command(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Command]:
    """A command on a folder with an owner, an organization `acme` and its project `shop`."""
    data = tmp_path / "data"

    def run(*arguments: str, stdin: str = "") -> Result:
        return cli(*arguments, "--data", str(data), stdin=stdin)

    run.data = data  # type: ignore[attr-defined]
    owner = ("setup", "--email", OWNER, "--password-stdin", "--org", "acme", "--project", "shop")
    assert run(*owner, stdin=PASSWORD).exit_code == 0
    with running(data) if request.param == "running" else nullcontext():
        yield run


def value(command: Command, sql: str, **params: Any) -> Any:
    with reading(Folder(command.data).meta) as reader:  # type: ignore[attr-defined]
        return reader.value(sql, **params)


def refused(result: Result, why: str) -> None:
    assert result.exit_code == 1, result.output
    assert why in result.stderr


def entry(command: Command, action: str) -> dict[str, Any]:
    """The last audit entry of an action, which must be the command line's doing."""
    with reading(Folder(command.data).meta) as reader:  # type: ignore[attr-defined]
        row = reader.row(
            "SELECT actor_kind, object, after FROM audit WHERE action = :a ORDER BY id DESC",
            a=action,
        )
    assert row is not None, action
    assert row[0] == "cli"
    return {"object": row[1], **json.loads(row[2] or "{}")}


def test_account_is_made_with_a_link_or_a_password(command: Command) -> None:
    made = read_json(command("account", "create", "--email", ADA, "--role", "viewer", "--json"))
    assert made["role"] == "viewer"
    assert "/reset/" in made["link"]
    assert entry(command, "user.create")["object"] == ADA
    create = ("account", "create", "--email", "bob@example.com", "--password-stdin", "--json")
    assert "link" not in read_json(command(*create, stdin="a quiet harbour at dusk\n"))
    hashed = value(command, "SELECT password_hash FROM users WHERE email LIKE 'bob%'")
    assert verify_password(hashed, "a quiet harbour at dusk")


def test_account_is_not_made_twice_or_with_a_password_that_is_guessed(command: Command) -> None:
    refused(command("account", "create", "--email", OWNER), "already")
    weak = command("account", "create", "--email", ADA, "--password-stdin", stdin="Password1!\n")
    refused(weak, "first that are guessed")
    assert value(command, "SELECT count(*) FROM users") == 1
    refused(command("account", "create", "--email", ADA, "--org", "nowhere"), "no organization")


def test_account_is_shown_with_where_it_belongs(command: Command) -> None:
    found = read_json(command("account", "show", "--email", OWNER.upper(), "--json"))
    assert found["organizations"] == {"acme": "owner"}
    assert found["is_server_admin"]
    assert found["has_password"]
    assert found["tokens"] == 0
    read_json(command("token", "create", "--email", OWNER, "--scope", "event:read", "--json"))
    assert read_json(command("account", "show", "--email", OWNER, "--json"))["tokens"] == 1
    refused(command("account", "show", "--email", ADA), "There is no account")


def test_role_is_given_changed_and_taken(command: Command) -> None:
    read_json(command("account", "create", "--email", ADA, "--json"))
    role = ("account", "role", "--email", ADA, "--org", "acme")
    assert read_json(command(*role, "--role", "manager", "--json"))["role"] == "manager"
    assert entry(command, "member.update")["role"] == "manager"
    assert command(*role, "--remove").exit_code == 0
    refused(command(*role, "--remove"), "no member")
    assert command(*role, "--role", "admin").exit_code == 0
    assert value(command, "SELECT count(*) FROM members") == 2
    refused(command("account", "role", "--email", OWNER, "--remove"), "needs an owner")
    assert command(*role).exit_code == 2


def test_disabled_account_has_no_way_in(command: Command) -> None:
    create = ("account", "create", "--email", ADA, "--role", "owner", "--password-stdin", "--json")
    read_json(command(*create, stdin="a quiet harbour at dusk\n"))
    read_json(command("token", "create", "--email", ADA, "--scope", "event:read", "--json"))
    done = read_json(command("account", "disable", "--email", ADA, "--yes", "--json"))
    assert done["organizations"] == 1
    assert entry(command, "user.disable")["object"] == ADA
    found = read_json(command("account", "show", "--email", ADA, "--json"))
    assert (found["has_password"], found["tokens"], found["organizations"]) == (False, 0, {})
    assert read_json(command("account", "reset-link", "--email", ADA, "--json"))["link"]


def test_last_administrator_is_not_disabled(command: Command) -> None:
    refused(command("account", "disable", "--email", OWNER, "--yes"), "must administer")
    assert command("account", "disable", "--email", OWNER).exit_code == 1  # nobody says yes
    assert value(command, "SELECT count(*) FROM members") == 1


def test_organizations_are_made_listed_and_shown(command: Command) -> None:
    made = read_json(command("organizations", "create", "Beta Ltd", "--owner", OWNER, "--json"))
    assert made["slug"] == "beta-ltd"
    listed = read_json(command("organizations", "list", "--json"))["organizations"]
    assert [(one["slug"], one["members"], one["projects"]) for one in listed] == [
        ("acme", 1, 1),
        ("beta-ltd", 1, 0),
    ]
    shown = read_json(command("organizations", "show", "beta-ltd", "--json"))
    assert shown["roles"] == {OWNER: "owner"}
    refused(command("organizations", "create", "Other", "--slug", "acme"), "already")
    refused(command("organizations", "create", "Other", "--owner", ADA), "There is no account")
    refused(command("organizations", "show", "nowhere"), "no organization")
    refused(command("projects", "create", "Blog"), "--org")


def test_projects_are_made_shown_and_deleted(command: Command) -> None:
    create = ("projects", "create", "Web Shop", "--platform", "python-django", "--json")
    made = read_json(command(*create))
    assert (made["organization"], made["slug"]) == ("acme", "web-shop")
    assert made["dsn"].endswith(f"/{made['id']}")
    for name in ("web-shop", "acme/web-shop", str(made["id"])):
        assert read_json(command("projects", "show", name, "--json"))["id"] == made["id"]
    slugs = [one["slug"] for one in read_json(command("projects", "list", "--json"))["projects"]]
    assert slugs == ["shop", "web-shop"]
    assert "acme/shop" in command("projects", "list", "--org", "acme").stdout
    assert command("projects", "delete", "web-shop", "--yes").exit_code == 0
    assert entry(command, "project.delete")["object"] == "web-shop"
    refused(command("projects", "show", "web-shop"), "no project")
    assert command("projects", "delete", "shop").exit_code == 1  # nobody says yes
    refused(command("projects", "show", "99999"), "no project")


def test_project_key_is_rotated_with_overlap(command: Command) -> None:
    (old,) = read_json(command("project-keys", "list", "shop", "--json"))["keys"]
    rotate = ("project-keys", "rotate", "acme/shop", old["public_key"], "--overlap", "7d")
    done = read_json(command(*rotate, "--json"))
    assert done["new"]["public_key"] != old["public_key"]
    assert done["old"]["works"]
    assert done["old"]["expires_at"] is not None
    again = ("project-keys", "rotate", "shop", str(done["new"]["id"]), "--overlap", "0")
    assert not read_json(command(*again, "--json"))["old"]["works"]
    assert len(command("project-keys", "list", "shop").stdout.splitlines()) == 3
    refused(command(*again), "Only a key that works")


def test_project_key_is_made_disabled_and_enabled(command: Command) -> None:
    made = read_json(command("project-keys", "create", "shop", "--label", "Mobile", "--json"))
    key = ("shop", str(made["id"]))
    assert not read_json(command("project-keys", "disable", *key, "--json"))["works"]
    assert "disabled" in command("project-keys", "list", "shop").stdout
    assert read_json(command("project-keys", "enable", *key, "--json"))["works"]
    refused(command("project-keys", "disable", "shop", "999"), "no such key")


def test_spool_says_what_waits(command: Command) -> None:
    found = read_json(command("spool", "--json"))
    assert (found["frames"], found["bytes"], found["position"], found["level"]) == (0, 0, 0, 0)
    assert "0 frames" in command("spool").stdout


def test_spool_says_how_far_digest_got(tracer: Running) -> None:
    tracer.send(message="one")
    found = read_json(cli("spool", "--json", "--data", str(tracer.app.folder.path)))
    assert found["position"] == found["last_id"] == 1
    assert found["frames"] == 0


def test_retention_is_shown_and_the_audit_logs_set(command: Command) -> None:
    kept = read_json(command("retention", "--json"))["kept"]
    days = {one["what"]: one["days"] for one in kept}
    assert days["recent event ids"] == 3
    assert days["audit log of acme"] == 365
    assert days["issues and events"] is None
    assert all(one["rows"] >= 0 for one in kept)
    kept = read_json(command("retention", "--audit-days", "90", "--json"))["kept"]
    assert {one["what"]: one["days"] for one in kept}["audit log of acme"] == 90
    assert "90 days" in command("retention").stdout
    refused(command("retention", "--audit-days", "3"), "30 to 3,650")


def test_commands_on_an_empty_folder_say_that_there_is_nothing(tmp_path: Path) -> None:
    for words in (("projects", "list"), ("organizations", "list"), ("account", "list")):
        refused(cli(*words, "--data", str(tmp_path / "none")), "nothing has been stored")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_of_the_shell(shell: str) -> None:
    result = cli("completion", shell)
    assert result.exit_code == 0
    assert f"_TRACER_COMPLETE={shell}_complete" in result.stdout


def test_shell_is_told_the_commands() -> None:
    asked = {"_TRACER_COMPLETE": "bash_complete", "COMP_WORDS": "tracer project", "COMP_CWORD": "1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, text in asked.items():
            patch.setenv(name, text)
        context = main.make_context("tracer", [], resilient_parsing=True)
        found = [item.value for item in main.shell_complete(context, "project")]
    assert found == ["projects", "project-keys"]


def leaves(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaves(f"{path} {name}", found)
    else:
        yield path, command


LEAVES = dict(leaves("tracer", main))
#: What prints nothing that a program would read, or is read by a shell.
WITHOUT_JSON = {"tracer serve", "tracer completion", "tracer demo"}


@pytest.mark.parametrize("path", LEAVES)
def test_help_has_an_example(path: str) -> None:
    text = LEAVES[path].help or ""
    example = text.partition("\b\n")[2]
    assert path in example, path


@pytest.mark.parametrize("path", sorted(set(LEAVES) - WITHOUT_JSON))
def test_what_is_printed_can_be_had_as_json(path: str) -> None:
    options = [name for param in LEAVES[path].params for name in param.opts]
    assert "--json" in options or "--format" in options, path
