"""Programs with a real SDK in a process of their own, and what came of what they sent."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from serving import ORGANIZATION, PROJECT, Server

HERE = Path(__file__).parent
PYTHON_CLIENT = (sys.executable, str(HERE / "sdk" / "shop.py"))
#: The one that the development dependencies bring, for Debian's is too old for the SDK.
NODE_CLIENT = (str(Path(sys.executable).with_name("node")), str(HERE / "js" / "shop.mjs"))

T = TypeVar("T")


def run(
    client: tuple[str, ...],
    server: Server,
    scenario: str,
    options: dict[str, Any] | None = None,
    *,
    wait: bool = True,
    **arguments: Any,
) -> list[str]:
    """Run one scenario of a client and wait until its events are there; their ids."""
    request = {
        "dsn": server.dsn,
        "scenario": scenario,
        "options": options or {},
        "arguments": arguments,
    }
    done = subprocess.run(
        [*client, json.dumps(request)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    ids: list[str] = json.loads(done.stdout)
    for event_id in ids if wait else ():
        until(lambda event_id=event_id: find_event(server, event_id))
    return ids


def until(what: Callable[[], T | None], limit_s: float = 30) -> T:
    """Wait for something that is not at once there."""
    deadline = time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
    return found


def find_event(server: Server, event_id: str) -> dict[str, Any] | None:
    path = f"/api/0/projects/{ORGANIZATION}/{PROJECT}/events/{event_id}/"
    bearer = {"Authorization": f"Bearer {server.token}"}
    status, _, data = server.request("GET", path, headers=bearer)
    return json.loads(data) if status == 200 else None


def event(server: Server, event_id: str) -> dict[str, Any]:
    found = find_event(server, event_id)
    assert found is not None
    return found


def entry(event: dict[str, Any], kind: str) -> Any:
    """One part of an event, such as its exception."""
    [found] = [entry["data"] for entry in event["entries"] if entry["type"] == kind]
    return found


def issue(server: Server, event_id: str) -> dict[str, Any]:
    """The issue that an event belongs to."""
    found: dict[str, Any] = server.api(f"/api/0/issues/{event(server, event_id)['groupID']}/")
    return found


def page(server: Server, path: str) -> str:
    status, data = server.get(path)
    assert status == 200, (path, status)
    return data.decode()


def outcomes(server: Server, category: str) -> dict[str, int]:
    """Outcomes of a data category so far."""
    rows = server.rows(
        "SELECT outcome, sum(quantity) FROM outcomes WHERE category = ? GROUP BY 1", category
    )
    return dict(rows)
