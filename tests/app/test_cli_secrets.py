"""`tracer secrets` and `tracer mail`: without a server and beside one; nothing secret is shown."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from harness import running
from serving import cli, read_json
from tracer.cli.group import main

PASSWORD = "a-password-for-mail-only"


def mail_flags(data: Path) -> list[str]:
    return [
        *("mail", "set", "--host", "127.0.0.1", "--username", "me", "--password-stdin"),
        *("--sender", "t@example.com", "--json", "--data", str(data)),
    ]


@pytest.mark.parametrize("beside_server", [False, True])
def test_rotation_keeps_every_secret(tmp_path: Path, beside_server: bool) -> None:
    data = tmp_path / "data"

    def work(server: object = None) -> None:
        shown = cli(*mail_flags(data), stdin=f"{PASSWORD}\n")
        assert PASSWORD not in shown.output
        status = read_json(cli("secrets", "status", "--json", "--data", str(data)))
        assert [k["count"] for k in status["kinds"] if k["kind"] == "mail.password"] == [1]
        before = status["keys"][0]["id"]
        result = read_json(cli("secrets", "rotate", "--json", "--data", str(data)))
        assert result["key"] != before
        assert result["unopenable"] == 0
        after = read_json(cli("secrets", "status", "--json", "--data", str(data)))
        assert [key["id"] for key in after["keys"]] == [result["key"]]
        assert PASSWORD not in str(after)
        assert read_json(cli("mail", "show", "--json", "--data", str(data)))["has_password"]

    if beside_server:
        with running(data) as server:
            work(server)
    else:
        work()


def test_no_command_takes_a_secret_as_an_argument() -> None:
    suspicious = []
    context = click.Context(main)
    groups = [main.get_command(context, name) for name in main.list_commands(context)]
    while groups:
        command = groups.pop()
        if isinstance(command, click.Group):
            groups += command.commands.values()
            continue
        assert command is not None
        for option in command.params:
            name = str(option.name)
            if any(word in name for word in ("password", "secret", "master_key", "token")):
                is_flag = isinstance(option, click.Option) and option.is_flag
                if not is_flag and not name.endswith("_id"):
                    suspicious.append((command.name, name))
    assert suspicious == []


def test_master_key_is_hidden_among_the_settings(tmp_path: Path) -> None:
    (tmp_path / "tracer.toml").write_text(f'master_key = "{"ab" * 32}"\n')
    for flags in ([], ["--json"]):
        shown = cli("settings", "--data", str(tmp_path), *flags).output
        assert "ab" * 32 not in shown
        assert "(hidden)" in shown
