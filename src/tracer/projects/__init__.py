"""Projects: their settings, their keys and DSNs, and the page that gets an SDK started."""

from __future__ import annotations

from tracer.kit.feature import Feature, Nav
from tracer.kit.permissions import Permission
from tracer.projects import api, pages, tasks

FEATURE = Feature(
    name="projects",
    routes=(*pages.groups, *api.groups),
    tasks={"erase_project": tasks.erase_project, "erase_blobs": tasks.erase_blobs},
    nav=Nav("Projects", "/projects/", "folders", order=70, can=Permission.PROJECT_READ),
)
