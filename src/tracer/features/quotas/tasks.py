"""Telling those who manage a project or organization of quotas that are exceeded and of spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer import clock
from tracer.channels import mail
from tracer.features.quotas import queries
from tracer.kit.tasks import Every
from tracer.projects.quotas import actions
from tracer.projects.quotas import queries as quotas
from tracer.projects.quotas.model import Quota, Use, month_began

if TYPE_CHECKING:
    from tracer.ingest.facts import SpikeBegan
    from tracer.kit.context import Tracer
    from tracer.storage.meta import Tx

SPIKE_TASK = "quotas.tell_spike"
DAY_MS = 86_400_000


def tell_exceeded(tracer: Tracer) -> None:
    """Mails about quotas that were exceeded: once a month for one of a month, once a day for one
    of a short window."""
    for quota, use in quotas.every_quota(tracer.meta.read()):
        if not _is_due(quota, use):
            continue
        with tracer.meta.write(unaudited="a mail about what a page shows") as tx:
            actions.mark_told(tx, quota.id)
            _tell_exceeded(tx, tracer, quota, use)


def note_spike(tracer: Tracer, fact: SpikeBegan) -> None:
    """Has a mail sent about a spike that began."""
    with tracer.meta.write(unaudited="a mail about what a page shows") as tx:
        tx.enqueue(SPIKE_TASK, spike_id=fact.spike_id)


def tell_spike(tracer: Tracer, *, spike_id: int) -> None:
    """Mails those who manage a project about its spike."""
    with tracer.meta.write(unaudited="a mail about what a page shows") as tx:
        spike = queries.spike(tx, spike_id)
        names = queries.project_names(tx, spike.project_id) if spike else None
        if spike is None or names is None:
            return
        organization_id, slug, name = names
        began = clock.from_ms(spike.began_at).strftime("%H:%M UTC")
        sentences = [
            f"Since {began} {name} gets more errors than the {spike.threshold:,} an hour that are "
            "usual for it.",
            "Until it is over, more events of issues that are known are not stored. The first "
            "events of new issues are.",
        ]
        link = f"{tracer.network.public_url}/projects/{slug}/quotas/"
        addresses = queries.who_manages(tx, organization_id, spike.project_id)
        _send(tx, tracer, addresses, f"A spike of errors in {name}", sentences, link)


SCHEDULE = (Every(20, tell_exceeded),)


def _is_due(quota: Quota, use: Use) -> bool:
    if use.over_at is None:
        return False
    if use.told_at is None:
        return True
    since = month_began(use.over_at) if quota.is_month else use.over_at - DAY_MS
    return use.told_at < since


def _tell_exceeded(tx: Tx, tracer: Tracer, quota: Quota, use: Use) -> None:
    place, path = "the organization", "/settings/quotas/"
    if quota.project_id is not None:
        names = queries.project_names(tx, quota.project_id)
        if names is None:
            return
        place, path = names[2], f"/projects/{names[1]}/quotas/"
    owner = f"a key of {place}" if quota.key_id is not None else place
    kind = "hard" if quota.is_hard else "soft"
    at = clock.from_ms(use.over_at or 0).strftime("%d %B %Y, %H:%M UTC").lstrip("0")
    happens = (
        "What is more is not stored, and SDKs are told to wait."
        if quota.is_hard
        else "Everything is stored as before."
    )
    sentences = [f"On {at}, the {kind} quota of {quota.text} was exceeded for {owner}. {happens}"]
    addresses = queries.who_manages(tx, quota.organization_id, quota.project_id)
    link = f"{tracer.network.public_url}{path}"
    _send(tx, tracer, addresses, f"A quota of {owner} is exceeded", sentences, link)


def _send(
    tx: Tx, tracer: Tracer, addresses: list[str], title: str, sentences: list[str], link: str
) -> None:
    if not mail.is_configured(tx):
        return
    content = mail.compose(
        tracer.templates, title, sentences, link=link, button="Look at the quotas"
    )
    subject = "".join(char for char in title if char.isprintable())[: mail.SUBJECT_MAX]
    for address in addresses:
        mail.enqueue(tx, tracer.vault, address, subject, content.text, content.html)
