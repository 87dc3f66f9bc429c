"""Projects and their keys for programs, as Sentry shapes them."""

from tracer.projects.api import keys, projects

groups = (projects.routes, keys.routes)
