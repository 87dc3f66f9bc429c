"""Mail: through a real SMTP server, from the page, the queue and the command line."""

from __future__ import annotations

import gc
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from starlette.testclient import TestClient

from harness import Running
from mail_sink import Mailbox, mail_server
from serving import free_port
from tracer.app import mail_commands
from tracer.channels import mail
from tracer.channels import mail_server as mail_server_settings
from tracer.channels.mail_server import MailSettings
from tracer.errors import Invalid, Unavailable

PASSWORD = "mail-password-of-the-test"
PAGE = "/settings/mail/"


@pytest.fixture
def sink() -> Iterator[Mailbox]:
    with mail_server(password=PASSWORD) as opened:
        yield opened


@pytest.fixture
def admin(tracer: Running) -> TestClient:
    """A browser of a server administrator who was just asked for the password."""
    browser = tracer.login()
    with tracer.tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE users SET is_server_admin = 1")
        tx.execute("UPDATE logins SET confirmed_at = :now", now=tx.now_ms)
    return browser


def form(sink: Mailbox, **changes: str) -> dict[str, str]:
    """The page's form for a server."""
    return {
        "host": "127.0.0.1",
        "port": str(sink.port),
        "security": "none",
        "username": "me",
        "password": PASSWORD,
        "sender": "t@example.com",
        **changes,
    }


def test_queued_mail_arrives_with_text_and_html_and_is_forgotten(
    tracer: Running, sink: Mailbox
) -> None:
    app = tracer.tracer
    assert not mail.is_configured(app.meta.read())
    sink.use(tracer)
    assert mail.is_configured(app.meta.read())
    link = "https://errors.example.com/invitations/abcdefghijklmnopqrstuvwxyz"
    content = mail.compose(app.templates, "Join <Acme>", ["Ada & Bob"], link=link, button="Accept")
    with app.meta.write(unaudited="test") as tx:
        mail.enqueue(tx, app.vault, "you@example.com", "Join Acme", content.text, content.html)
    stored = repr(app.meta.read().rows("SELECT arguments FROM tasks"))
    assert link not in stored
    tracer.run_tasks()
    [got] = sink.mails
    assert got["To"] == "you@example.com"
    assert got["From"] == "tracer <t@example.com>"
    assert got["Subject"] == "Join Acme"
    assert link in got.get_body(("plain",)).get_content()
    html = got.get_body(("html",)).get_content()
    assert link in html
    assert "Join &lt;Acme&gt;" in html
    assert sink.logins == [(b"me", PASSWORD.encode())]
    rows = app.meta.read().rows("SELECT kind FROM secrets WHERE kind = 'mail.message'")
    assert rows == []


def test_mail_is_tried_again_while_the_server_does_not_take_it(
    tracer: Running, sink: Mailbox
) -> None:
    app = tracer.tracer
    sink.use(tracer, username="", password=None)
    sink.refuse = "451 later"
    with app.meta.write(unaudited="test") as tx:
        mail.enqueue(tx, app.vault, "you@example.com", "Hello", "text")
    tracer.run_tasks()
    status = "SELECT status, tries FROM tasks WHERE name = 'mail.send'"
    assert app.meta.read().rows(status) == [("waiting", 1)]
    sink.refuse = ""
    with app.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE tasks SET due_at = 0")
    tracer.run_tasks()
    assert len(sink.mails) == 1
    assert app.meta.read().rows(status) == []


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("you@example.com\nBcc: all@example.com", "x"),
        ("you@example.com\r\nBcc: all@example.com", "x"),
        ("you@example.com", "x\r\nBcc: all@example.com"),
        ("you@example.com", "x\nBcc: all@example.com"),
        ("you@example.com, all@example.com", "x"),
        ("nobody", "x"),
        ("", "x"),
    ],
)
def test_headers_cannot_be_injected(tracer: Running, to: str, subject: str) -> None:
    app = tracer.tracer
    with pytest.raises(Invalid), app.meta.write(unaudited="test") as tx:
        mail.enqueue(tx, app.vault, to, subject, "text")


def test_refused_login_is_told_without_the_password(tracer: Running, sink: Mailbox) -> None:
    sink.use(tracer, password="another-password")
    with pytest.raises(Unavailable) as caught:
        mail.send(tracer.tracer, "you@example.com", "Hello", "text")
    assert "another-password" not in caught.value.detail
    assert "login" in caught.value.detail


def test_stored_password_is_not_sent_to_another_server(tracer: Running, sink: Mailbox) -> None:
    sink.use(tracer)
    app = tracer.tracer
    moved = MailSettings("localhost", sink.port, "none", "me", "t@example.com")
    with pytest.raises(Invalid), app.meta.write() as tx:
        mail_server_settings.change(tx, app.vault, moved)


def test_password_needs_an_encrypted_connection(tracer: Running) -> None:
    app = tracer.tracer
    wanted = MailSettings("smtp.example.com", 25, "none", "me", "t@example.com", "x")
    with pytest.raises(Invalid), app.meta.write() as tx:
        mail_server_settings.change(tx, app.vault, wanted)


def certificate(folder: Path) -> Path:
    """A key and a certificate of its own for `localhost`, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(Encoding.PEM)
    pem += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "localhost.pem"
    path.write_bytes(pem)
    return path


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("pem"))


# aiosmtpd leaves the plain transport under TLS open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_certificate_is_checked_before_the_password_is_sent(
    tracer: Running, pem: Path, monkeypatch: pytest.MonkeyPatch, security: str, trusted: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    options = {"starttls" if security == "starttls" else "ssl_context": context}
    app = tracer.tracer
    try:
        with mail_server(password=PASSWORD, **options) as sink:
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", str(pem))
            sink.use(tracer, host="localhost", security=security)
            if trusted:
                mail.send(app, "you@example.com", "Hello", "text")
                assert len(sink.mails) == len(sink.logins) == 1
            else:
                with pytest.raises(Unavailable, match="certificate"):
                    mail.send(app, "you@example.com", "Hello", "text")
                assert sink.logins == []
    finally:
        gc.collect()


@pytest.mark.parametrize(
    ("security", "says"),
    [("starttls", "does not offer STARTTLS"), ("tls", "does not speak TLS")],
)
def test_server_without_tls_gets_no_password(
    tracer: Running, sink: Mailbox, security: str, says: str
) -> None:
    sink.use(tracer, host="localhost", security=security)
    with pytest.raises(Unavailable, match=says):
        mail.send(tracer.tracer, "you@example.com", "Hello", "text")
    assert sink.logins == []


def test_page_keeps_the_password_and_sends_a_test_mail(
    tracer: Running, sink: Mailbox, admin: TestClient
) -> None:
    assert "Send a test mail" not in admin.get(PAGE).text
    answer = tracer.post(PAGE, form(sink), browser=admin)
    assert answer.status_code == 303, answer.text
    shown = admin.get(PAGE).text
    assert "127.0.0.1" in shown
    assert PASSWORD not in shown
    tracer.post(PAGE + "test", browser=admin)
    assert len(sink.mails) == 1
    assert "The test mail was handed over" in admin.get(PAGE).text
    # An empty password field keeps the stored one.
    changed = form(sink, password="", sender="u@example.com")
    assert tracer.post(PAGE, changed, browser=admin).status_code == 303
    reader = tracer.meta.read()
    server = mail_server_settings.mail_server(reader)
    assert server is not None
    assert server.secret_id is not None
    assert tracer.tracer.vault.open_secret(reader, server.secret_id) == PASSWORD.encode()
    log = repr(reader.rows("SELECT action, before, after FROM audit"))
    assert "mail.update" in log
    assert PASSWORD not in log
    assert PASSWORD not in repr(mail_commands.show(tracer.meta))
    assert tracer.post(PAGE + "remove", browser=admin).status_code == 303
    assert "Send a test mail" not in admin.get(PAGE).text
    assert reader.rows("SELECT 1 FROM secrets WHERE kind = 'mail.password'") == []


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"host": "a b"}, "host", "name or address of a mail server"),
        ({"host": ""}, "host", "name or address of a mail server"),
        ({"port": "0"}, "port", "from 1 to 65535"),
        ({"port": "x"}, "port", "from 1 to 65535"),
        ({"security": "rot13"}, "security", "starttls"),
        ({"sender": "nobody"}, "sender", "not an e-mail address"),
        ({"sender": "a@b.example\r\nBcc: c@d.example"}, "sender", "not an e-mail address"),
        ({"host": "smtp.example.com"}, "security", "not encrypted"),
        ({"password": ""}, "password", "password of this user"),
    ],
)
def test_page_says_at_the_field_what_is_wrong_and_keeps_what_was_typed(
    tracer: Running,
    sink: Mailbox,
    admin: TestClient,
    changes: dict[str, str],
    field: str,
    says: str,
) -> None:
    answer = tracer.post(PAGE, form(sink, **{"username": "typed-user", **changes}), browser=admin)
    assert answer.status_code == 422
    assert PASSWORD not in answer.text
    assert 'value="typed-user"' in answer.text
    wrong = re.findall(r'id="([\w-]+)-error".*?</svg>(.*?)<', answer.text, re.S)
    assert [name for name, _ in wrong] == [field], wrong
    assert says in wrong[0][1]
    assert mail_server_settings.mail_server(tracer.meta.read()) is None


def test_changing_the_server_asks_for_the_password_at_its_field(
    tracer: Running, sink: Mailbox, admin: TestClient
) -> None:
    sink.use(tracer)
    moved = form(sink, host="localhost", password="")
    answer = tracer.post(PAGE, moved, browser=admin)
    assert answer.status_code == 422
    assert re.search(r'id="password-error".{0,200}Enter the password again', answer.text, re.S)


def test_page_says_why_a_test_mail_fails(
    tracer: Running, sink: Mailbox, admin: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> str:
        page = tracer.post(PAGE + "test", browser=admin)
        assert page.status_code == 422
        found = re.search(r"The test mail was not sent: (.*?)<", page.text, re.S)
        assert found is not None, page.text
        return found[1]

    sink.use(tracer, password="a-wrong-password")
    assert "refused the login" in told()
    sink.use(tracer)
    sink.refuse = "550 nobody here"
    assert "refuses this recipient" in told()
    sink.refuse = "451 later"
    assert "does not take this recipient now" in told()
    sink.use(tracer, port=free_port())
    assert "refused the connection" in told()
    sink.use(tracer, host="does-not-exist.invalid", security="tls")
    assert "does-not-exist.invalid" in told()
    assert "a-wrong-password" not in caplog.text
    assert PASSWORD not in caplog.text


def test_failed_invitation_mail_is_told_by_the_task_and_no_page_breaks(
    tracer: Running, sink: Mailbox, admin: TestClient
) -> None:
    sink.use(tracer, port=free_port())
    invited = {"email": "you@example.com", "role": "member"}
    answer = tracer.post("/members/invitations", invited, browser=admin)
    assert answer.status_code == 303
    tracer.run_tasks()
    [(error,)] = tracer.meta.read().rows("SELECT error FROM tasks WHERE name = 'mail.send'")
    assert "refused the connection" in error
    page = admin.get("/members/").text
    assert "you@example.com" in page
    sink.use(tracer)
    with tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE tasks SET due_at = 0")
    tracer.run_tasks()
    assert len(sink.mails) == 1


def test_page_is_for_server_administrators(tracer: Running) -> None:
    owner = tracer.login()
    with tracer.tracer.meta.write(unaudited="test") as tx:
        tx.execute("UPDATE users SET is_server_admin = 0")
    assert owner.get(PAGE).status_code == 403
    assert tracer.post(PAGE + "test", browser=owner).status_code == 403
    assert "/settings/mail/" not in owner.get("/settings/").text
