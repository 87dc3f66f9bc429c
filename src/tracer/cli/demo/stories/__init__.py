"""What goes wrong in the shop, by service."""

from __future__ import annotations

from tracer.cli.demo.stories import backend, edge, payments, storefront, worker
from tracer.cli.demo.world import Story

STORIES: tuple[Story, ...] = (
    *backend.STORIES,
    *storefront.STORIES,
    *payments.STORIES,
    *worker.STORIES,
    *edge.STORIES,
)
