"""Background work of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.accounts import actions

if TYPE_CHECKING:
    from tracer.kit.context import Tracer


def delete_expired_logins(tracer: Tracer) -> None:
    """Removes logins that can no longer be used."""
    with tracer.meta.write() as tx:
        actions.delete_expired_logins(tx)
