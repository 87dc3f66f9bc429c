"""Background work of second factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.accounts.factors import actions, flow

if TYPE_CHECKING:
    from tracer.kit.context import Tracer


def delete_expired(tracer: Tracer) -> None:
    """Removes logins half done and remembered devices whose time is over."""
    with tracer.meta.write(unaudited="expiry") as tx:
        actions.delete_expired(tx)


def write_refusals(tracer: Tracer) -> None:
    """Writes wrong second factors into the audit log."""
    flow.refusals.write(tracer.meta)
