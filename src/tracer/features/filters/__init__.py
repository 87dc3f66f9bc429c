"""Inbound filters of a project: what they are set to, what they did, what they would do."""

from __future__ import annotations

from tracer.features.filters import api, pages
from tracer.kit.feature import Feature, SettingsLink
from tracer.kit.permissions import Permission

FEATURE = Feature(
    name="filters",
    routes=(pages.routes, api.routes),
    settings=(
        SettingsLink(
            *("Inbound filters", "/projects/{slug}/filters/", "list-filter", "project"),
            order=50,
            can=Permission.PROJECT_READ,
        ),
    ),
)
