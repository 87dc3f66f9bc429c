"""What has happened to issues: past tense, ids only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IssueCreated:
    """The first event of an issue was stored."""

    project_id: int
    issue_id: int


@dataclass(frozen=True, slots=True)
class IssueRegressed:
    """A resolved issue was reopened by an event."""

    project_id: int
    issue_id: int


@dataclass(frozen=True, slots=True)
class IssuesChanged:
    """Issues of a project got events, or someone changed them. `created` counts the new ones."""

    project_id: int
    created: int = 0
