"""The pages of projects: list and creation, settings, keys, the start page, deleting all."""

from tracer.projects.pages import closing, index, keys, settings, start

groups = (index.routes, settings.routes, keys.routes, start.routes, closing.routes)
