"""Accounts from the command line: the ways back in when nobody can log in any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tracer.accounts import actions, queries
from tracer.accounts.factors import devices
from tracer.accounts.model import ADMIN_RESET_AGE_MS, User
from tracer.errors import NotFound

if TYPE_CHECKING:
    from tracer.storage.meta import Meta, Reader


def commands(meta: Meta, url: str) -> Mapping[str, Callable[..., dict[str, Any]]]:
    """The commands by name."""
    return {
        "account_list": partial(listing, meta),
        "account_reset_link": partial(reset_link, meta, url),
        "account_end_logins": partial(end_logins, meta),
        "account_server_admin": partial(server_admin, meta),
    }


def reset_link(meta: Meta, url: str, *, email: str) -> dict[str, Any]:
    """A link with which a user chooses a new password, once and within a day."""
    with meta.write() as tx:
        user = _user(tx, email)
        secret = actions.create_password_link(tx, user, age_ms=ADMIN_RESET_AGE_MS, by="cli")
        return {"link": f"{url}/reset/{secret}", "hours": ADMIN_RESET_AGE_MS // 3_600_000}


def end_logins(meta: Meta, *, email: str) -> dict[str, Any]:
    """Logs a user out everywhere and forgets the devices that need no second factor."""
    with meta.write() as tx:
        user = _user(tx, email)
        ended = actions.end_other_logins(tx, user.id, keep="")
        return {"logins": ended, "devices": devices.forget_all(tx, user.id)}


def server_admin(meta: Meta, *, email: str, remove: bool = False) -> dict[str, Any]:
    """Lets a user administer the server, or no more."""
    with meta.write() as tx:
        user = _user(tx, email)
        changed = actions.set_server_admin(tx, user.id, not remove)
        return {"email": user.email, "is_server_admin": not remove, "changed": changed}


def listing(meta: Meta) -> dict[str, Any]:
    """All accounts, by e-mail."""
    return {"accounts": queries.accounts(meta.read())}


def _user(reader: Reader, email: str) -> User:
    user = queries.user_by_email(reader, email.strip())
    if user is None:
        raise NotFound(f"There is no account with the e-mail address {email}.")
    return user
