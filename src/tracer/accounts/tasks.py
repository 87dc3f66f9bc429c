"""Background work of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer import clock
from tracer.accounts import actions, letters, notices, queries
from tracer.accounts.failures import failures
from tracer.accounts.model import RESET_AGE_MS, RESETS_AN_HOUR, browser_name
from tracer.kit import audit

if TYPE_CHECKING:
    from tracer.kit.context import Tracer


def delete_expired_logins(tracer: Tracer) -> None:
    """Removes logins and links that can no longer be used."""
    with tracer.meta.write(unaudited="expiry") as tx:
        actions.delete_expired_logins(tx)
        actions.delete_old_links(tx)


def write_failures(tracer: Tracer) -> None:
    """Writes wrong passwords into the audit log."""
    failures.write(tracer.meta)


def send_reset_link(tracer: Tracer, *, email: str, address: str, device: str) -> None:
    """Mails a link to choose a new password, if there is such an account. Asked for by anybody, so
    only a few an hour. `address` and `device` are of who asked."""
    who = audit.Acting("anonymous", address=address, device=device)
    with audit.acting(who), tracer.meta.write() as tx:
        user = queries.user_by_email(tx, email)
        hour_ago = clock.now_ms() - 3_600_000
        if user is None or queries.membership(tx, user.id) is None:
            return
        if queries.password_links_since(tx, user.id, hour_ago) >= RESETS_AN_HOUR:
            return
        secret = actions.create_password_link(tx, user, age_ms=RESET_AGE_MS)
        letters.reset(tx, tracer, user.email, f"{tracer.network.public_url}/reset/{secret}")


def tell(
    tracer: Tracer, *, user_id: int, what: str, at: int, by: str, address: str, device: str
) -> None:
    """Mails the owner of an account what was done to it (`notices.WORDS`), when, by whom and from
    where. Only what is known of the browser is told: its own words could be anything."""
    title, happened = notices.WORDS[what]
    when = clock.from_ms(at).strftime("%d %B %Y, %H:%M UTC").lstrip("0")
    browser = browser_name(device)
    place = " ".join(
        part for part in (browser and f"with {browser}", address and f"from {address}") if part
    )
    sentence = f"On {when}, {happened} It was done {by}{place and ', ' + place}."
    with tracer.meta.write(unaudited="a mail about what is in the audit log") as tx:
        user = queries.user(tx, user_id)
        if user is not None and letters.is_ready(tracer):
            link = f"{tracer.network.public_url}/account/security/"
            letters.changed(tx, tracer, user.email, title, sentence, link)
