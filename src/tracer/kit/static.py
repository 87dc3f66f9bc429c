"""The files under static/: read once, named by a hash of them all, cached by browsers for good."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".map": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
_COMPRESSED = (".css", ".js", ".mjs", ".svg", ".json", ".map", ".txt", ".md", ".webmanifest")
_FOREVER = "public, max-age=31536000, immutable"
_BRIEFLY = "public, max-age=60"


@dataclass(slots=True)
class _File:
    body: bytes
    content_type: str
    is_text: bool
    gzipped: bytes | None = None


class Static:
    """All static files in memory. A path that is not among them does not exist."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, _File] = {}
        digest = hashlib.blake2b(digest_size=6)
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if not path.is_file() or path.name.startswith("."):
                continue
            name = path.relative_to(folder).as_posix()
            body = path.read_bytes()
            digest.update(name.encode() + b"\0" + body + b"\0")
            kind = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0]
            self._files[name] = _File(
                body, kind or "application/octet-stream", path.suffix in _COMPRESSED
            )
        self.version = digest.hexdigest()
        self.prefix = f"/static/{self.version}/"

    def url(self, name: str) -> str:
        """The address of a file, for templates; KeyError when there is no such file."""
        if name not in self._files:
            raise KeyError(f"static/{name} does not exist")
        return self.prefix + name

    def answer(self, path: str, accept_encoding: str) -> Response | None:
        """The file behind `/static/<hash>/<name>`; None when there is none.

        A page loaded before an update may ask with the old hash: it gets the new file, briefly.
        """
        version, _, name = path.removeprefix("/static/").partition("/")
        file = self._files.get(name)
        if file is None:
            return None
        headers = {
            "cache-control": _FOREVER if version == self.version else _BRIEFLY,
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "same-origin",
        }
        body = file.body
        if file.is_text:
            headers["vary"] = "Accept-Encoding"
            if "gzip" in accept_encoding:
                if file.gzipped is None:
                    file.gzipped = gzip.compress(file.body, 6, mtime=0)
                body = file.gzipped
                headers["content-encoding"] = "gzip"
        return Response(body, 200, headers, file.content_type)
