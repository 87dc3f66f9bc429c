"""Background work of tokens: signing keys rotate by schedule, what has long ended is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.accounts.tokens import actions, keys
from tracer.accounts.tokens.model import DAY_MS

if TYPE_CHECKING:
    from tracer.kit.context import Tracer


def tend_tokens(tracer: Tracer) -> None:
    """Rotates a signing key that is old enough, and forgets retired keys and ended tokens."""
    settings, vault = tracer.settings, tracer.vault
    if settings.signing_key_days > 0:
        with tracer.meta.write() as tx:
            keys.rotate_if_old(
                tx,
                vault,
                settings.signing_key_days * DAY_MS,
                settings.signing_key_overlap_days * DAY_MS,
            )
    with tracer.meta.write() as tx:
        keys.forget_retired(tx, vault)
    with tracer.meta.write(unaudited="tokens that ended long ago") as tx:
        actions.forget_ended(tx)
