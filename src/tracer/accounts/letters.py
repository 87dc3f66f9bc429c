"""The mails about joining, lost passwords and changes to how an account is kept.

Each is sent if and only if the transaction that it is about commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.channels import mail

if TYPE_CHECKING:
    from tracer.accounts.membership import Invitation, OrganizationSettings
    from tracer.kit.context import Tracer
    from tracer.storage.meta import Tx


def is_ready(tracer: Tracer) -> bool:
    """Whether mail is set up."""
    return mail.is_configured(tracer.meta.read())


def invite(tx: Tx, tracer: Tracer, invitation: Invitation, link: str) -> bool:
    """Sends an invitation; False where mail is not set up and the link is to be handed over."""
    if not mail.is_configured(tx):
        return False
    content = mail.compose(
        tracer.templates,
        f"Join {invitation.organization} on tracer",
        [f"You are invited to {invitation.organization} as {invitation.role}."],
        link=link,
        button="Accept the invitation",
        note="The link works once and for 7 days. If you do not know what this is, ignore it.",
    )
    subject = f"Join {invitation.organization} on tracer"
    mail.enqueue(tx, tracer.vault, invitation.email, subject, content.text, content.html)
    return True


def join(tx: Tx, tracer: Tracer, organization: OrganizationSettings, email: str, link: str) -> None:
    """Sends the link with which the owner of an e-mail address joins."""
    content = mail.compose(
        tracer.templates,
        f"Join {organization.name} on tracer",
        [f"Somebody, most likely you, asked to join {organization.name} with this address."],
        link=link,
        button="Join",
        note="The link works once and for 24 hours. If it was not you, ignore this mail.",
    )
    subject = f"Join {organization.name} on tracer"
    mail.enqueue(tx, tracer.vault, email, subject, content.text, content.html)


def reset(tx: Tx, tracer: Tracer, email: str, link: str) -> None:
    """Sends the link with which the owner of an account chooses a new password."""
    content = mail.compose(
        tracer.templates,
        "Choose a new password",
        [
            "Somebody, most likely you, asked for a new password for your account on tracer.",
            "Your password goes on working until you choose another.",
        ],
        link=link,
        button="Choose a password",
        note="The link works once and for one hour. If it was not you, ignore this mail.",
    )
    subject = "Choose a new password for tracer"
    mail.enqueue(tx, tracer.vault, email, subject, content.text, content.html)


def changed(tx: Tx, tracer: Tracer, email: str, title: str, sentence: str, link: str) -> None:
    """Tells the owner of an account what was done to it; `link` leads to their security page."""
    content = mail.compose(
        tracer.templates,
        title,
        [sentence],
        link=link,
        button="Look at your security page",
        note="If it was not you, choose a new password at once, log out all other browsers there, "
        "and tell whoever administers this server.",
    )
    mail.enqueue(tx, tracer.vault, email, f"{title} on tracer", content.text, content.html)
