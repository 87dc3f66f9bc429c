"""A picture as a customer's page would look: blocks in colour, written as PNG."""

from __future__ import annotations

import struct
import zlib
from random import Random

_WIDTH, _HEIGHT = 480, 270
_PAPER, _INK, _LINE = (250, 250, 251), (60, 64, 74), (222, 224, 230)
_ACCENTS = ((48, 110, 220), (16, 142, 96), (206, 92, 40))


def screenshot(random: Random) -> bytes:
    """A PNG of a checkout page: a bar, lines with prices, and a wrong total in red."""
    rows = [[_PAPER] * _WIDTH for _ in range(_HEIGHT)]
    accent = random.choice(_ACCENTS)
    _fill(rows, 0, 0, _WIDTH, 34, accent)
    _fill(rows, 16, 12, 70, 10, (255, 255, 255))
    for number in range(4):
        top = 58 + number * 34
        _fill(rows, 24, top, 22, 22, _LINE)
        _fill(rows, 58, top + 6, random.randint(90, 210), 8, _INK)
        _fill(rows, _WIDTH - 84, top + 6, 60, 8, _INK)
        _fill(rows, 24, top + 28, _WIDTH - 48, 1, _LINE)
    _fill(rows, _WIDTH - 124, 204, 100, 12, (200, 40, 48))
    _fill(rows, _WIDTH - 124, 228, 100, 24, accent)
    raw = b"".join(b"\x00" + bytes(value for pixel in row for value in pixel) for row in rows)
    head = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(raw, 9))
        + _chunk(b"IEND", b"")
    )


def _fill(
    rows: list[list[tuple[int, int, int]]],
    left: int,
    top: int,
    width: int,
    height: int,
    colour: tuple[int, int, int],
) -> None:
    for row in rows[top : top + height]:
        row[left : left + width] = [colour] * width


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
