"""Puts together how a running server observes itself: measures, samples, watch, own errors."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tracer.accounts import queries as accounts
from tracer.channels import mail
from tracer.errors import Invalid, Unavailable
from tracer.kit.collect import StoreCollector
from tracer.kit.otlp import Exporter
from tracer.kit.tracing import note_slow
from tracer.kit.watch import Stall, Watch
from tracer.storage import timing

if TYPE_CHECKING:
    from tracer.kit.context import Tracer
    from tracer.settings import Settings
    from tracer.storage.timing import SlowQuery

log = logging.getLogger("tracer.watch")

#: Waits between the tries of one mail.
PAUSES_S = (5.0, 30.0, 0.0)


def watch(settings: Settings) -> Watch:
    """The watch over a server; it is started with `observe`."""
    return Watch(stall_after_s=settings.stall_after_s, tell=announce)


def observe(stack: ExitStack, tracer: Tracer) -> None:
    """Begin to observe an open server; ends with the stack."""

    def note(query: SlowQuery) -> None:
        note_slow(query)
        tracer.samples.note_query(query)
        if tracer.settings.own_errors == "on":
            tracer.own_errors.note_query(query)
        tracer.metrics.slow_queries.labels(query.store).inc()

    stack.callback(timing.listen(note))
    tracer.metrics.add(StoreCollector(tracer))
    tracer.digest.timed = tracer.metrics.step
    if tracer.settings.own_errors == "on":
        logger = logging.getLogger("tracer")
        logger.addHandler(tracer.own_errors)
        stack.callback(logger.removeHandler, tracer.own_errors)
        tracer.samples.hear.append(tracer.own_errors.hear)
    if tracer.settings.otlp_endpoint:
        exporter = Exporter(tracer.settings.otlp_endpoint, tracer.settings.otlp_headers)
        stack.callback(exporter.close)
        tracer.samples.hear.append(exporter.hear)
    tracer.watch.start(tracer)
    stack.callback(tracer.watch.stop)


def announce(tracer: Tracer, stall: Stall, is_over: bool) -> None:
    """Mail every server administrator of a stall, past the task queue: that may be what stalls."""
    reader = tracer.meta.read()
    if not mail.is_configured(reader):
        return
    sign = stall.sign
    if is_over:
        title, paragraphs = f"Over: {sign.code}", [f"This is over: {sign.text}"]
    else:
        title, paragraphs = f"tracer needs attention: {sign.code}", [sign.text, sign.advice]
    link = tracer.network.public_url + "/settings/server/"
    content = mail.compose(
        tracer.templates, title, paragraphs, link=link, button="Look at the server"
    )
    for to in accounts.server_admins(reader):
        _send(tracer, to, title, content)


def _send(tracer: Tracer, to: str, title: str, content: mail.Content) -> None:
    """Try a few times; what cannot be sent is in the log and on the page all the same."""
    for pause_s in PAUSES_S:
        try:
            mail.send(tracer, to, title, content.text, content.html)
        except Unavailable as fault:
            log.warning("a stall could not be announced: %s", fault.detail)
            if tracer.closing:
                return
            time.sleep(pause_s)
        except Invalid as refusal:
            log.warning("a stall could not be announced: %s", refusal.detail)
            return
        else:
            return
