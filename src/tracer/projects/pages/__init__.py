"""The pages of projects: list and creation, settings, keys, the start page."""

from tracer.projects.pages import index, keys, settings, start

groups = (index.routes, settings.routes, keys.routes, start.routes)
