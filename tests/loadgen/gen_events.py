"""Make a corpus of realistic Sentry error envelopes for sload.

A corpus file holds many templates. A template is one envelope whose JSON is fixed, in two parts:

  prefix   envelope header, item header and the first JSON fields, with "holes" for event_id,
           sent_at and timestamp, which sload fills when it sends
  suffix   all the rest (97-99 % of the bytes), already deflated

sload makes ONE valid gzip member of it (prefix as a stored block, then the deflated suffix, the CRC
by crc32_combine), so that every request has an event id and a time of its own, and compressing
costs nothing during the run.

The same arguments give the same corpus with the same Python.
"""

from __future__ import annotations

import argparse
import json
import struct
import zlib
from pathlib import Path

from made_events import HOLE_ID, HOLE_ISO, HOLE_TRACE, HOLE_UNIX, Gen

MAGIC = b"SLOAD02\0"
HOLES = {HOLE_ID: 0, HOLE_ISO: 1, HOLE_UNIX: 2, HOLE_TRACE: 3}  # as sload.c numbers them
PLATFORMS = {"python": 0, "javascript": 1, "java": 2}
GZIP_BYTES = 23  # a member's header and trailer, and the stored block's header
READABLE = 30

Size = tuple[int, int, int]


def record(
    issue: int, platform: str, prefix: bytes, suffix: bytes, level: int, plain: bool
) -> tuple[bytes, int]:
    """A template as sload.c reads it, and how many bytes it is on the wire."""
    holes = []
    for text, kind in HOLES.items():
        at = prefix.find(text.encode())
        while at >= 0:
            holes.append((at, kind))
            at = prefix.find(text.encode(), at + 1)
    if plain:
        blob = suffix
    else:
        deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
        blob = deflate.compress(suffix) + deflate.flush()
    lengths = (len(prefix), len(suffix), len(blob), zlib.crc32(suffix))
    kinds = (issue, PLATFORMS[platform], int(plain), len(holes))
    fixed = struct.pack("<IIIIIBBH", *lengths, *kinds)
    packed = fixed + b"".join(struct.pack("<II", *hole) for hole in holes) + prefix + blob
    return packed, len(prefix) + len(blob) + (0 if plain else GZIP_BYTES)


def quantile(values: list[int], share: float) -> int:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def describe(name: str, sizes: list[Size]) -> str:
    raw, sent, frames = ([size[part] for size in sizes] for part in range(3))
    return (
        f"{name:<10} n={len(sizes):5}"
        f"  json bytes p5/p50/p95 {'/'.join(str(quantile(raw, q)) for q in (0.05, 0.5, 0.95))}"
        f" mean {sum(raw) // len(raw)}"
        f"  sent bytes p50 {quantile(sent, 0.5)} mean {sum(sent) // len(sent)}"
        f"  frames p5/p50/p95 {'/'.join(str(quantile(frames, q)) for q in (0.05, 0.5, 0.95))}"
    )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("corpus.bin"))
    parser.add_argument("--templates", type=int, default=4000)
    parser.add_argument("--issues", type=int, default=200)
    parser.add_argument("--zipf", type=float, default=1.1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--level", type=int, default=9, help="of deflate; sentry-python uses 9")
    parser.add_argument(
        "--variable-messages",
        type=float,
        default=0.0,
        help="share of issues whose message differs event by event",
    )
    parser.add_argument(
        "--plain-javascript",
        action="store_true",
        help="JavaScript events are not compressed, as browsers send them",
    )
    parser.add_argument("--samples", type=Path, help="a folder for a few readable envelopes")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    events = Gen(
        seed=chosen.seed,
        issues=chosen.issues,
        zipf=chosen.zipf,
        variable_messages=chosen.variable_messages,
    )
    sizes: dict[str, list[Size]] = {name: [] for name in PLATFORMS}
    records, drawn = [], set()
    for number in range(chosen.templates):
        issue, prefix, suffix, raw = events.template()
        platform = issue["platform"]
        plain = chosen.plain_javascript and platform == "javascript"
        packed, sent = record(issue["idx"], platform, prefix, suffix, chosen.level, plain)
        records.append(packed)
        drawn.add(issue["idx"])
        thrown = json.loads(b"{" + suffix)["exception"]["values"][-1]
        sizes[platform].append((raw, sent, len(thrown["stacktrace"]["frames"])))
        if chosen.samples and number < READABLE:
            chosen.samples.mkdir(parents=True, exist_ok=True)
            readable = prefix.replace(HOLE_ID.encode(), b"%032x" % (number + 1)) + suffix
            (chosen.samples / f"{number:02d}-{platform}.envelope").write_bytes(readable)
    chosen.out.write_bytes(MAGIC + struct.pack("<I", len(records)) + b"".join(records))
    size_mb = chosen.out.stat().st_size / 1e6
    print(f"{len(records)} templates of {len(drawn)} issues, {size_mb:.1f} MB")
    sizes["all"] = [size for rows in sizes.values() for size in rows]
    for name, rows in sizes.items():
        if rows:
            print(describe(name, rows))


if __name__ == "__main__":
    main()
