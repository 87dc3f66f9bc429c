"""An application that is sent hostile text, and its owner's browser."""

from __future__ import annotations

from typing import Any

from harness import Running
from security.door import Answer, Door
from tracer import clock

FINGERPRINT = ["same"]


class Shown:
    """An application that was sent hostile text, and its owner's browser."""

    def __init__(self, app: Running) -> None:
        self.app = app
        self.door = Door(app.app.site)
        browser = app.login()
        self.cookie = f"tracer_login={browser.cookies['tracer_login']}"
        self.places: dict[str, str] = {}

    def send(self, events: dict[str, dict[str, Any]]) -> None:
        """Events by the place of their hostile text; all of one issue."""
        for place, event in events.items():
            body = {**event, "timestamp": clock.now_s()}
            body.setdefault("fingerprint", FINGERPRINT)
            self.places[place] = self.app.send(body, digest=False)
        self.app.digest()

    def page(self, path: str) -> Answer:
        return self.door.ask("GET", path, {"cookie": self.cookie})

    def issue_of(self, event_id: str) -> int:
        found = self.app.meta.read().value(
            "SELECT issue_id FROM recent_events WHERE event_id = unhex(:id)", id=event_id
        )
        assert found is not None, "the event was not stored"
        return int(found)

    def pages_without_places(self) -> list[str]:
        """Every page whose address needs no value."""
        return [
            route.path
            for route in self.app.app.table.routes
            if route.method == "GET" and "{" not in route.path and not route.is_api
            if not route.path.startswith("/live/")
        ]
