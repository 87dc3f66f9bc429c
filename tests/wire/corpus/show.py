"""Print a recorded request, decoded.

python tests/wire/corpus/show.py ID [CHARACTERS]      # at most so many characters of each item
python tests/wire/corpus/show.py --list [TEXT]        # the requests whose line holds TEXT
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from pathlib import Path
from typing import Any

import brotli
import zstandard

HERE = Path(__file__).resolve().parent
DECODERS = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}
DEFAULT_CHARACTERS = 2000


def entries() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((HERE / "manifest.json").read_text())["entries"]
    return found


def decoded(entry: dict[str, Any]) -> bytes:
    body = (HERE / entry["file"]).read_bytes() if entry["file"] else b""
    encoding = entry["content_encoding"]
    return DECODERS[encoding](body) if encoding in DECODERS else body


def items(data: bytes) -> tuple[Any, list[tuple[Any, bytes]]]:
    """The header of an envelope, and header and payload of each of its items."""
    first, _, rest = data.partition(b"\n")
    found = []
    while rest.strip():
        line, _, rest = rest.lstrip(b"\n").partition(b"\n")
        header = json.loads(line)
        end = header.get("length", rest.find(b"\n"))
        end = len(rest) if end < 0 else end
        found.append((header, rest[:end]))
        rest = rest[end + 1 :]
    return json.loads(first), found


def line(entry: dict[str, Any]) -> str:
    types = ",".join(map(str, entry["item_types"] or []))
    path = entry["path"].partition("?")[0]
    encoding = entry["content_encoding"] or "-"
    request = f"{entry['id']:<24} {entry['method']:<6} {encoding:<5}"
    return f"{request} {entry['scenario']:<42} {types} {path}"


def show(entry: dict[str, Any], characters: int) -> None:
    about = {k: v for k, v in entry.items() if k not in ("items", "envelope_headers")}
    print(json.dumps(about, indent=1))
    data = decoded(entry)
    if not entry["items"]:
        print(data[:characters].decode(errors="replace"))
        return
    header, found = items(data)
    print("ENVELOPE", json.dumps(header))
    for item, payload in found:
        print("ITEM", json.dumps(item))
        print("  ", payload[:characters].decode(errors="replace"))


def main(arguments: list[str]) -> None:
    if not arguments:
        sys.exit(__doc__)
    wanted = arguments[1] if arguments[1:] else ""
    if arguments[0] == "--list":
        print("\n".join(text for text in map(line, entries()) if wanted in text))
        return
    found = [entry for entry in entries() if entry["id"] == arguments[0]]
    if not found:
        sys.exit(f"no request {arguments[0]!r}; --list names them")
    show(found[0], int(wanted or DEFAULT_CHARACTERS))


if __name__ == "__main__":
    main(sys.argv[1:])
