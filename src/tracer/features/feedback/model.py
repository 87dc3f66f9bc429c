"""What users say about what went wrong: records and limits. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OPEN: Final = 0
DONE: Final = 1
SPAM: Final = 2

STATUSES: Final = {"open": OPEN, "done": DONE, "spam": SPAM}
STATUS_NAMES: Final = {number: name for name, number in STATUSES.items()}

MAX_MESSAGE: Final = 4096
MAX_NAME: Final = 128
MAX_EMAIL: Final = 254
MAX_URL: Final = 2048
MAX_SOURCE: Final = 40


@dataclass(frozen=True, slots=True)
class Feedback:
    """One message of a user. `issue_*` are of the issue it is about, if that is known."""

    id: int
    project_id: int
    project_slug: str
    feedback_id: str
    event_id: str | None
    issue_id: int | None
    issue_number: int | None
    issue_title: str | None
    source: str
    name: str
    email: str
    message: str
    url: str
    environment: str | None
    release: str | None
    status: int
    created_at: int

    @property
    def status_name(self) -> str:
        return STATUS_NAMES[self.status]

    @property
    def issue_name(self) -> str | None:
        if self.issue_number is None:
            return None
        return f"{self.project_slug.upper()}-{self.issue_number}"

    @property
    def link(self) -> str | None:
        """The page that it was sent from, if it can be followed safely."""
        return self.url if self.url.startswith(("http://", "https://")) else None
