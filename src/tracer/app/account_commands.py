"""Accounts from the command line: making and ending them, their roles, and the ways back in when
nobody can log in any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.accounts import actions, queries
from tracer.accounts.factors import actions as factors
from tracer.accounts.factors import devices
from tracer.accounts.factors import queries as factor_queries
from tracer.accounts.model import ADMIN_RESET_AGE_MS, User
from tracer.accounts.passwords import hash_password, new_password
from tracer.app.organization_commands import find_organization
from tracer.errors import NotFound

if TYPE_CHECKING:
    from tracer.storage.meta import Meta, Reader
    from tracer.storage.vault import Vault


def commands(meta: Meta, vault: Vault, url: str) -> Mapping[str, Callable[..., dict[str, Any]]]:
    """The commands by name."""
    return {
        "account_create": partial(create, meta, url),
        "account_disable": partial(disable, meta, vault),
        "account_role": partial(role, meta),
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


def create(
    meta: Meta,
    url: str,
    *,
    email: str,
    org: str | None = None,
    role: str = "member",
    name: str = "",
    password: str | None = None,
) -> dict[str, Any]:
    """A new account in an organization; without a password there is a link to choose one."""
    hashed = None
    if password is not None:
        hashed = hash_password(new_password(password, email.strip(), org or ""))
    with meta.write() as tx:
        home = find_organization(tx, org)
        user_id = actions.create_user(tx, email, hashed, name)
        actions.add_member(tx, home.id, user_id, role)
        user = _user(tx, email)
        link = ""
        if hashed is None:
            secret = actions.create_password_link(tx, user, age_ms=ADMIN_RESET_AGE_MS, by="cli")
            link = f"{url}/reset/{secret}"
    return {"id": user_id, "email": user.email, "organization": home.slug, "role": role} | (
        {"link": link} if link else {}
    )


def disable(meta: Meta, vault: Vault, *, email: str) -> dict[str, Any]:
    """Ends an account: memberships, logins, tokens, second factors and the password."""
    with meta.write() as tx:
        user = _user(tx, email)
        ended = actions.disable_user(tx, user.id)
        ended["second_factors"] = factors.reset_factors(tx, vault, user.id)
    return {"email": user.email, **ended}


def role(meta: Meta, *, email: str, org: str | None, role: str | None) -> dict[str, Any]:
    """Gives an account a role in an organization, as a new member if need be; None ends the
    membership."""
    with meta.write() as tx:
        user, home = _user(tx, email), find_organization(tx, org)
        there = queries.member(tx, home.id, user.id)
        if role is None and there is None:
            raise NotFound(f"{user.email} is no member of {home.slug}.")
        if there is None:
            actions.add_member(tx, home.id, user.id, role or "")
        elif role is None:
            actions.remove_member(tx, home.id, there, by="owner")
        else:
            actions.set_role(tx, home.id, there, role, by="owner")
    return {"email": user.email, "organization": home.slug, "role": role}


def listing(reader: Reader) -> dict[str, Any]:
    """All accounts, by e-mail."""
    return {"accounts": queries.accounts(reader)}


def show(reader: Reader, *, email: str) -> dict[str, Any]:
    """One account: where it belongs, how it logs in, what of it is in use."""
    user = _user(reader, email)
    logins, tokens = (
        reader.value(sql, id=user.id, now=clock.now_ms())
        for sql in (
            "SELECT count(*) FROM logins WHERE user_id = :id AND expires_at > :now",
            """
            SELECT count(*)
            FROM tokens
            WHERE user_id = :id AND kind = 'personal' AND revoked_at IS NULL
              AND coalesce(expires_at, :now + 1) > :now AND coalesce(ends_at, :now + 1) > :now
            """,
        )
    )
    homes = queries.organizations_of(reader, user.id)
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "is_server_admin": queries.is_server_admin(reader, user.id),
        "has_password": user.password_hash is not None,
        "created_at": user.created_at,
        "login_at": user.login_at,
        "organizations": {home.slug: role for home, role in homes},
        "second_factors": [one.kind for one in factor_queries.factors(reader, user.id)],
        "logins": logins,
        "tokens": tokens,
    }


def _user(reader: Reader, email: str) -> User:
    user = queries.user_by_email(reader, email.strip())
    if user is None:
        raise NotFound(f"There is no account with the e-mail address {email}.")
    return user
