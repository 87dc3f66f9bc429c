"""Replays recorded requests of real clients and notes what came of each.

PYTHONPATH=tests python -m wire.replay      # rewrites golden.json after a wanted change
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from harness import Running, running
from tracer import clock
from tracer.projects import actions

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
GOLDEN = HERE / "golden.json"
MANIFEST = json.loads((CORPUS / "manifest.json").read_text())
ENTRIES: dict[str, dict[str, Any]] = {entry["id"]: entry for entry in MANIFEST["entries"]}
#: When the recordings were made, for requests that do not say it themselves.
RECORDED_AT = "2026-11-23T18:50:00Z"

_PROJECTS = {1: "py", 2: "node", 3: "browser", 4: "cli", 5: "otel"}


@contextmanager
def server(folder: Path) -> Iterator[Running]:
    """The application with the five projects that the recordings name."""
    clock.set_clock(lambda: _moment(RECORDED_AT))
    try:
        with running(folder) as tracer:
            with tracer.meta.write() as tx:
                tx.execute("UPDATE projects SET slug = 'py' WHERE id = 1")
                for slug in list(_PROJECTS.values())[1:]:
                    actions.create_project(tx, tracer.org.id, slug, slug, "other")
                # Events quote their DSN: known keys make the results the same each time.
                tx.execute("UPDATE project_keys SET public_key = printf('%032x', project_id)")
            tracer.tracer.keys.refresh(tracer.meta.read())
            # The clock follows the recordings, and one SDK's fixture says it was sent in January:
            # a token is not valid before it was made, so it is made before the earliest of them.
            clock.set_clock(lambda: min(map(_sent_at, ENTRIES.values())))
            tracer.token()
            clock.set_clock(lambda: _moment(RECORDED_AT))
            yield tracer
    finally:
        clock.set_clock(None)


def replay(tracer: Running, entry: dict[str, Any]) -> dict[str, Any]:
    """Send one recorded request as it was, with keys of this server; what came of it."""
    clock.set_clock(lambda: _sent_at(entry))
    key = _keys(tracer)[_project_id(entry)]
    recorded = MANIFEST["public_key"]
    body = (CORPUS / entry["file"]).read_bytes() if entry["file"] else b""
    if not entry["content_encoding"]:
        body = body.replace(recorded.encode(), key.encode())
    headers = {
        name: value.replace(recorded, key)
        for name, value in entry["headers"]
        if name.lower() not in ("host", "content-length", "transfer-encoding", "connection")
    }
    if "/api/0/" in entry["path"]:
        headers["Authorization"] = f"Bearer {tracer.token()}"
    # sentry-cli was recorded with organization "acme" and project "web".
    path = entry["path"].replace(recorded, key).replace("/acme/", f"/{tracer.org.slug}/")
    path = path.replace("/web/", "/cli/")
    before = _outcomes(tracer)
    response = tracer.visitor.request(entry["method"], path, content=body, headers=headers)
    tracer.digest()
    return {
        "status": response.status_code,
        "outcomes": _since(before, _outcomes(tracer)),
        "events": _events(tracer, entry),
    }


def _project_id(entry: dict[str, Any]) -> int:
    parts = entry["path"].split("/")
    if parts[1:2] == ["api"] and parts[2].isdigit() and int(parts[2]) in _PROJECTS:
        return int(parts[2])
    in_query = re.search(r"dsn=[^&]*/(\d+)", entry["path"])
    dsn = in_query[1] if in_query else (entry.get("envelope_headers") or {}).get("dsn", "4")
    return int(dsn.rpartition("/")[2])


def _keys(tracer: Running) -> dict[int, str]:
    return dict(tracer.meta.read().rows("SELECT project_id, public_key FROM project_keys"))


def _outcomes(tracer: Running) -> dict[str, int]:
    tracer.tracer.digest.flush()
    rows = tracer.meta.read().rows(
        """
        SELECT category || ' ' || outcome || ' ' || reason, sum(quantity)
        FROM outcomes
        GROUP BY 1
        """
    )
    return dict(rows)


def _since(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {
        name.strip(): count - before.get(name, 0)
        for name, count in sorted(after.items())
        if count != before.get(name, 0)
    }


def _events(tracer: Running, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The stored events of a request, normalised, with the issue that each belongs to."""
    event_id = ((entry.get("envelope_headers") or {}).get("event_id") or "").replace("-", "")
    if not event_id or "event" not in (entry["item_types"] or ()):
        return []
    project = _PROJECTS[_project_id(entry)]
    path = f"/api/0/projects/{tracer.org.slug}/{project}/events/{event_id}/json/"
    found = tracer.api(path)
    assert found.status_code == 200, (path, found.text)
    return [found.json()]


def _sent_at(entry: dict[str, Any]) -> float:
    return _moment((entry.get("envelope_headers") or {}).get("sent_at"))


def _moment(text: str | None) -> float:
    return datetime.fromisoformat(text or RECORDED_AT).timestamp()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, server(Path(folder) / "data") as tracer:
        golden = {id_: replay(tracer, entry) for id_, entry in ENTRIES.items()}
    GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    print(f"wrote {GOLDEN} with {len(golden)} requests")


if __name__ == "__main__":
    main()
