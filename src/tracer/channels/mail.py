"""Sending mail: composing, queueing in a transaction, delivering over SMTP.

What waits to be sent is sealed in the vault, because the links in it open things.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from typing import TYPE_CHECKING

import aiosmtplib
import msgspec

from tracer.channels.mail_server import MailServer, check_address, mail_server
from tracer.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from tracer.kit.context import Tracer
    from tracer.kit.templates import Templates
    from tracer.storage.meta import Reader, Tx
    from tracer.storage.vault import Vault

log = logging.getLogger("tracer.mail")

MAIL_KIND = "mail.message"
TIMEOUT_S = 20
SUBJECT_MAX = 250
KEPT_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Content:
    """The two bodies of one mail."""

    text: str
    html: str


class Mail(msgspec.Struct, frozen=True):
    """One mail as it waits, sealed, to be sent."""

    to: str
    subject: str
    text: str
    html: str = ""


def is_configured(reader: Reader) -> bool:
    """Whether there is a mail server to send through."""
    return reader.value("SELECT 1 FROM mail_settings") is not None


def compose(
    templates: Templates,
    title: str,
    paragraphs: Sequence[str],
    *,
    link: str = "",
    button: str = "Open",
    note: str = "",
) -> Content:
    """The layout of every mail: a title, paragraphs, one button, small print. All is escaped."""
    parts = [
        title,
        *paragraphs,
        *([f"{button}: {link}"] if link else []),
        *([note] if note else []),
    ]
    values = {
        "title": title,
        "paragraphs": list(paragraphs),
        "link": link if link.startswith(("https://", "http://")) else "",
        "button": button,
        "note": note,
    }
    return Content("\n\n".join(parts) + "\n", templates.render("mail/message.htm", values))


def enqueue(tx: Tx, vault: Vault, to: str, subject: str, text: str, html: str = "") -> None:
    """Send a mail if this transaction commits, trying again while the server does not take it.

    Invalid: not one address, or a line break in the address or subject.
    """
    _check(to, subject)
    sealed = vault.add_secret(tx, MAIL_KIND, msgspec.json.encode(Mail(to, subject, text, html)))
    tx.enqueue("mail.send", secret_id=sealed)


def send(tracer: Tracer, to: str, subject: str, text: str, html: str = "") -> None:
    """Send a mail now. Unavailable when it may work later, Invalid when it never will."""
    send_through(tracer.meta.read(), tracer.vault, Mail(to, subject, text, html))


def send_through(reader: Reader, vault: Vault, mail: Mail) -> None:
    """As `send`, with the stores alone."""
    server = mail_server(reader)
    if server is None:
        raise Unavailable("No mail server is set up.")
    password = ""
    if server.secret_id is not None:
        password = vault.open_secret(reader, server.secret_id).decode()
    _deliver(server, password, message_of(server, mail))


def deliver_sealed(tracer: Tracer, *, secret_id: int) -> None:
    """The task: send a waiting mail, then forget it."""
    plain = tracer.vault.open_secret(tracer.meta.read(), secret_id)
    mail = msgspec.json.decode(plain, type=Mail)
    send(tracer, mail.to, mail.subject, mail.text, mail.html)
    with tracer.meta.write(unaudited="mail queue") as tx:
        tracer.vault.drop_secret(tx, secret_id)


def drop_undeliverable(tracer: Tracer) -> None:
    """Forget mails that could not be sent for a week: their links have expired."""
    with tracer.meta.write(unaudited="mail queue") as tx:
        tx.execute(
            "DELETE FROM secrets WHERE kind = :kind AND created_at < :before",
            kind=MAIL_KIND,
            before=tx.now_ms - KEPT_MS,
        )


def message_of(server: MailServer, mail: Mail) -> EmailMessage:
    """The message with its headers; Invalid when one would hold a line break."""
    _check(mail.to, mail.subject)
    message = EmailMessage()
    message["From"] = check_address(server.sender)
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = formatdate()
    domain = parseaddr(server.sender)[1].rpartition("@")[2]
    message["Message-ID"] = make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    return message


def _check(to: str, subject: str) -> None:
    check_address(to)
    if any(ord(char) < 32 or ord(char) == 127 for char in subject):
        raise Invalid("The subject holds a line break or another control character.")
    if not 0 < len(subject) <= SUBJECT_MAX:
        raise Invalid(f"A subject has 1 to {SUBJECT_MAX} characters.")


def _deliver(server: MailServer, password: str, message: EmailMessage) -> None:
    try:
        asyncio.run(_transmit(server, password, message))
    except aiosmtplib.SMTPAuthenticationError as error:
        raise Unavailable(f"The mail server refused the login (code {error.code}).") from None
    except aiosmtplib.SMTPRecipientsRefused as refused:
        codes = [entry.code for entry in refused.recipients]
        if all(code >= 500 for code in codes):
            raise Invalid(f"The mail server refuses this recipient (code {codes[0]}).") from None
        raise Unavailable("The mail server does not take this recipient now.") from None
    except aiosmtplib.SMTPResponseException as error:
        kind = Invalid if error.code >= 500 else Unavailable
        raise kind(f"The mail server refused the mail (code {error.code}).") from None
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        log.warning("mail through %s port %s: %s", server.host, server.port, error)
        raise Unavailable(_reason(server, error)) from None


def _reason(server: MailServer, error: BaseException) -> str:
    """Why a server cannot be used, in words for who set it up. Libraries wrap what happened."""
    where = f"{server.host} port {server.port}"
    cause: BaseException | None = error
    while cause is not None:
        for kind, text in _REASONS:
            if isinstance(cause, kind):
                return f"{where} {text}."
        if "STARTTLS" in str(cause):
            return f"{where} does not offer STARTTLS; choose another encryption."
        cause = cause.__cause__ or cause.__context__
    return f"{where} cannot be used: {type(error).__name__}."


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "has a certificate that is not trusted or of another name"),
    (ssl.SSLError, "does not speak TLS; choose another encryption or port"),
    (socket.gaierror, "has a name that is not known"),
    (ConnectionRefusedError, "refused the connection"),
    (TimeoutError, f"did not answer within {TIMEOUT_S} seconds"),
    (aiosmtplib.SMTPTimeoutError, f"did not answer within {TIMEOUT_S} seconds"),
    (aiosmtplib.SMTPServerDisconnected, "hung up"),
)


async def _transmit(server: MailServer, password: str, message: EmailMessage) -> None:
    await aiosmtplib.send(
        message,
        hostname=server.host,
        port=server.port,
        username=server.username if password else None,
        password=password or None,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        timeout=TIMEOUT_S,
    )
