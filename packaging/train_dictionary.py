"""Make src/tracer/storage/dictionary-0.zstd, the dictionary that a new installation starts with.

    .venv/bin/python packaging/train_dictionary.py

It learns from made-up events only: those of the load generator and the recorded test programs,
as digest would store them. Lines of source code are left out, for they are other people's.

Never replace a dictionary once it was released: stored events need the very same bytes. Ship a
better one under another name and id instead.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tracer.grouping import group
from tracer.protocol.envelope import Limits, parse_envelope
from tracer.protocol.event import decode_event
from tracer.storage import codec

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/tracer/storage/dictionary-0.zstd"
SEEDS = (101, 102, 103, 104, 105, 106)
EVENTS_A_SEED = 80
SOURCE = ("pre_context", "context_line", "post_context")

sys.path.insert(0, str(ROOT / "tests/loadgen"))


def main() -> None:
    """Train, write, and say how well it does on events it has not seen."""
    samples = [sample for seed in SEEDS for sample in generated(seed, EVENTS_A_SEED)]
    samples += recorded() * 2
    random.Random(1).shuffle(samples)  # noqa: S311 - the same dictionary every time
    TARGET.write_bytes(codec.train(samples))
    check = list(generated(999, 200))
    packed = sum(len(codec.Codec({}).encode(sample)[1]) for sample in check)
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes of {len(samples)} samples,")
    print(f"{sum(map(len, check)) / packed:.2f} times smaller without source lines")


def generated(seed: int, count: int) -> Iterator[bytes]:
    """Events of the load generator, with an issue, users and releases of each seed's own."""
    from made_events import Gen

    generator = Gen(seed=seed, issues=count, zipf=0.0)
    for _ in range(count):
        _, prefix, suffix, _ = generator.template()
        yield from stored(prefix + suffix)


def recorded() -> list[bytes]:
    """Events that real SDKs sent from test programs."""
    files = sorted((ROOT / "tests/wire/corpus").glob("*/*.envelope"))
    return [sample for file in files for sample in stored(file.read_bytes())]


def stored(envelope: bytes) -> Iterator[bytes]:
    """The payloads that digest would store for an envelope, without lines of source code."""
    parsed = parse_envelope(envelope, Limits())
    for item in parsed.items:
        if item.type != "event":
            continue
        event = decode_event(
            bytes(item.payload),
            project_id=1,
            envelope=parsed.headers,
            received_at=1_800_000_000.0,
            client_ip=None,
            user_agent=None,
        )
        grouping = group(event)
        event.data["grouping"] = {
            "version": grouping.version,
            "hashes": grouping.hashes,
            "components": grouping.components,
        }
        yield msgspec.json.encode(without_source(event.data))


def without_source(value: Any) -> Any:
    """The same JSON with the text of source lines taken out; their keys stay."""
    if isinstance(value, dict):
        return {
            key: blank(item) if key in SOURCE else without_source(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [without_source(item) for item in value]
    return value


def blank(lines: Any) -> Any:
    return ["" for _ in lines] if isinstance(lines, list) else ""


if __name__ == "__main__":
    main()
