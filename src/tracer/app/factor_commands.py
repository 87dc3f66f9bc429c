"""The way back in for who lost every second factor: by the running server or on its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.accounts import queries
from tracer.accounts.factors import actions
from tracer.errors import NotFound

if TYPE_CHECKING:
    from tracer.storage.meta import Meta
    from tracer.storage.vault import Vault


def reset(meta: Meta, vault: Vault, *, email: str) -> dict[str, Any]:
    """Removes all second factors of a user and ends every login. NotFound without such a user."""
    with meta.write() as tx:
        user = queries.user_by_email(tx, email.strip())
        if user is None:
            raise NotFound(f"There is no account with the e-mail address {email}.")
        gone = actions.reset_factors(tx, vault, user.id)
    return {"email": user.email, "removed": gone}
