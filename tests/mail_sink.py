"""A mail server on loopback for tests, and the application set up to use it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from harness import Running
from tracer.channels import mail_server as settings
from tracer.channels.mail_server import MailSettings


class Mailbox:
    """The mails that arrived, and the logins that were tried."""

    def __init__(
        self, *, password: str = "", starttls: ssl.SSLContext | None = None, **options: Any
    ) -> None:
        """With a `password` it wants a login. `starttls`: a context to offer STARTTLS with."""
        self.mails: list[Any] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.refuse = ""
        self.password = password
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.server = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            authenticator=self._authenticate,
            auth_require_tls=False,
            tls_context=starttls,
            **options,
        )

    def use(self, tracer: Running, **changes: Any) -> None:
        """Set the application up to send through this server."""
        user = "me" if self.password else ""
        wanted = {
            "host": "127.0.0.1",
            "port": self.port,
            "security": "none",
            "username": user,
            "sender": "tracer <t@example.com>",
            "password": self.password or None,
            **changes,
        }
        with tracer.meta.write() as tx:
            settings.change(tx, tracer.tracer.vault, MailSettings(**wanted))

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, to: str, _o: Any
    ) -> str:
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def _authenticate(self, _s: Any, _session: Any, _e: Any, _m: Any, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        right = data.password == self.password.encode()
        return AuthResult(success=right, handled=right)


@contextmanager
def mail_server(**options: Any) -> Iterator[Mailbox]:
    """A running mail server; options as of `Mailbox`."""
    opened = Mailbox(**options)
    opened.server.start()
    try:
        yield opened
    finally:
        opened.server.stop()


@contextmanager
def mailbox(tracer: Running) -> Iterator[list[Any]]:
    """The mails that arrive from here on; those are sent by `tracer.run_tasks()`."""
    with mail_server() as opened:
        opened.use(tracer)
        yield opened.mails
