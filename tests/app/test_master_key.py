"""A server and its master key: missing, wrong, given by a file, rotated while it runs."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from factor_steps import CONFIRM, add_app, at, code, later, logged_in, post
from harness import Running, running
from mail_sink import Mailbox, mail_server
from serving import TRACER, Server, cli, free_port, read_json
from tracer import clock
from tracer.accounts.tokens.actions import create_token
from tracer.accounts.tokens.model import PERSONAL, NewToken
from tracer.storage import keyring

PASSWORD = "a-password-for-mail-only"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with an account, a mail password and a token."""
    folder = tmp_path / "data"
    where = ("--data", str(folder))
    owner = ("--email", "owner@example.com")
    set_up = cli("setup", *owner, "--password-stdin", *where, stdin="correct horse battery")
    assert set_up.exit_code == 0, set_up.stderr
    mail = ("mail", "set", "--host", "127.0.0.1", "--username", "me", "--password-stdin")
    assert cli(*mail, "--sender", "t@example.com", *where, stdin=f"{PASSWORD}\n").exit_code == 0
    assert cli("token", "create", *owner, "--scope", "org:read", *where).exit_code == 0
    return folder


def refusal(data: Path) -> str:
    """What `tracer serve` says when it does not start."""
    command = [TRACER, "serve", "--port", str(free_port()), "--data", str(data)]
    environment = Server(data.parent, 0, {}).environment()
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert ended.stdout == ""
    return ended.stderr


@pytest.mark.parametrize("found", ["nothing", "another key"])
def test_start_is_refused_in_one_line_without_the_master_key(data: Path, found: str) -> None:
    path = data / "master.key"
    right = path.read_text()
    name = read_json(cli("secrets", "status", "--json", "--data", str(data)))["keys"][0]["id"]
    path.unlink()
    if found != "nothing":
        path.write_text(keyring.new_key())
    said = refusal(data)
    assert said.count("\n") == 1, said
    assert name in said
    assert str(path) in said
    assert "forget-lost" in said
    assert path.exists() == (found != "nothing")
    for command in (("secrets", "rotate"), ("mail", "test", "me@example.com")):
        assert cli(*command, "--data", str(data)).exit_code == 1
    # The status still tells, and putting the key back is all that is needed.
    findings = read_json(cli("secrets", "status", "--json", "--data", str(data)))["findings"]
    assert findings[0]["level"] == "error"
    assert name in findings[0]["text"]
    assert path.exists() == (found != "nothing")
    path.write_text(right)
    with running(data):
        pass


def test_unreadable_master_key_is_refused_without_repeating_it(data: Path) -> None:
    (data / "master.key").write_text("not-a-key-at-all")
    said = refusal(data)
    assert said.count("\n") == 1, said
    assert "not-a-key-at-all" not in said


def test_who_lost_the_master_key_gives_up_what_it_sealed(data: Path) -> None:
    where = ("--data", str(data))
    with running(data) as tracer:
        owner = logged_in(tracer, "owner@example.com", "owner")
        token = tracer.token("org:read")
        add_app(owner)
    (data / "master.key").unlink()
    asked = cli("secrets", "forget-lost", *where)
    assert asked.exit_code == 1
    assert "1 of mail.password" in asked.stderr
    assert not (data / "master.key").exists()
    done = read_json(cli("secrets", "forget-lost", "--yes", "--json", *where))
    # Notices of the new factor may wait for a mail server that does not answer.
    done["forgotten"].pop("mail.message", None)
    assert done["forgotten"] == {"mail.password": 1, "signing key": 1, "totp": 1}
    shown = read_json(cli("mail", "show", "--json", *where))
    assert (shown["configured"], shown["has_password"]) == (True, False)
    found = read_json(cli("secrets", "status", "--json", *where))
    assert [finding for finding in found["findings"] if finding["level"] == "error"] == []
    with running(data) as tracer:
        # Tokens go on working, new ones are made; the factor is gone and can be added again.
        bearer = {"Authorization": f"Bearer {token}"}
        assert tracer.visitor.get("/api/0/organizations/", headers=bearer).status_code == 200
        bearer = {"Authorization": f"Bearer {tracer.token('org:read', 'event:read')}"}
        assert tracer.visitor.get("/api/0/organizations/", headers=bearer).status_code == 200
        assert tracer.meta.read().rows("SELECT 1 FROM second_factors") == []
        actions = tracer.meta.read().rows("SELECT action FROM audit WHERE actor_kind = 'cli'")
        assert {"secrets.forget_lost", "factor.remove", "signing_key.rotate"} <= {
            action for (action,) in actions
        }


@pytest.fixture(params=["file", "folder", "environment"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Settings for a key in each place."""
    if request.param == "environment":
        return {"master_key": keyring.new_key()}
    if request.param == "file":
        path = tmp_path / "keys" / "master"
        path.parent.mkdir(mode=0o700)
        keyring.write_keys(path, (bytes.fromhex(keyring.new_key()),))
        return {"master_key_file": str(path)}
    return {}


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server(password=PASSWORD) as opened:
        yield opened


def test_everything_goes_on_working_while_and_after_the_key_is_rotated(
    tmp_path: Path, kept: dict[str, str], mailbox: Mailbox
) -> None:
    data = tmp_path / "data"
    with running(data, **kept) as tracer:
        mailbox.use(tracer)
        old_token = tracer.token("org:read")
        seed, _ = add_app(logged_in(tracer, "ada@example.com", "member"))
        held = str(tracer.tracer.vault.newest)
        rotated = rotate(tracer, data, kept)
        if "master_key" in kept:
            assert rotated is None
        else:
            assert rotated is not None
            assert rotated["key"] != held
            path = Path(kept.get("master_key_file", data / "master.key"))
            assert path.stat().st_mode & 0o777 == 0o600
            assert len(path.read_text().split()) == 1
            assert tracer.tracer.vault.newest == rotated["key"]
        check(tracer, mailbox, old_token, seed)
    given = kept
    if "master_key" in kept:
        given = {"master_key": f"{keyring.new_key()},{kept['master_key']}"}
        with running(data, **given) as tracer:
            assert rotate(tracer, data, given) is not None
            check(tracer, mailbox, old_token, seed)
        given = {"master_key": given["master_key"].split(",")[0]}
    with running(data, **given) as tracer:
        check(tracer, mailbox, old_token, seed)
        status = read_json(cli("secrets", "status", "--json", "--data", str(data)))
        assert [key["secrets"] for key in status["keys"]] == [
            tracer.meta.read().value("SELECT count(*) FROM secrets")
        ]


def rotate(tracer: Running, data: Path, given: dict[str, str]) -> dict[str, object] | None:
    """Rotate by the command line beside the server; None when it says that it cannot be."""
    done = cli("secrets", "rotate", "--json", "--data", str(data))
    if given.get("master_key") and "," not in given["master_key"]:
        assert done.exit_code == 1
        assert "environment" in done.stderr
        return None
    result: dict[str, object] = read_json(done)
    return result


def check(tracer: Running, mailbox: Mailbox, old_token: str, seed: str) -> None:
    """Tokens verify and are signed, codes are taken, the mail server's password is known."""
    bearer = {"Authorization": f"Bearer {old_token}"}
    assert tracer.visitor.get("/api/0/organizations/", headers=bearer).status_code == 200
    user_id = tracer.add_user("owner@example.com")
    with tracer.meta.write() as tx:
        new = NewToken(PERSONAL, user_id, tracer.org.id, "after", ("org:read",))
        made = create_token(tx, tracer.tracer.vault, new)
    bearer = {"Authorization": f"Bearer {made.text}"}
    assert tracer.visitor.get("/api/0/organizations/", headers=bearer).status_code == 200
    ada = logged_in(tracer, "ada@example.com", "member")
    at(clock.now_s() + 60)
    later(tracer)
    assert post(ada, CONFIRM, CONFIRM, code=code(seed)).status_code == 303
    before = len(mailbox.mails)
    sent = cli("mail", "test", "me@example.com", "--data", str(tracer.tracer.settings.data))
    assert sent.exit_code == 0, sent.stderr
    assert len(mailbox.mails) == before + 1


def test_secrets_are_read_and_made_while_the_key_is_rotated(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as tracer:
        vault, meta = tracer.tracer.vault, tracer.meta
        with meta.write(unaudited="test") as tx:
            ids = [vault.add_secret(tx, "totp", b"seed%d" % n) for n in range(500)]
        wrong: list[str] = []
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                try:
                    for place in range(0, len(ids), 50):
                        if vault.open_secret(meta.read(), ids[place]) != b"seed%d" % place:
                            wrong.append(f"{place} changed")
                    with meta.write(unaudited="test") as tx:
                        added = vault.add_secret(tx, "totp", b"new")
                    if vault.open_secret(meta.read(), added) != b"new":
                        wrong.append("a new one changed")
                except Exception as error:
                    wrong.append(repr(error))
                    return

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        results = [
            json.loads(cli("secrets", "rotate", "--json", "--data", str(data)).stdout)
            for _ in range(4)
        ]
        over.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert [result["unopenable"] for result in results] == [0, 0, 0, 0]
        assert vault.unopenable(meta.read()) == []
