"""The mail server from the command line: by the running server or on its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.channels import mail, mail_server
from tracer.channels.mail_server import MailSettings
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.storage.meta import Meta
    from tracer.storage.vault import Vault


def set_server(
    meta: Meta,
    vault: Vault,
    *,
    host: str,
    port: int,
    security: str,
    sender: str,
    username: str = "",
    password: str | None = None,
) -> dict[str, Any]:
    """Set the mail server; without a password the stored one stays. Invalid says what is wrong."""
    wanted = MailSettings(host, port, security, username, sender, password)
    with meta.write() as tx:
        mail_server.change(tx, vault, wanted)
    return show(meta)


def show(meta: Meta) -> dict[str, Any]:
    """The mail server without its password."""
    found = mail_server.mail_server(meta.read())
    if found is None:
        return {"configured": False}
    return {"configured": True, **mail_server.shown(found)}


def send_test(meta: Meta, vault: Vault, *, to: str) -> dict[str, Any]:
    """Send a mail now. Unavailable or Invalid says why it cannot be."""
    with meta.write() as tx:
        audit.record(tx, "mail.test", "mail", after={"to": to})
    text = "This is the test mail that you asked for. There is nothing to do.\n"
    mail.send_through(meta.read(), vault, mail.Mail(to, "Mail from tracer works", text))
    return {"sent": to}


def remove(meta: Meta, vault: Vault) -> dict[str, Any]:
    """Forget the mail server."""
    with meta.write() as tx:
        mail_server.remove(tx, vault)
    return show(meta)
