"""The audit log to read: its page, API and exports, the check of its chain, its retention."""

from tracer.features.audit import api, pages, tasks
from tracer.kit.feature import Feature, SettingsLink
from tracer.kit.permissions import Permission

FEATURE = Feature(
    name="audit",
    routes=(pages.routes, api.routes),
    every=tasks.SCHEDULE,
    settings=(
        SettingsLink(
            "Audit log", pages.PATH, "history", "organization", order=80, can=Permission.ORG_WRITE
        ),
    ),
)
