"""Quotas to look at and to set: use, forecast, what one would have dropped; and spikes."""

from tracer.features.quotas import api, pages, tasks
from tracer.ingest.facts import SpikeBegan
from tracer.kit.feature import Feature, SettingsLink, Slot
from tracer.kit.permissions import Permission

FEATURE = Feature(
    name="quotas",
    routes=(pages.routes, api.routes),
    tasks={tasks.SPIKE_TASK: tasks.tell_spike},
    every=tasks.SCHEDULE,
    after=((SpikeBegan, tasks.note_spike),),
    settings=(
        SettingsLink(
            "Quotas", pages.PATH, "activity", "organization", order=70, can=Permission.ORG_READ
        ),
        SettingsLink(
            "Quotas", pages.OF_PROJECT, "activity", "project", can=Permission.PROJECT_READ
        ),
    ),
    slots=(Slot("page.top", pages.NOTICES),),
)
