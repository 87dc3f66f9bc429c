"""The features of tracer, in order. A package that is not listed here is not there."""

from __future__ import annotations

from tracer import accounts, channels, ingest, issues, projects
from tracer.features import accounting, audit, dead_letters, feedback, filters, operations, quotas
from tracer.kit.feature import Feature

FEATURES: tuple[Feature, ...] = (
    channels.FEATURE,
    accounts.FEATURE,
    projects.FEATURE,
    ingest.FEATURE,
    issues.FEATURE,
    feedback.FEATURE,
    audit.FEATURE,
    accounting.FEATURE,
    dead_letters.FEATURE,
    operations.FEATURE,
    quotas.FEATURE,
    filters.FEATURE,
)
