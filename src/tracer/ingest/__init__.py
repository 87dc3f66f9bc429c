"""Accepting what SDKs send, and digesting it."""

from __future__ import annotations

from tracer.ingest import attachments, client_reports, elsewhere, endpoint
from tracer.kit.feature import Feature

FEATURE = Feature(
    name="ingest",
    routes=(endpoint.routes, elsewhere.routes),
    items={"attachment": attachments.HANDLER, "client_report": client_reports.HANDLER},
)
