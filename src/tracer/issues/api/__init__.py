"""Issues and their events for programs, as Sentry shapes them."""

from __future__ import annotations

from tracer.issues.api import events, listing, one

groups = (listing.routes, one.routes, events.routes)
