"""The seven ways a request or command can be refused. Everything else that is raised is a bug."""

from __future__ import annotations


class Problem(Exception):
    """A refusal with a reason that may be shown to whoever asked. `status` is the HTTP status."""

    status = 500

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class Invalid(Problem):
    """The input cannot be understood or breaks a rule."""

    status = 400


class Forbidden(Problem):
    """In reach, but the permission is missing."""

    status = 403


class NotFound(Problem):
    """Not there, or out of reach: the two must look the same."""

    status = 404


class Conflict(Problem):
    """Clashes with what is stored: a taken name, a second server on one folder."""

    status = 409


class TooLarge(Problem):
    """Over a size limit."""

    status = 413


class RateLimited(Problem):
    """Over a rate limit or quota."""

    status = 429


class Unavailable(Problem):
    """Cannot be done now, may work later: full disk, full spool, shutting down."""

    status = 503
