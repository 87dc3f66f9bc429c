"""Tables of the wire: item type -> data category, event levels."""

from __future__ import annotations

ITEM_CATEGORY: dict[str, str] = {
    "event": "error",
    "raw_security": "security",
    "security": "security",
    "nel": "security",
    "unreal_report": "error",
    "form_data": "error",
    "transaction": "transaction",
    "span": "span",
    "otel_span": "span",
    "session": "session",
    "sessions": "session",
    "attachment": "attachment",
    "user_report": "feedback",
    "feedback": "feedback",
    "client_report": "internal",
    "log": "log_item",
    "otel_log": "log_item",
    "trace_metric": "trace_metric",
    "statsd": "metric_bucket",
    "metric_buckets": "metric_bucket",
    "metric_meta": "metric_bucket",
    "check_in": "monitor",
    "profile": "profile",
    "profile_chunk": "profile_chunk",
    "profile_chunk_ui": "profile_chunk_ui",
    "replay_event": "replay",
    "replay_recording": "replay",
    "replay_video": "replay",
    "integration": "default",
}
"""Every item type that clients send or that is reserved; categories as in X-Sentry-Rate-Limits."""

QUOTA_CATEGORIES: dict[str, tuple[str, ...]] = {
    "error": ("default", "error", "security"),
    "transaction": ("transaction",),
    "span": ("span",),
    "session": ("session",),
    "attachment": ("attachment",),
    "feedback": ("feedback",),
    "replay": ("replay",),
    "profile": ("profile", "profile_chunk", "profile_chunk_ui"),
    "monitor": ("monitor",),
    "log_item": ("log_item",),
    "trace_metric": ("trace_metric", "metric_bucket"),
}
"""What quotas are set for -> the categories counted together, as Sentry's quota of errors is."""

UNKNOWN_CATEGORY = "unknown"

CONTAINERS: frozenset[str] = frozenset(
    ("span", "otel_span", "log", "otel_log", "trace_metric", "metric_buckets", "sessions")
)
"""Item types that hold several things of their category: `item_count` says how many."""

LEVELS: dict[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "fatal": 50}
LEVEL_NAMES: dict[int, str] = {number: name for name, number in LEVELS.items()}


def category_of(item_type: str) -> str:
    """The data category that quotas and outcomes count an item type under."""
    return ITEM_CATEGORY.get(item_type, UNKNOWN_CATEGORY)
