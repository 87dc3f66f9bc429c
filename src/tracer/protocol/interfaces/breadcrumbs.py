"""Breadcrumbs: what happened before the event, oldest first."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from tracer.protocol import scalars
from tracer.protocol.categories import LEVELS
from tracer.protocol.interfaces.level import level_name
from tracer.protocol.notes import Notes
from tracer.protocol.shape import MAX_BREADCRUMBS, MAX_MESSAGE, MAX_SHORT, Breadcrumb
from tracer.protocol.timestamps import parse_timestamp
from tracer.protocol.trim import shallow

_TEXTS = {
    "type": MAX_SHORT,
    "category": MAX_SHORT,
    "level": MAX_SHORT,
    "message": MAX_MESSAGE,
    "origin": MAX_SHORT,
    "event_id": MAX_SHORT,
}


def finish_breadcrumbs(data: dict[str, Any], drift_s: float, has_nulls: bool, notes: Notes) -> None:
    """`breadcrumbs` becomes `{"values": [...]}`; times in unix seconds, moved by `drift_s`."""
    breadcrumbs = data.get("breadcrumbs")
    if breadcrumbs is None:
        return
    if type(breadcrumbs) is list:
        data["breadcrumbs"] = breadcrumbs = {"values": breadcrumbs}
    crumbs = breadcrumbs["values"]
    if not crumbs:
        del data["breadcrumbs"]
        return
    for index, crumb in enumerate(crumbs):
        if has_nulls and None in crumb.values():
            scalars.without_nulls(crumb)
        given = crumb.get("timestamp")
        if given is not None:
            moment = parse_timestamp(given)
            if moment is None:
                path = f"breadcrumbs.values.{index}.timestamp"
                notes.add("invalid_data", path, "not a timestamp", given)
                del crumb["timestamp"]
            else:
                crumb["timestamp"] = moment + drift_s
        level = crumb.get("level")
        if level is not None and level not in LEVELS:
            crumb["level"] = level_name(level) or "info"


def repair_breadcrumbs(value: object, path: str, notes: Notes) -> dict[str, Any]:
    """A list or `{"values": …}` as `{"values": […]}`, the newest 200 of them."""
    found = scalars.values(value, path, notes) or []
    if len(found) > MAX_BREADCRUMBS:
        notes.add("too_many", path, f"the oldest {len(found) - MAX_BREADCRUMBS} were dropped")
        found = found[-MAX_BREADCRUMBS:]
    repaired = (_repair_crumb(one, f"{path}.values.{i}", notes) for i, one in enumerate(found))
    return {"values": [one for one in repaired if one is not None]}


def _repair_crumb(raw: object, path: str, notes: Notes) -> dict[str, Any] | None:
    if isinstance(raw, str):
        raw = {"message": raw}
    if not isinstance(raw, dict):
        if raw is not None:
            notes.add("invalid_data", path, "expected an object")
        return None
    try:
        return cast("dict[str, Any]", msgspec.convert(raw, Breadcrumb))
    except msgspec.ValidationError:
        pass
    crumb = scalars.texts(raw, _TEXTS, path, notes)
    moment = raw.get("timestamp")
    if isinstance(moment, (int, float, str)) and not isinstance(moment, bool):
        crumb["timestamp"] = moment if not isinstance(moment, str) else moment[:MAX_SHORT]
    elif moment is not None:
        notes.add("invalid_data", f"{path}.timestamp", "not a timestamp", moment)
    members = raw.get("data")
    if isinstance(members, str) and members:
        members = {"message": members}
    members = scalars.mapping(members, f"{path}.data", notes)
    if members is not None:
        crumb["data"] = shallow(members, f"{path}.data", notes)
    return crumb
