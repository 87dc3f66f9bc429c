"""Short ways to write events for the tables of grouping cases."""

from __future__ import annotations

import json
from typing import Any

from tracer.grouping import Grouping, group
from tracer.protocol.event import Event, decode_event


def frame(
    function: str = "", where: str = "", /, *, app: bool = True, **more: Any
) -> dict[str, Any]:
    """`where` is a module unless it looks like a path."""
    made: dict[str, Any] = {"in_app": app, **more}
    if function:
        made["function"] = function
    if where:
        is_path = where.startswith((*"/<~", "app/", "C:")) or "://" in where
        made["filename" if is_path else "module"] = where
    return made


def stack(*functions: str, app: bool = True) -> list[dict[str, Any]]:
    """Frames from `module.function` names, oldest first."""
    return [frame(name.rpartition(".")[2], name.rpartition(".")[0], app=app) for name in functions]


def exception(kind: str, value: str = "", frames: list[Any] | None = None, **mechanism: Any) -> Any:
    made: dict[str, Any] = {"type": kind, "value": value}
    if frames:
        made["stacktrace"] = {"frames": frames}
    if mechanism:
        made["mechanism"] = {"type": "generic", **mechanism}
    return {key: content for key, content in made.items() if content != ""}


def event(*exceptions: Any, platform: str = "python", **data: Any) -> Event:
    made: dict[str, Any] = {"platform": platform, **data}
    if exceptions:
        made["exception"] = {"values": list(exceptions)}
    return decode_event(
        json.dumps(made).encode(),
        project_id=1,
        envelope={},
        received_at=1_800_000_000.0,
        client_ip=None,
        user_agent=None,
    )


def message(template: str, formatted: str = "", **data: Any) -> Event:
    entry = {"message": template, "formatted": formatted or template}
    return event(logentry=entry, **data)


def grouped(made: Event) -> Grouping:
    return group(made)


def same(first: Event, second: Event) -> bool:
    return group(first).hashes[0] == group(second).hashes[0]


def counted(grouping: Grouping) -> list[str]:
    """Names of the parts that contribute."""
    return [part["name"] for part in grouping.components["parts"] if part["contributes"]]
