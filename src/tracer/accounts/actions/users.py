"""Writes of users and of the set-up link that makes the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer import clock
from tracer.accounts.actions.members import add_member, remove_member
from tracer.accounts.actions.organizations import rename_organization
from tracer.accounts.model import (
    NAME_MAX,
    ROLES,
    THEMES,
    ServerAdminsChanged,
    check_email,
    secret_hash,
)
from tracer.accounts.queries import (
    first_organization,
    member,
    setup_link_is_open,
    user_by_email,
)
from tracer.accounts.tokens.model import TokensChanged
from tracer.errors import Conflict, Invalid, NotFound
from tracer.kit import audit
from tracer.kit.live import AccessChanged

if TYPE_CHECKING:
    from tracer.storage.meta import Tx


def create_user(
    tx: Tx,
    email: str,
    password_hash: str | None,
    name: str = "",
    *,
    is_server_admin: bool = False,
) -> int:
    """A new user's id. Takes a finished hash: hashing is slow and must not hold the writer."""
    email = check_email(email)
    if user_by_email(tx, email):
        raise Conflict("There is an account with this e-mail address already.")
    user_id = tx.insert(
        """
        INSERT INTO users (email, name, password_hash, password_at, is_server_admin, created_at)
        VALUES (:email, :name, :password_hash, :password_at, :is_server_admin, :now)
        """,
        email=email,
        name=name.strip()[:NAME_MAX],
        password_hash=password_hash,
        password_at=None if password_hash is None else tx.now_ms,
        is_server_admin=is_server_admin,
        now=tx.now_ms,
    )
    made: dict[str, Any] = {"email": email, "name": name.strip()[:NAME_MAX]}
    if is_server_admin:
        made["is_server_admin"] = True
        tx.emit(ServerAdminsChanged(user_id))
    audit.record(tx, "user.create", "user", user_id, name=email, after=made)
    return user_id


def set_server_admin(tx: Tx, user_id: int, value: bool) -> bool:
    """Whether a user administers this server; False when nothing changed. Conflict when nobody
    else would be left to."""
    before = tx.row("SELECT is_server_admin, email FROM users WHERE id = :id", id=user_id)
    if before is None:
        raise NotFound("There is no such account.")
    if bool(before[0]) == value:
        return False
    if not value and tx.value("SELECT count(*) FROM users WHERE is_server_admin") < 2:
        raise Conflict("Somebody must administer the server. Name another account first.")
    tx.execute("UPDATE users SET is_server_admin = :value WHERE id = :id", value=value, id=user_id)
    tx.emit(ServerAdminsChanged(user_id))
    audit.record(
        tx,
        "user.server_admin",
        "user",
        user_id,
        name=before[1],
        before={"is_server_admin": not value},
        after={"is_server_admin": value},
    )
    return True


def disable_user(tx: Tx, user_id: int) -> dict[str, int]:
    """Ends an account for good until somebody makes it a member again: every membership, login,
    token and the password. The row stays, for the audit log and comments name it. What ended, by
    kind. Conflict for the last owner of an organization and the last administrator of the server.
    """
    email = tx.value("SELECT email FROM users WHERE id = :id", id=user_id)
    if email is None:
        raise NotFound("There is no such account.")
    set_server_admin(tx, user_id, False)
    homes = tx.rows("SELECT organization_id FROM members WHERE user_id = :id", id=user_id)
    for (organization_id,) in homes:
        found = member(tx, organization_id, user_id)
        if found is not None:
            remove_member(tx, organization_id, found, by=ROLES[0])
    tokens = tx.execute(
        """
        UPDATE tokens
        SET revoked_at = :now
        WHERE user_id = :id AND kind = 'personal' AND revoked_at IS NULL
        """,
        id=user_id,
        now=tx.now_ms,
    )
    tx.execute("DELETE FROM account_links WHERE user_id = :id", id=user_id)
    logins = tx.execute("DELETE FROM logins WHERE user_id = :id", id=user_id)
    tx.execute("UPDATE users SET password_hash = NULL WHERE id = :id", id=user_id)
    ended = {"organizations": len(homes), "tokens": tokens, "logins": logins}
    audit.record(tx, "user.disable", "user", user_id, name=email, after=ended)
    tx.emit(TokensChanged())
    tx.emit(AccessChanged())
    return ended


def create_setup_link(tx: Tx) -> str:
    """The secret of a new set-up link (`/setup/<secret>`); only its hash is stored."""
    secret = clock.new_secret()
    tx.execute(
        "INSERT INTO setup_links (token_hash, created_at) VALUES (:hash, :now)",
        hash=secret_hash(secret),
        now=tx.now_ms,
    )
    audit.record(tx, "setup_link.create", "server", "")
    return secret


def set_up(
    tx: Tx, secret: str, *, email: str, password_hash: str, name: str, organization: str
) -> tuple[int, int]:
    """Uses a set-up link up: makes the owner, who administers the server too. Gives (user id,
    organization id). NotFound when the link does not work (any more); Conflict when the e-mail is
    taken."""
    if not setup_link_is_open(tx, secret):
        raise NotFound("This set-up link does not work any more.")
    home = first_organization(tx)
    if home is None:
        raise NotFound("There is no organization to set up.")
    tx.execute(
        "UPDATE setup_links SET used_at = :now WHERE token_hash = :hash",
        now=tx.now_ms,
        hash=secret_hash(secret),
    )
    user_id = create_user(tx, email, password_hash, name, is_server_admin=True)
    add_member(tx, home.id, user_id, "owner")
    if organization.strip():
        rename_organization(tx, home.id, organization)
    return user_id, home.id


def set_name(tx: Tx, user_id: int, name: str) -> None:
    """Sets the shown name; blank shows the e-mail address."""
    _update(tx, user_id, "name", name.strip()[:NAME_MAX])


def set_theme(tx: Tx, user_id: int, theme: str) -> None:
    """Sets the colour theme: system, light or dark."""
    if theme not in THEMES:
        raise Invalid(f"There is no theme called {theme}.")
    _update(tx, user_id, "theme", theme)


def _update(tx: Tx, user_id: int, column: str, value: str) -> None:
    before = tx.row(f"SELECT {column}, email FROM users WHERE id = :id", id=user_id)  # noqa: S608
    if before is None or before[0] == value:
        return
    tx.execute(f"UPDATE users SET {column} = :value WHERE id = :id", value=value, id=user_id)  # noqa: S608
    audit.record(
        tx,
        "user.update",
        "user",
        user_id,
        name=before[1],
        before={column: before[0]},
        after={column: value},
    )
