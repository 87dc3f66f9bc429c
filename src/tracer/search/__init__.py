"""`is:unresolved browser:Chrome timeout` -> Query -> portable conditions. Pure."""

from __future__ import annotations

from tracer.search.keys import tag_name
from tracer.search.model import Query, Term
from tracer.search.parse import Unreadable, format_query, parse

__all__ = ["Query", "Term", "Unreadable", "format_query", "parse", "tag_name"]
