"""Telling people by mail what happened to their password and second factors, so that they notice
what they did not do. Where mail is not set up nobody is told; the audit log has it all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.channels import mail
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.storage.meta import Tx

PASSWORD_CHANGED = "password.change"  # noqa: S105 - names of events, no secrets
PASSWORD_RESET = "password.reset"  # noqa: S105
PASSWORD_LINK = "password.reset_link"  # noqa: S105
FACTOR_ADDED = "factor.add"
FACTOR_REMOVED = "factor.remove"
FACTORS_RESET = "factor.reset"
CODES_RENEWED = "recovery_codes.renew"
CODE_USED = "recovery_codes.use"

#: What the mail says, by what happened: its subject, and a sentence for after the time.
WORDS = {
    PASSWORD_CHANGED: ("Your password was changed", "the password of your account was changed."),
    PASSWORD_RESET: (
        "Your password was replaced",
        "the password of your account was replaced by means of a link. All logins have ended.",
    ),
    PASSWORD_LINK: (
        "Somebody made a link to replace your password",
        "a link was made with which the password of your account can be replaced.",
    ),
    FACTOR_ADDED: ("A second factor was added", "a second factor was added to your account."),
    FACTOR_REMOVED: (
        "A second factor was removed",
        "a second factor was removed from your account.",
    ),
    FACTORS_RESET: (
        "Your second factors were removed",
        "all second factors of your account were removed. All logins have ended.",
    ),
    CODES_RENEWED: (
        "New recovery codes were made",
        "new recovery codes were made for your account; the earlier ones have ended.",
    ),
    CODE_USED: ("A recovery code was used", "a recovery code of your account was used."),
}


def tell(tx: Tx, user_id: int, what: str) -> None:
    """Tell the owner of an account by mail, if this transaction commits. Who did it is whoever acts
    on this thread."""
    if not mail.is_configured(tx):
        return
    who = audit.current()
    tx.enqueue(
        "accounts.tell",
        user_id=user_id,
        what=what,
        at=tx.now_ms,
        by=_by(who, user_id),
        address=who.address,
        device=who.device[:300],
    )


def _by(who: audit.Acting, user_id: int) -> str:
    """Who did it, as its owner reads it."""
    if who.kind == "cli":
        return "on the command line of the server"
    if who.kind == "user" and who.id != user_id:
        return f"by {who.name}"
    return "in a browser"
