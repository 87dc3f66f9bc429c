"""What changed since a frame became a dead letter: program, grouping rules, the project's rules."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tracer.ingest.letters import Conditions

if TYPE_CHECKING:
    from tracer.storage.spool import DeadLetter

_NAMES = {
    "defaults": "Default scrubbing",
    "scrub_ip": "Removal of IP addresses",
    "sensitive": "Sensitive names",
    "safe": "Safe names",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One condition, as texts: when it failed and now."""

    name: str
    before: str
    after: str


def conditions_of(letter: DeadLetter) -> Conditions | None:
    """What digest worked with; None when it was not noted."""
    try:
        return msgspec.json.decode(letter.conditions, type=Conditions)
    except msgspec.MsgspecError:
        return None


def changes(before: Conditions, after: Conditions) -> list[Change]:
    """What is not the same."""
    found = [
        Change("tracer", before.tracer, after.tracer),
        Change("Grouping version", str(before.grouping), str(after.grouping)),
        Change("Project", _project(before), _project(after)),
    ]
    if before.scrub is not None and after.scrub is not None:
        old, new = asdict(before.scrub), asdict(after.scrub)
        found += [
            Change(_NAMES.get(name, name), _text(old.get(name)), _text(new[name])) for name in new
        ]
    return [change for change in found if change.before != change.after]


def _project(conditions: Conditions) -> str:
    return "not there" if conditions.scrub is None else "there"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
