"""A whole journey through a real server with known secrets, which are then looked for everywhere:
logs, files, pages, exports, answers of the API and the command line, arguments of processes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest

from factor_steps import APP, CONFIRM, add_app, password, post
from mail_sink import Mailbox, mail_server
from serving import EMAIL, PASSWORD, Server, tracer
from tracer.storage.keyring import Keyring
from tracer.storage.readonly import reading

MAIL_PASSWORD = "mail-password-0123456789"
WRONG_MAIL_PASSWORD = "wrong-mail-password-0123456789"
SENT = "sent-by-a-program-0123456789"
MISTYPED = "mistyped-password-0123456789"
INVITED = "new password of the invited 42"
CHANGED = "quite another password 97"
KEPT = ("master.key", "secret", "audit.key")
PLAIN = re.compile(r"/(logout|static)(/|$)")


@dataclass
class Journey:
    """What was done: the secrets by name, and every answer as (request, text)."""

    server: Server
    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[str, str]] = field(default_factory=list)
    browsers: list[httpx2.Client] = field(default_factory=list)

    def browser(self) -> httpx2.Client:
        hooks = {"response": [self._keep]}
        made = httpx2.Client(base_url=self.server.url, event_hooks=hooks, timeout=30)
        self.browsers.append(made)
        return made

    def _keep(self, answer: httpx2.Response) -> None:
        answer.read()
        request = answer.request
        shown = f"{request.method} {request.url.path}"
        for kept, value in answer.headers.items():
            if kept != "set-cookie":
                self.answers.append((f"{shown} header {kept}", value))
        self.answers.append((shown, answer.text))
        for name, cookie in answer.cookies.items():
            if len(cookie) > 20:
                self.secrets[f"cookie {name} {len(self.secrets)}"] = cookie


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with mail_server(password=MAIL_PASSWORD) as opened:
        yield opened


@pytest.fixture(scope="module")
def journey(mailbox: Mailbox) -> Iterator[Journey]:
    with tracer(log_level="debug", log_format="json") as server:
        done = Journey(server)
        walk(done, mailbox)
        for browser in done.browsers:
            browser.close()
        yield done


def walk(journey: Journey, mailbox: Mailbox) -> None:
    """Log in, second factor, tokens, invitation, mail, reset, and everything that goes wrong."""
    server, secrets = journey.server, journey.secrets
    secrets |= {
        "password": PASSWORD,
        "mistyped": MISTYPED,
        "sent": SENT,
        "invited": INVITED,
        "changed": CHANGED,
        "mail password": MAIL_PASSWORD,
        "wrong mail password": WRONG_MAIL_PASSWORD,
        "set-up token": server.token,
    }
    owner = journey.browser()
    wrong = {"email": EMAIL, "password": MISTYPED, "next": "/issues/"}
    assert post(owner, "/login", "/login", **wrong).status_code in (401, 422)
    assert password(owner, EMAIL).status_code == 303
    seed, codes = add_app(owner)
    secrets |= {"seed": seed, "recovery code": codes[0], "last recovery code": codes[-1]}
    assert post(owner, CONFIRM, CONFIRM, recovery=codes[0], next=APP).status_code == 303
    made = post(owner, "/account/tokens/new", "/account/tokens/", name="CI", scope="org:read")
    assert made.status_code == 201, made.text
    secrets["token"] = re.findall(r"eyJ[\w.-]{40,}", made.text)[0]
    invite(journey, owner)
    mail(journey, owner, mailbox)
    refused(journey, secrets["token"])
    server.cli("secrets", "rotate")
    server.cli("keys", "rotate")
    send_secrets(server)
    change = {"current_password": PASSWORD, "new_password": CHANGED}
    answer = post(owner, "/account/security/", "/account/password", **change)
    assert answer.status_code == 303, answer.text
    crawl(journey, owner)
    for path in ("audit-logs/", "members/", "teams/", "api-tokens/"):
        bearer = {"Authorization": f"Bearer {server.token}"}
        journey.browser().get(f"/api/0/organizations/acme/{path}", headers=bearer)


def invite(journey: Journey, owner: httpx2.Client) -> None:
    invited = {"email": "new@example.com", "role": "member"}
    shown = post(owner, "/members/", "/members/invitations", **invited)
    assert shown.status_code == 201
    secret = re.findall(r"/invitations/([\w-]{20,})", shown.text)[0]
    journey.secrets["invitation"] = secret
    guest = journey.browser()
    path = f"/invitations/{secret}"
    assert post(guest, path, path, name="New", password=MISTYPED[:5]).status_code == 422
    assert post(guest, path, path, name="New", password=INVITED).status_code == 303
    assert journey.browser().get(path).status_code in (404, 410)


def mail(journey: Journey, owner: httpx2.Client, mailbox: Mailbox) -> None:
    page = "/settings/mail/"
    form = {
        "host": "127.0.0.1",
        "port": str(mailbox.port),
        "security": "none",
        "username": "me",
        "sender": "t@example.com",
    }
    assert post(owner, page, page, **form, password=WRONG_MAIL_PASSWORD).status_code == 303
    assert post(owner, page, f"{page}test").status_code == 422
    assert post(owner, page, page, **form, host_="", password=MAIL_PASSWORD).status_code == 303
    bad = {**form, "port": "x", "password": MAIL_PASSWORD}
    assert post(owner, page, page, **bad).status_code == 422
    assert post(owner, page, f"{page}test").status_code == 303
    before = len(mailbox.mails)
    visitor = journey.browser()
    assert post(visitor, "/forgot", "/forgot", email="new@example.com").status_code in (200, 303)
    text = ""
    while not text:
        text = "".join(
            str(one.get_body(("plain",)).get_content()) for one in mailbox.mails[before:]
        )
    secret = re.findall(r"/reset/([\w-]{20,})", text)[0]
    journey.secrets["reset"] = secret
    path = f"/reset/{secret}"
    assert post(visitor, path, path, password="short").status_code == 422
    # While the mail server takes nothing, a mail waits with its link.
    mailbox.refuse = "451 later"
    post(owner, "/members/", "/members/invitations", email="late@example.com", role="member")


def refused(journey: Journey, token: str) -> None:
    """What a careless program does."""
    careless = journey.browser()
    bearer = {"Authorization": f"Bearer {token}"}
    careless.get("/api/0/nothing/here/", headers=bearer)
    careless.get("/api/0/organizations/acme/members/", headers=bearer)
    careless.post("/api/0/organizations/acme/teams/", headers=bearer, content=b"\xff{")
    careless.get("/api/0/organizations/", params={"token": token})
    careless.get(f"/api/0/organizations/{token}/")
    half = {"Authorization": f"Bearer {token[:-10]}"}
    assert careless.get("/api/0/organizations/", headers=half).status_code == 401


def send_secrets(server: Server) -> None:
    """An event with secrets in it, as programs send them."""
    event = {
        "exception": {
            "values": [{"type": "LoginFailed", "value": f"token {server.token} refused"}]
        },
        "extra": {"password": SENT},
        "request": {"url": "http://x/", "headers": {"Authorization": f"Bearer {server.token}"}},
    }
    path = f"/api/{server.project_id}/store/?sentry_key={server.key}"
    assert server.request("POST", path, json.dumps(event))[0] == 200
    server.settle(1)


def crawl(journey: Journey, browser: httpx2.Client) -> None:
    """Every page that links lead to, each kind of address once."""
    waiting, seen = ["/issues/", "/settings/", "/account/", "/settings/audit/"], set()
    while waiting:
        path = waiting.pop()
        kind = re.sub(r"[0-9a-f]{32}|\d+", "N", urlsplit(path).path)
        if kind in seen or PLAIN.search(kind):
            continue
        seen.add(kind)
        answer = browser.get(path)
        for link in re.findall(r'(?:href|action)="([^"#]+)', answer.text):
            target = urljoin(f"{journey.server.url}{path}", link.replace("&amp;", "&"))
            if target.startswith(journey.server.url):
                waiting.append(target.removeprefix(journey.server.url))
    assert {"/settings/mail/", "/settings/audit/", "/account/security/", "/members/"} <= seen
    assert len(seen) > 30, seen
    # Answers of before are not pages that are looked at again.
    password(journey.browser(), "new@example.com")


#: What programs send lies in the spool as it came until its pages are used again.
AS_SENT = {("spool.db", "sent"), ("spool.db", "set-up token")}
#: Where a secret is shown to the one whom it is for, once; and pages whose address it is.
ONCE = {
    "seed": {f"GET {APP}"},
    "recovery code": {f"POST {APP}"},
    "last recovery code": {f"POST {APP}"},
    "token": {"POST /account/tokens/"},
    "invitation": {"POST /members/invitations"},
}


def test_no_answer_shows_a_secret_but_the_one_that_gives_it(journey: Journey) -> None:
    leaks = []
    for name, secret in journey.secrets.items():
        for request, text in journey.answers:
            if secret not in text or request in ONCE.get(name, ()) or secret in request:
                continue
            leaks.append((name, request))
    assert leaks == []


def test_no_log_line_holds_a_secret(journey: Journey) -> None:
    log = journey.server.log()
    assert '"level": "debug"' in log
    leaks = [
        (name, line)
        for name, secret in all_secrets(journey)
        for line in log.splitlines()
        if secret in line
    ]
    assert leaks == []


def test_no_command_prints_a_secret(journey: Journey) -> None:
    commands: tuple[tuple[str, ...], ...] = (
        ("settings",),
        ("secrets", "status"),
        ("mail", "show"),
        ("token", "list", "--email", EMAIL, "--json"),
        ("keys", "list", "--json"),
        ("audit", "list", "--json"),
        ("audit", "export", "--format", "csv"),
        ("audit", "export", "--format", "jsonl"),
    )
    leaks = []
    for command in commands:
        done = journey.server.cli(*command)
        assert done.exit_code == 0, (command, done.stderr)
        assert done.output
        leaks += [(name, command) for name, s in all_secrets(journey) if s in done.output]
    assert leaks == []


def test_no_process_has_a_secret_among_its_arguments(journey: Journey) -> None:
    lines = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            if journey.server.pid in (parent, int(path.parent.name)):
                lines[path.parent.name] = (path.parent / "cmdline").read_text()
        except OSError:
            continue
    assert str(journey.server.pid) in lines
    leaks = [(n, line) for n, s in all_secrets(journey) for line in lines.values() if s in line]
    assert leaks == []


def test_no_file_holds_a_secret_in_clear_text(journey: Journey) -> None:
    data = journey.server.data
    waiting = journey.server.rows("SELECT count(*) FROM secrets WHERE kind = 'mail.message'")
    assert waiting != [(0,)]
    journey.server.stop()
    leaks, read = [], set()
    looked_for = list(all_secrets(journey))
    for path in data.rglob("*"):
        if not path.is_file():
            continue
        assert path.stat().st_mode & 0o077 == 0, path
        read.add(path.name)
        content = path.read_bytes()
        for name, secret in looked_for:
            if path.name == name or (path.name, name) in AS_SENT:
                continue
            if any(form in content for form in forms(name, secret)):
                leaks.append((name, path.name))
    assert {"meta.db", "spool.db", "events.duckdb"} <= read
    assert leaks == []


def all_secrets(journey: Journey) -> Iterator[tuple[str, str]]:
    """The journey's secrets, the folder's keys and what is sealed under them."""
    yield from journey.secrets.items()
    data = journey.server.data
    for name in KEPT:
        yield name, (data / name).read_text().strip()
    vault = Keyring(data / "master.key").vault()
    with reading(data / "meta.db") as reader:
        rows = reader.rows("SELECT id, kind FROM secrets WHERE kind <> 'mail.message'")
        for secret_id, kind in rows:
            text = vault.open_secret(reader, secret_id).decode()
            if kind == "signing key" and text != "destroyed":
                yield kind, json.loads(text)["d"]


def forms(name: str, secret: str) -> list[bytes]:
    """How a secret may be written in a file."""
    found = [secret.encode(), base64.b64encode(secret.encode()).rstrip(b"=")]
    if name in KEPT:
        found.append(bytes.fromhex(secret))
    if name == "seed":
        found.append(base64.b32decode(secret))
    if name == "signing key":
        found.append(base64.urlsafe_b64decode(secret + "=="))
    return found
