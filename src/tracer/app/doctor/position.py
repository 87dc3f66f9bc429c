"""The digest position against the spool and the event store."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.app.doctor.model import ERROR, WARNING, Finding, Place, plural
from tracer.storage.spool.letters import reading


def position(place: Place) -> Iterator[Finding]:
    """Rows of frames that are not digested yet, and a spool that ends before the position."""
    found = place.ask("doctor_position")
    place.step()
    if found["beyond"]:
        yield Finding(
            ERROR if place.is_running else WARNING,
            "position",
            f"The event store has {plural(found['beyond'], 'row')} of frames after the position"
            f" {found['position']:,}.",
            "A crash left them; their frames are digested again, and they would be there twice.",
            "The next start removes them, as `tracer doctor --fix` does.",
            (("forget_beyond", {}),),
        )
    last_id = found["position"]
    if place.folder.spool.exists():
        with reading(place.folder.spool) as letters:
            last_id = letters.last_frame()
    if last_id < found["position"]:
        yield Finding(
            WARNING,
            "spool",
            f"The spool ends at frame {last_id:,}, digest is at {found['position']:,}.",
            "spool.db is older than meta.db, or a new one: what waited in the newer one is lost.",
            "The next start goes on after the position. Restore stores from one backup together.",
        )
