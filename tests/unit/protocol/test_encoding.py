from __future__ import annotations

import contextlib
import gzip
import os
import subprocess
import sys
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.errors import Invalid, TooLarge
from tracer.protocol.encoding import decode_body

MIB = 1 << 20
TEXT = b'{"event_id":"x"}\n' * 500
NOISE = os.urandom(3 * MIB)


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _zstd_unsized(data: bytes) -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush()


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate (bare)": _raw_deflate,
    "br": lambda data: brotli.compress(data, quality=3),
    "zstd": zstandard.compress,
    "zstd (size not stated)": _zstd_unsized,
}
every_encoding = pytest.mark.parametrize("name", ENCODERS)


def _decode(name: str, body: bytes, limit: int) -> bytes:
    return decode_body(body, name.partition(" ")[0], limit)


@every_encoding
@pytest.mark.parametrize("data", [b"", b"x", TEXT, NOISE, bytes(5 * MIB)], ids=len)
def test_every_encoding_round_trips(name: str, data: bytes) -> None:
    assert _decode(name, ENCODERS[name](data), 6 * MIB) == data


@every_encoding
@pytest.mark.parametrize("data", [TEXT, NOISE], ids=len)
def test_limit_is_exact(name: str, data: bytes) -> None:
    body = ENCODERS[name](data)
    assert _decode(name, body, len(data)) == data
    with pytest.raises(TooLarge) as caught:
        _decode(name, body, len(data) - 1)
    assert caught.value.status == 413


@every_encoding
@pytest.mark.parametrize("data", [TEXT, NOISE], ids=len)
def test_truncated_body_is_refused(name: str, data: bytes) -> None:
    body = ENCODERS[name](data)
    for end in (1, 2, 5, len(body) // 2, len(body) - 1):
        with pytest.raises(Invalid):
            _decode(name, body[:end], 6 * MIB)


@every_encoding
def test_data_after_the_end_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        _decode(name, ENCODERS[name](TEXT) + b"garbage", MIB)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_plain_text_in_a_compressed_encoding_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        decode_body(b'{"event_id":"0"}\n{"type":"event"}\n{}', name, MIB)


@pytest.mark.parametrize("name", ["", "identity", "IDENTITY", "utf-8", "aws-chunked"])
def test_unknown_encodings_count_as_identity(name: str) -> None:
    assert decode_body(TEXT, name, len(TEXT)) == TEXT
    with pytest.raises(TooLarge):
        decode_body(TEXT, name, len(TEXT) - 1)


@pytest.mark.parametrize("name", [" gzip ", "GZIP", "X-GZip"])
def test_encoding_names_ignore_case_and_blanks(name: str) -> None:
    assert decode_body(gzip.compress(TEXT), name, MIB) == TEXT


def test_empty_body_is_empty_in_every_encoding() -> None:
    assert {decode_body(b"", name, 10) for name in ("gzip", "deflate", "br", "zstd", "")} == {b""}


@pytest.mark.parametrize("size", [10, 100_000, 2 * MIB])
def test_gzip_members_are_joined(size: int) -> None:
    first, second, third = NOISE[:size], b"", NOISE[-size:]
    body = b"".join(map(gzip.compress, (first, second, third)))
    assert decode_body(body, "gzip", 5 * MIB) == first + third
    with pytest.raises(TooLarge):
        decode_body(body, "gzip", 2 * size - 1)


def test_zero_padding_after_a_gzip_member_is_passed_over() -> None:
    assert decode_body(gzip.compress(TEXT) + bytes(512), "gzip", MIB) == TEXT


def test_endless_empty_gzip_members_are_refused() -> None:
    with pytest.raises(Invalid):
        decode_body(gzip.compress(b"") * 5000, "gzip", MIB)


def test_wrong_gzip_checksum_is_refused() -> None:
    body = bytearray(gzip.compress(TEXT))
    body[-6] ^= 1
    with pytest.raises(Invalid):
        decode_body(bytes(body), "gzip", MIB)


def test_zstd_frames_are_joined() -> None:
    body = zstandard.compress(b"one ") + _zstd_unsized(b"two ") + zstandard.compress(b"three")
    assert decode_body(body, "zstd", MIB) == b"one two three"


def test_zstd_frame_that_lies_about_its_size_is_refused() -> None:
    frame = bytearray(zstandard.compress(TEXT))
    stated = (len(TEXT) - 256).to_bytes(2, "little")  # RFC 8878: two bytes count from 256
    assert bytes(frame[5:7]) == stated
    frame[5] ^= 0xFF
    with pytest.raises(Invalid):
        decode_body(bytes(frame), "zstd", MIB)


_BOMBS = """
import resource, sys, zlib
import brotli, zstandard
from tracer.errors import TooLarge
from tracer.protocol.encoding import decode_body

MIB = 1 << 20
zeros = bytes(MIB)

def deflated(wbits):
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    head = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * 1023

def streamed(packer):
    return b"".join([packer.compress(zeros) for _ in range(1024)]) + packer.flush()

def brotlied():
    packer = brotli.Compressor(quality=1)
    return b"".join([packer.process(zeros) for _ in range(1024)]) + packer.finish()

name, limit = sys.argv[1], int(sys.argv[2])
body = {
    "gzip": lambda: deflated(31),
    "deflate": lambda: deflated(15),
    "br": brotlied,
    "zstd": lambda: streamed(zstandard.ZstdCompressor().compressobj()),
    "zstd-sized": lambda: streamed(zstandard.ZstdCompressor().compressobj(size=1 << 30)),
}[name]()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode_body(body, name.partition("-")[0], limit)
except TooLarge:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, len(body))
"""


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd", "zstd-sized"])
@pytest.mark.parametrize("limit_mib", [1, 64])
def test_a_bomb_of_1_gib_costs_its_limit_and_no_more(name: str, limit_mib: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BOMBS, name, str(limit_mib * MIB)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    grown_mib, body_bytes = map(int, done.stdout.split())
    assert body_bytes < 2 * MIB
    assert grown_mib <= limit_mib + 24


@settings(max_examples=300)
@given(st.sampled_from(["gzip", "deflate", "br", "zstd"]), st.binary(max_size=300))
def test_no_bytes_break_a_decoder(name: str, body: bytes) -> None:
    with contextlib.suppress(Invalid, TooLarge):
        assert len(decode_body(body, name, 1000)) <= 1000


@settings(max_examples=300)
@given(st.sampled_from(sorted(ENCODERS)), st.data())
def test_no_damage_breaks_a_decoder(name: str, data: st.DataObject) -> None:
    body = bytearray(ENCODERS[name](TEXT))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Invalid, TooLarge):
        assert len(_decode(name, bytes(body), 10_000)) <= 10_000
