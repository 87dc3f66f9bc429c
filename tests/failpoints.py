"""Points in digest at which a test lets the process die, put between digest and what it is given.

`python tests/failpoints.py DATA STEP` runs a server in this process, sends to it and prints what is
acknowledged; at the step it ends as by `kill -9`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fatal_items
from harness import Running, envelope, running
from letter_steps import NEVER_AN_ENVELOPE
from tracer import clock
from tracer.kit.feature import Feature
from tracer.manifest import FEATURES
from tracer.storage.spool import NewFrame

STEPS = ("read", "prepare", "bury", "append", "commit", "forget")
EVENTS = 40
POISON = Feature(name="poison", items={"fatal": fatal_items.HANDLER})


class Between:
    """Passes everything on; calls `before` and `after` around the `turn`th call of one method, or
    around each when `turn` is None."""

    def __init__(
        self,
        inner: Any,
        method: str,
        *,
        before: Callable[[], None] = lambda: None,
        after: Callable[[], None] = lambda: None,
        turn: int | None = 2,
    ) -> None:
        self._inner = inner
        self._method = method
        self._before = before
        self._after = after
        self._turns = turn

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._call if name == self._method else found

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        if self._turns is not None:
            self._turns -= 1
        is_due = not self._turns
        if is_due:
            self._before()
        answer = getattr(self._inner, self._method)(*args, **kwargs)
        if is_due:
            self._after()
        return answer


def die() -> None:
    """As by `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(server: Running, step: str) -> None:
    """From now on digest dies at this step."""
    digest = server.tracer.digest
    stores = digest._stores
    if step == "read":
        digest._stores = replace(stores, spool=Between(stores.spool, "after", after=die, turn=5))
    elif step == "prepare":
        digest._lane = Between(digest._lane, "submit", after=die)
    elif step == "bury":
        stores.spool.letters = Between(stores.spool.letters, "bury", after=die)
    elif step == "append":
        digest._stores = replace(stores, events=Between(stores.events, "append", before=die))
    elif step == "commit":
        digest._stores = replace(stores, events=Between(stores.events, "append", after=die))
    elif step == "forget":
        digest._stores = replace(stores, spool=Between(stores.spool, "forget", before=die))


def send(server: Running) -> None:
    """Errors one after another, and now and then a frame that cannot be opened."""
    for number in range(EVENTS):
        event_id = clock.new_id()
        event = {"event_id": event_id, "message": f"step {'abcdefgh'[number % 8] * 3}"}
        raw = envelope({"event_id": event_id}, [({"type": "event"}, event)])
        if server.post_envelope(raw).status_code == 200:
            print(event_id, flush=True)
        if number % 10 == 5:
            head = b'{"kind":"envelope","encoding":""}'
            frame = NewFrame(server.project.id, "k", clock.now_s(), head, NEVER_AN_ENVELOPE)
            print("letter", server.tracer.spool.append_sync(frame), flush=True)
        server.tracer.digest.settle(0.05)


def main(data: str, step: str) -> None:
    with running(Path(data), (*FEATURES, POISON), digest_frame_s=1) as server:
        if step in STEPS:
            arm(server, step)
            send(server)
        server.digest()


if __name__ == "__main__":
    main(*sys.argv[1:])
