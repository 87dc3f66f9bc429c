"""The Jinja filters: how times, numbers and sizes read.

A moment is unix milliseconds, unix seconds or a datetime.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from markupsafe import Markup

from tracer import clock

Moment = int | float | datetime | None

_MS_FROM = 100_000_000_000
_STEPS = ((86_400 * 365, "y"), (86_400 * 30, "mo"), (86_400, "d"), (3600, "h"), (60, "min"))
_UNITS = (
    (86_400 * 365, "year"),
    (86_400 * 30, "month"),
    (86_400, "day"),
    (3600, "hour"),
    (60, "minute"),
)


def seconds(moment: int | float | datetime) -> float:
    """A moment as unix seconds. Numbers of 100 thousand million and more are milliseconds."""
    if isinstance(moment, datetime):
        return moment.timestamp()
    return moment / 1000 if abs(moment) >= _MS_FROM else float(moment)


def ago(moment: Moment) -> str:
    """`just now`, `4 min ago`, `3 h ago`, `2 d ago`; `–` for None. The future is rounded: what
    ends a week from a moment ago ends `in 7 d`."""
    if moment is None:
        return "–"
    age = clock.now_s() - seconds(moment)
    for step, unit in _STEPS:
        if abs(age) >= step:
            return (
                f"{int(age // step)} {unit} ago" if age > 0 else f"in {round(-age / step)} {unit}"
            )
    return "just now"


def age(moment: Moment) -> str:
    """The short age for dense tables: `now`, `4min`, `3h`, `2d`."""
    if moment is None:
        return "–"
    passed = abs(clock.now_s() - seconds(moment))
    for step, unit in _STEPS:
        if passed >= step:
            return f"{int(passed // step)}{unit}"
    return "now"


def stamp(moment: Moment, *, precise: bool = False) -> str:
    """`2026-03-04 05:06:07 UTC`, with milliseconds when `precise`."""
    if moment is None:
        return "–"
    at = _datetime(moment)
    text = at.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{at.microsecond // 1000:03d} UTC" if precise else f"{text} UTC"


def iso(moment: Moment) -> str:
    """`2026-03-04T05:06:07.123Z`, as the API writes times; empty for None."""
    if moment is None:
        return ""
    return _datetime(moment).strftime("%Y-%m-%dT%H:%M:%S.") + (
        f"{_datetime(moment).microsecond // 1000:03d}Z"
    )


def when(moment: Moment, *, short: bool = False) -> str | Markup:
    """A <time> element: the age to read, the exact moment to hover; scripts keep it current."""
    if moment is None:
        return "–"
    return Markup('<time datetime="{}" title="{}" data-when="{}">{}</time>').format(
        iso(moment),
        stamp(moment),
        "short" if short else "long",
        age(moment) if short else ago(moment),
    )


def number(value: int | float | None) -> str:
    """`999`, `1.2k`, `34k`, `5.6m`, `7b`: at most four characters and a unit."""
    if value is None:
        return "–"
    size = float(abs(value))
    if size < 1000:
        return f"{value:g}" if isinstance(value, int) else f"{value:.3g}"
    for unit in ("k", "m", "b"):
        size /= 1000
        if size < 999.5 or unit == "b":
            break
    text = f"{size:.1f}".removesuffix(".0") if size < 9.95 else f"{size:.0f}"
    return f"{'-' if value < 0 else ''}{text}{unit}"


def full(value: int | float | None) -> str:
    """`1,234,567`."""
    return "–" if value is None else f"{value:,}"


def size(value: int | float | None) -> str:
    """Bytes: `512 B`, `1.4 KB`, `23 MB` (steps of 1,024)."""
    if value is None:
        return "–"
    left = float(value)
    if left < 1024:
        return f"{int(left)} B"
    for unit in ("KB", "MB", "GB", "TB"):
        left /= 1024
        if left < 1024 or unit == "TB":
            break
    return f"{left:.1f} {unit}" if left < 9.95 else f"{left:.0f} {unit}"


def plural(count: int | float, one: str, many: str = "") -> str:
    """`1 event`, `2 events`, `1,204 events`."""
    return f"{full(count)} {one if count == 1 else many or one + 's'}"


def ordinal(value: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    ending = "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10)
    return f"{value}{ending or 'th'}"


def duration(milliseconds: int | float | None) -> str:
    """`4 ms`, `1.25 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds:.3g} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.3g} s"
    total = int(milliseconds / 1000)
    for large, large_name, small, small_name in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if total >= large:
            rest = total % large // small
            head = f"{total // large} {large_name}"
            return f"{head} {rest} {small_name}" if rest else head
    return f"{total} s"


def bars(values: Sequence[int], height: int = 28) -> str:
    """An SVG path of bars for whole numbers: one every 4 units, 3 wide, standing on `height`."""
    peak = max(values, default=0)
    parts = []
    for index, value in enumerate(values):
        if value:
            size = max(round(value * (height - 1) / peak, 1), 1.5)
            parts.append(f"M{index * 4} {height}v-{size:g}h3v{size:g}z")
    return "".join(parts)


def spelled_age(moment: Moment) -> str:
    """The age in words for screen readers and Markdown: `3 hours ago`."""
    if moment is None:
        return "never"
    passed = clock.now_s() - seconds(moment)
    for step, unit in _UNITS:
        if abs(passed) >= step:
            text = plural(int(abs(passed) // step), unit)
            return f"{text} ago" if passed > 0 else f"in {text}"
    return "just now"


def pretty(value: Any) -> str:
    """Indented JSON for reading. It is escaped like any text: never put it into a script."""
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    except (TypeError, ValueError, RecursionError):
        return repr(value)


FILTERS = {
    "ago": ago,
    "age": age,
    "bars": bars,
    "bytes": size,
    "duration": duration,
    "full": full,
    "iso": iso,
    "json": pretty,
    "number": number,
    "ordinal": ordinal,
    "plural": plural,
    "spelled_age": spelled_age,
    "stamp": stamp,
    "when": when,
}


def _datetime(moment: int | float | datetime) -> datetime:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC)
    try:
        return datetime.fromtimestamp(seconds(moment), UTC)
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, UTC)
