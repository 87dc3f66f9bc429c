"""Dead letters to look at, try, replay, discard and export; removing those that are too old."""

from __future__ import annotations

from tracer.features.dead_letters import pages, tasks
from tracer.kit.feature import Feature, SettingsLink
from tracer.kit.permissions import Permission

FEATURE = Feature(
    name="dead_letters",
    routes=(pages.routes,),
    tasks={"dead_letters.replay": tasks.replay, "dead_letters.discard": tasks.discard},
    every=tasks.SCHEDULE,
    settings=(
        SettingsLink(
            *("Dead letters", pages.PATH, "circle-alert", "organization"),
            order=70,
            can=Permission.PROJECT_WRITE,
        ),
        SettingsLink(
            *("All dead letters", pages.SERVER_PATH, "circle-alert", "server"),
            order=70,
            can=Permission.SERVER_ADMIN,
        ),
    ),
)
