"""Serves the shop's page and the SDK's modules to the browser, on an origin of its own."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "js"
PACKAGES = FOLDER / "node_modules"


@contextlib.contextmanager
def shop_site() -> Iterator[str]:
    """The site's address while it is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, directory=str(FOLDER)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Pages(SimpleHTTPRequestHandler):
    """Files of the folder; the page gets its import map."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/shop.html":
            super().do_GET()
            return
        body = (FOLDER / "shop.html").read_text().replace("IMPORT_MAP", import_map()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def guess_type(self, path: Any) -> str:
        return {".html": "text/html", ".map": "application/json"}.get(
            Path(path).suffix, "text/javascript"
        )

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@cache
def import_map() -> str:
    """Where a browser finds each module that the SDK imports by its package's name."""
    imports = {}
    for manifest in (
        *PACKAGES.glob("@sentry/*/package.json"),
        PACKAGES / "web-vitals/package.json",
    ):
        package = json.loads(manifest.read_text())
        folder = "/" + manifest.parent.relative_to(FOLDER).as_posix()
        for name, target in (package.get("exports") or {}).items():
            file = browser_file(target)
            if file:
                imports[package["name"] + name[1:]] = folder + file[1:]
    return json.dumps({"imports": imports})


def browser_file(target: Any) -> str | None:
    """The ES module among the conditions of an entry of `exports`."""
    if isinstance(target, str):
        return target if target.endswith((".js", ".mjs")) else None
    for condition in ("production", "import", "default"):
        if isinstance(target, dict) and condition in target:
            return browser_file(target[condition])
    return None
