"""The HTML pages of issues: the list, and one issue with its events."""

from tracer.issues.pages import detail, index

groups = (index.routes, detail.routes)
