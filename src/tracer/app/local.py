"""Commands on a data folder: by the server that runs on it, else by opening the folder here."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tracer.app import founding, showcase
from tracer.errors import Conflict
from tracer.kit import control
from tracer.storage.folder import Folder
from tracer.storage.meta import Meta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.settings import Settings

PATIENCE_S = 10.0


def url_of(settings: Settings) -> str:
    """Where people find the server of these settings."""
    if settings.url:
        return settings.url
    host = settings.host
    if host in ("0.0.0.0", "::", ""):  # noqa: S104
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def commands(meta: Meta, url: str) -> Mapping[str, control.Command]:
    """What can be asked of a server through its control socket."""
    return {
        "setup": partial(founding.set_up, meta, url),
        "token": partial(founding.make_token, meta),
        "demo_project": partial(showcase.open_project, meta, url),
        "demo_triage": partial(showcase.triage, meta),
    }


def run(settings: Settings, command: str, **arguments: Any) -> Any:
    """Run a command; waits while another process is just starting or ending on the folder."""
    folder = Folder(settings.data)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = control.call(folder.control, command, **arguments)
        if answer is not None:
            return answer
        try:
            folder.lock()
            break
        except Conflict:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    try:
        meta = Meta(folder.meta)
        try:
            return commands(meta, url_of(settings))[command](**arguments)
        finally:
            meta.close()
    finally:
        folder.unlock()
