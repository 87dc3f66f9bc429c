"""What `tracer secrets status` points out, each seen with and without its cause."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import Running, running
from serving import cli, read_json
from tracer import clock
from tracer.channels import mail_server
from tracer.channels.mail_server import MailSettings
from tracer.storage import keyring

DAY_S = 24 * 3600
GOOD = "a-long-password-for-mail-only"


def findings(data: Path, **env: str) -> list[dict[str, str]]:
    found: Any = read_json(cli("secrets", "status", "--json", "--data", str(data), env=env))
    return list(found["findings"])


def texts(data: Path, level: str = "", **env: str) -> str:
    return "\n".join(f["text"] for f in findings(data, **env) if level in ("", f["level"]))


def mail_password(tracer: Running, password: str) -> None:
    wanted = MailSettings("localhost", 25, "starttls", "me", "t@example.com", password)
    with tracer.meta.write() as tx:
        mail_server.change(tx, tracer.tracer.vault, wanted)


def test_fresh_server_has_no_errors_or_warnings(tracer: Running) -> None:
    data = tracer.tracer.settings.data
    tracer.token("org:read")
    mail_password(tracer, GOOD)
    assert {finding["level"] for finding in findings(data)} <= {"note"}


def test_everything_in_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    os.umask(0o022)
    data = tmp_path / "kept"
    data.mkdir(mode=0o755)
    (data / "lost+found").mkdir()
    with running(data) as tracer:
        tracer.send(message="Hello")
        wide = {
            str(path): oct(path.stat().st_mode)
            for path in data.rglob("*")
            if path.stat().st_mode & 0o077 and path.name != "lost+found"
        }
        assert wide == {}
        assert f"may enter the data folder {data}" in texts(data, "warning")
    data.chmod(0o700)
    assert texts(data, "warning") == ""


@pytest.mark.parametrize("name", ["master.key", "audit.key"])
def test_key_that_others_can_read_is_an_error(tracer: Running, name: str) -> None:
    path = Path(tracer.tracer.settings.data, name)
    path.chmod(0o640)
    assert f"{path} has mode 0640" in texts(path.parent, "error")


def test_database_that_others_can_read_is_an_error_where_they_may_enter(tracer: Running) -> None:
    data = Path(tracer.tracer.settings.data)
    (data / "meta.db").chmod(0o644)
    assert texts(data, "error") == ""
    data.chmod(0o755)
    assert f"{data / 'meta.db'} has mode 0644" in texts(data, "error")


def test_key_file_that_others_may_replace_is_an_error(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    keyring.write_keys(keys / "master", (os.urandom(32),))
    keys.chmod(0o777)
    data = tmp_path / "data"
    with running(data, master_key_file=str(keys / "master")):
        assert "may replace the master key" in texts(data, "error")


@pytest.mark.parametrize("weak", ["00" * 32, "ab" * 32, b"correct horse battery staple 123".hex()])
def test_master_key_that_is_not_random_is_an_error(tmp_path: Path, weak: str) -> None:
    data = tmp_path / "data"
    with running(data, master_key=weak):
        found = texts(data, "error")
        assert "is not random" in found
        assert weak not in found


def test_key_from_the_settings_file_is_a_warning(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    key = keyring.new_key()
    (data / "tracer.toml").write_text(f'master_key = "{key}"\n')
    with running(data, master_key=key):
        assert "in tracer.toml, beside the database" in texts(data, "warning")


def test_old_keys_are_pointed_out(tracer: Running) -> None:
    data = Path(tracer.tracer.settings.data)
    tracer.token("org:read")
    then = clock.now_s() - 400 * DAY_S
    os.utime(data / "master.key", (then, then))
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE signing_keys SET created_at = :then", then=int(then * 1000))
    found = texts(data, "warning")
    assert "master.key is 400 days old" in found
    assert "signs access tokens is 400 days old" in found


@pytest.mark.parametrize(
    ("password", "level", "says"),
    [
        ("password1234", "error", "known common passwords"),
        ("kq7!Zp", "warning", "fewer than 12"),
    ],
)
def test_weak_mail_password_is_pointed_out(
    tracer: Running, password: str, level: str, says: str
) -> None:
    mail_password(tracer, password)
    found = texts(tracer.tracer.settings.data, level)
    assert says in found
    assert password not in found


def test_working_token_that_somebody_pasted_is_an_error(tracer: Running) -> None:
    data = tracer.tracer.settings.data
    token, other = tracer.token("org:read"), tracer.token("event:read")
    tracer.send(message="Hello")
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE issues SET value = :text", text=f"called with {token}")
        tx.execute(
            "INSERT INTO feedback (project_id, feedback_id, source, message, created_at) "
            "VALUES (:project, 'a', 'api', :text, :now)",
            project=tracer.project.id,
            text=f"{token} and eyJhbGciOiJub25lIn0.eyJpc3MiOiJ0cmFjZXIifQ.bm90aGluZ2F0YWxs",
            now=tx.now_ms,
        )
    found = texts(data, "error")
    assert found.count("Access token 1 (test) can be read in") == 2
    assert "issue 1: revoke it" in found
    assert "feedback 1: revoke it" in found
    assert token not in found
    assert "token 2" not in found
    assert other not in found


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE tokens SET revoked_at = :now",
        "UPDATE tokens SET ends_at = :now",
        "UPDATE signing_keys SET retires_at = :now",
    ],
)
def test_pasted_token_that_has_ended_is_no_finding(tracer: Running, end: str) -> None:
    data, token = tracer.tracer.settings.data, tracer.token("org:read")
    tracer.send(message="Hello")
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE issues SET value = :text", text=token)
    assert "revoke it" in texts(data, "error")
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute(end, now=tx.now_ms)
    assert texts(data, "error") == ""


def test_mail_password_in_a_text_is_an_error(tracer: Running) -> None:
    mail_password(tracer, GOOD)
    tracer.send(message="Hello")
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE issues SET title = :text", text=f"SMTP login {GOOD} failed")
    found = texts(tracer.tracer.settings.data, "error")
    assert "The mail password can be read in issue 1" in found
    assert GOOD not in found


def test_master_key_in_the_arguments_of_a_program_is_an_error(tmp_path: Path) -> None:
    data, key = tmp_path / "data", keyring.new_key()
    with running(data, master_key=key):
        command = [sys.executable, "-c", "input()", f"--master-key={key}"]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as program:
            found = texts(data, "error")
            assert f"is in the arguments of process {program.pid}" in found
            assert key not in found
            program.communicate(b"\n")
        assert texts(data, "error") == ""
