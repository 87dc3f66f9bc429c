"""What a policy says, as a sentence. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tracer.accounts.policies.model import Draft, Names, clock_time
from tracer.kit.policy import Conditions, Hours, Requirements

_DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_KINDS = {"user": "people", "token": "tokens"}
#: So many names are spelt out; more are counted.
_SPELT = 4


def sentence(draft: Draft, names: Names) -> str:
    """The whole policy in words."""
    c = draft.conditions
    if draft.effect == "deny":
        return f"{_whom(c, names)} may not {_what(c, names)}{_when(c)}."
    return f"{_whom(c, names)} need {_needs(draft.requirements)} to {_what(c, names)}{_when(c)}."


def _whom(c: Conditions, names: Names) -> str:
    kinds = " and ".join(_KINDS[kind] for kind in c.actor_kinds)
    parts = [kinds.capitalize() or "People and tokens"]
    if c.roles:
        parts.append(f"with the role {_any(c.roles)}")
    if c.team_ids:
        parts.append(f"of {_called('team', c.team_ids, names.teams)}")
    if c.second_factor is not None:
        parts.append("with a second factor" if c.second_factor else "without a second factor")
    return " ".join(parts)


def _what(c: Conditions, names: Names) -> str:
    does = f"use {_any(c.permissions)}" if c.permissions else "do anything"
    if c.environments:
        does = f"see events of {_plural('environment', c.environments)} {_any(c.environments)}"
    if c.project_ids:
        does += f" in {_called('project', c.project_ids, names.projects)}"
    return does


def _when(c: Conditions) -> str:
    parts = []
    if c.addresses:
        parts.append(f" from {_any(c.addresses)}")
    if c.hours is not None:
        parts.append(f" {hours_text(c.hours)}")
    return "".join(parts)


def _needs(r: Requirements) -> str:
    parts = []
    if r.second_factor:
        parts.append("a second factor")
    if r.addresses:
        parts.append(f"an address in {_any(r.addresses)}")
    if r.actor_kinds:
        parts.append("a login" if r.actor_kinds == ("user",) else "a token")
    if r.hours is not None:
        parts.append(f"to come {hours_text(r.hours)}")
    return " and ".join(parts)


def hours_text(hours: Hours) -> str:
    """ "on Mon–Fri from 09:00 to 17:00 (Europe/Berlin)"."""
    night = " of the next day" if hours.end_minute < hours.start_minute else ""
    times = f"from {clock_time(hours.start_minute)} to {clock_time(hours.end_minute)}{night}"
    if (hours.start_minute, hours.end_minute) == (0, 1440):
        times = "all day"
    return f"on {_days(hours.days)} {times} ({hours.zone})"


def _days(days: tuple[int, ...]) -> str:
    ordered = sorted(set(days))
    if len(ordered) == 7:
        return "every day"
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{_DAY_NAMES[ordered[0]]}–{_DAY_NAMES[ordered[-1]]}"
    return ", ".join(_DAY_NAMES[day] for day in ordered)


def _called(kind: str, ids: tuple[int, ...], known: Mapping[int, tuple[str, str]]) -> str:
    shown = [known[id_][1] if id_ in known else f"(deleted {kind})" for id_ in ids]
    return f"{_plural(kind, ids)} {_any(shown)}"


def _plural(noun: str, values: tuple[object, ...]) -> str:
    return noun if len(values) == 1 else f"{noun}s"


def _any(values: Iterable[str]) -> str:
    found = list(values)
    if len(found) > _SPELT + 1:
        found = [*found[:_SPELT], f"{len(found) - _SPELT} more"]
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"
