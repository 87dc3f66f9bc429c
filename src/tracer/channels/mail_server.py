"""The mail server to send through: one row of settings, its password sealed in the vault."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.utils import parseaddr
from typing import TYPE_CHECKING

from tracer.errors import Invalid
from tracer.kit import audit
from tracer.kit.forms import FieldInvalid

if TYPE_CHECKING:
    from tracer.storage.meta import Reader, Tx
    from tracer.storage.vault import Vault

USERNAME_MAX = 250
SECURITY = ("starttls", "tls", "none")
PASSWORD_KIND = "mail.password"  # noqa: S105
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:_-]{0,252})\Z")
_LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes. `secret_id` is the password's row in the vault."""

    host: str
    port: int
    security: str
    username: str
    secret_id: int | None
    sender: str
    changed_at: int = 0


@dataclass(frozen=True, slots=True)
class MailSettings:
    """What somebody wants; `password` None keeps the stored one, "" removes it."""

    host: str
    port: int
    security: str
    username: str
    sender: str
    password: str | None = field(default=None, repr=False)


def mail_server(reader: Reader) -> MailServer | None:
    """The mail server, or None when none is set up."""
    return reader.find(
        MailServer,
        """
        SELECT host, port, security, username, secret_id, sender, changed_at
        FROM mail_settings
        WHERE id = 1
        """,
    )


def check(wanted: MailSettings) -> None:
    """FieldInvalid says what is wrong with each field."""
    wrong = {}
    if not _HOST.match(wanted.host):
        wrong["host"] = "Enter the name or address of a mail server."
    if not 0 < wanted.port < 65_536:
        wrong["port"] = "Enter a port from 1 to 65535."
    if wanted.security not in SECURITY:
        wrong["security"] = f"Choose one of: {', '.join(SECURITY)}."
    elif wanted.security == "none" and wanted.username and _is_elsewhere(wanted.host):
        wrong["security"] = "A password is not sent over a connection that is not encrypted."
    if len(wanted.username) > USERNAME_MAX:
        wrong["username"] = f"Use at most {USERNAME_MAX} characters."
    try:
        check_address(wanted.sender)
    except Invalid as error:
        wrong["sender"] = error.detail
    if wrong:
        raise FieldInvalid(wrong)


def _is_elsewhere(host: str) -> bool:
    return bool(_HOST.match(host)) and host not in _LOCAL


def check_address(text: str) -> str:
    """One mail address, perhaps with a name; Invalid for anything else and for line breaks."""
    if any(ord(char) < 32 or ord(char) == 127 for char in text) or len(text) > 320:
        raise Invalid("This is not an e-mail address.")
    name, address = parseaddr(text)
    local, at, domain = address.rpartition("@")
    try:
        Address(name, addr_spec=address)
    except (ValueError, IndexError, TypeError):
        raise Invalid("This is not an e-mail address.") from None
    if not at or not local or not domain or "," in text.removeprefix(name):
        raise Invalid("This is not an e-mail address.")
    return text


def change(tx: Tx, vault: Vault, wanted: MailSettings) -> None:
    """Set the mail server up, or change it. Another host or user needs the password again."""
    check(wanted)
    old = mail_server(tx)
    secret_id = _password(tx, vault, old, wanted)
    tx.execute(
        """
        INSERT INTO mail_settings
            (id, host, port, security, username, secret_id, sender, changed_at)
        VALUES (1, :host, :port, :security, :username, :secret_id, :sender, :now)
        ON CONFLICT (id) DO UPDATE
        SET host = :host, port = :port, security = :security, username = :username,
            secret_id = :secret_id, sender = :sender, changed_at = :now
        """,
        host=wanted.host,
        port=wanted.port,
        security=wanted.security,
        username=wanted.username,
        secret_id=secret_id,
        sender=wanted.sender,
        now=tx.now_ms,
    )
    if old is not None and old.secret_id is not None and old.secret_id != secret_id:
        vault.drop_secret(tx, old.secret_id)
    audit.record(
        tx,
        "mail.update",
        "mail",
        name=wanted.host,
        before=None if old is None else shown(old),
        after={
            **_shown(wanted, secret_id is not None),
            "new_credentials": bool(wanted.password),
        },
    )


def remove(tx: Tx, vault: Vault) -> None:
    """Forget the mail server and its password; nothing when there is none."""
    old = mail_server(tx)
    if old is None:
        return
    tx.execute("DELETE FROM mail_settings")
    if old.secret_id is not None:
        vault.drop_secret(tx, old.secret_id)
    audit.record(tx, "mail.remove", "mail", name=old.host, before=shown(old))


def forget_password(tx: Tx, vault: Vault) -> None:
    """Log in without a password from now on; nothing when there is none."""
    old = mail_server(tx)
    if old is None or old.secret_id is None:
        return
    tx.execute("UPDATE mail_settings SET secret_id = NULL, changed_at = :now", now=tx.now_ms)
    vault.drop_secret(tx, old.secret_id)
    before = shown(old)
    audit.record(
        tx,
        "mail.update",
        "mail",
        name=old.host,
        before=before,
        after={**before, "has_password": False},
    )


def shown(server: MailServer) -> dict[str, object]:
    """The settings without the password."""
    return _shown(server, server.secret_id is not None)


def _shown(source: MailServer | MailSettings, has_password: bool) -> dict[str, object]:
    return {
        "host": source.host,
        "port": source.port,
        "security": source.security,
        "username": source.username,
        "sender": source.sender,
        "has_password": has_password,
    }


def _password(tx: Tx, vault: Vault, old: MailServer | None, wanted: MailSettings) -> int | None:
    """The row of the password to use from now on; an unchanged one only for the same server:
    else it could be read by pointing tracer at a server of one's own."""
    known = None if old is None else old.secret_id
    if not wanted.username or wanted.password == "":
        return None
    if wanted.password is not None:
        if known is not None:
            vault.replace_secret(tx, known, wanted.password.encode())
            return known
        return vault.add_secret(tx, PASSWORD_KIND, wanted.password.encode())
    if old is None or known is None:
        raise FieldInvalid({"password": "Enter the password of this user."})
    same = (old.host, old.port, old.username) == (wanted.host, wanted.port, wanted.username)
    weaker = wanted.security == "none" and old.security != "none"
    if not same or weaker:
        raise FieldInvalid(
            {"password": "Enter the password again: the server, user or encryption changed."}
        )
    return known
