"""Content-Encoding: compressed request bodies to plain bytes, within a byte limit.

Output is counted while inflating, never judged by ratio. Every decoder works in bounded steps, so
a bomb costs at most the limit plus a constant: 64 KiB for gzip and deflate, otherwise the codec's
window and one block (at most 24 MiB for brotli, 12 MiB for zstd).
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import brotli
import zstandard
from isal import isal_zlib

from tracer.errors import Invalid, TooLarge

_ONE_CALL_BYTES = 1 << 20  # outputs up to this size take a single call into the codec
_STEP_IN_BYTES = (
    1 << 14
)  # input slices stay small: the decoder copies what it has not used after each call
_STEP_OUT_BYTES = 1 << 16
_ZSTD_STEP_IN_BYTES = (
    64  # four bytes can hold a block of 128 KiB, and output of a step has no bound
)
_ZSTD_WINDOW_BYTES = 1 << 23  # RFC 8878 section 3.1.1.1.2: the window a decoder should support
_MAX_MEMBERS = 1024

# Its type stub declares the class as an instance.
_CORRUPT: type[Exception] = isal_zlib.error  # type: ignore[assignment]

_GZIP_WBITS = 31
_ZLIB_WBITS = 15
_RAW_WBITS = -15


def decode_body(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """The plain bytes of `body`. Unknown encodings count as identity, as Relay reads them.

    Raises TooLarge when the result would pass `limit_bytes`, Invalid when the body is corrupt or
    truncated.
    """
    decoder = _DECODERS.get(encoding)
    if decoder is None:
        decoder = _DECODERS.get(encoding.strip().lower())
    if decoder is None or not body:
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
        return body
    return decoder(body, limit_bytes)


def encode_zstd(data: bytes) -> bytes:
    """A body for `decode_body` with the encoding `zstd`, at the speed of the fastest level."""
    return zstandard.compress(data, 1)


class _Sink:
    """Collects output and refuses the step that passes the limit."""

    __slots__ = ("_buffer", "_left", "_limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._buffer = BytesIO()
        self._left = self._limit_bytes = limit_bytes

    def write(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise _too_large(self._limit_bytes)
        self._buffer.write(data)

    def getvalue(self) -> bytes:
        return self._buffer.getvalue()


def _gzip(body: bytes, limit_bytes: int) -> bytes:
    return _inflate(body, _GZIP_WBITS, limit_bytes)


def _deflate(body: bytes, limit_bytes: int) -> bytes:
    """HTTP's deflate is the zlib format (RFC 1950); some clients send a bare stream (RFC 1951)."""
    wrapped = len(body) > 1 and body[0] & 0x0F == 8 and ((body[0] << 8) | body[1]) % 31 == 0
    return _inflate(body, _ZLIB_WBITS if wrapped else _RAW_WBITS, limit_bytes)


def _inflate(body: bytes, wbits: int, limit_bytes: int) -> bytes:
    first = isal_zlib.decompressobj(wbits)
    try:
        # A max_length of 0 would mean "no limit", hence the + 1.
        plain = first.decompress(body, min(limit_bytes, _ONE_CALL_BYTES) + 1)
        if first.eof and not first.unused_data:
            if len(plain) > limit_bytes:
                raise _too_large(limit_bytes)
            return plain
        del first, plain
        return _inflate_in_steps(body, wbits, limit_bytes)
    except _CORRUPT as error:
        raise Invalid(f"corrupt compressed body: {error}") from None


def _inflate_in_steps(body: bytes, wbits: int, limit_bytes: int) -> bytes:
    sink = _Sink(limit_bytes)
    view = memoryview(body)
    stream = isal_zlib.decompressobj(wbits)
    position, members = 0, 1
    while position < len(view):
        step = view[position : position + _STEP_IN_BYTES]
        position += len(step)
        pending: bytes | memoryview = step
        while True:
            sink.write(stream.decompress(pending, _STEP_OUT_BYTES))
            if stream.eof:
                position -= len(stream.unused_data)
                break
            pending = stream.unconsumed_tail
            if not pending:
                break
        if stream.eof and position < len(view):
            if not view[position] and not body[position:].strip(b"\0"):
                break  # zero padding after the last member
            members += 1
            if wbits != _GZIP_WBITS or members > _MAX_MEMBERS:
                raise Invalid("corrupt compressed body: data after its end")
            stream = isal_zlib.decompressobj(wbits)
    while not stream.eof:
        rest = stream.decompress(stream.unconsumed_tail, _STEP_OUT_BYTES)
        if not rest:
            raise Invalid("truncated compressed body")
        sink.write(rest)
    return sink.getvalue()


def _brotli(body: bytes, limit_bytes: int) -> bytes:
    try:
        stream = brotli.Decompressor()
        plain: bytes = stream.process(body, output_buffer_limit=_ONE_CALL_BYTES)
        if stream.is_finished():
            if len(plain) > limit_bytes:
                raise _too_large(limit_bytes)
            return plain
        del stream, plain
        return _brotli_in_steps(body, limit_bytes)
    except brotli.error as error:
        raise Invalid(f"corrupt compressed body: {error}") from None


def _brotli_in_steps(body: bytes, limit_bytes: int) -> bytes:
    sink = _Sink(limit_bytes)
    stream = brotli.Decompressor()
    for position in range(0, len(body), _STEP_IN_BYTES):
        step = body[position : position + _STEP_IN_BYTES]
        sink.write(stream.process(step, output_buffer_limit=_STEP_OUT_BYTES))
        while not stream.can_accept_more_data() and not stream.is_finished():
            sink.write(stream.process(b"", output_buffer_limit=_STEP_OUT_BYTES))
    while not stream.is_finished():
        rest = stream.process(b"", output_buffer_limit=_STEP_OUT_BYTES)
        if not rest:
            raise Invalid("truncated compressed body")
        sink.write(rest)
    return sink.getvalue()


def _zstd(body: bytes, limit_bytes: int) -> bytes:
    """A frame that states its size is decoded at once, within what it states."""
    try:
        stated = zstandard.frame_content_size(body)
        if stated > limit_bytes:
            raise _too_large(limit_bytes)
        if stated > 0 and _zstd_is_one_frame(body):
            return zstandard.ZstdDecompressor().decompress(body, allow_extra_data=False)
        return _zstd_in_steps(body, limit_bytes)
    except zstandard.ZstdError as error:
        raise Invalid(f"corrupt compressed body: {error}") from None


def _zstd_is_one_frame(body: bytes) -> bool:
    """Whether `body` is exactly one frame, by its block headers (RFC 8878 section 3.1.1.2)."""
    position = zstandard.frame_header_size(body)
    checksum_bytes = 4 if body[4] & 0b100 else 0
    last = 0
    while not last and position + 3 <= len(body):
        header = int.from_bytes(body[position : position + 3], "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        position += 3 + (1 if kind == 1 else size)
    return bool(last) and position + checksum_bytes == len(body)


def _zstd_in_steps(body: bytes, limit_bytes: int) -> bytes:
    sink = _Sink(limit_bytes)
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    stream = decompressor.decompressobj()
    position, members = 0, 1
    while position < len(body):
        step = body[position : position + _ZSTD_STEP_IN_BYTES]
        position += len(step)
        sink.write(stream.decompress(step))
        if stream.eof:
            position -= len(stream.unused_data)
            if position < len(body):
                members += 1
                if members > _MAX_MEMBERS:
                    raise Invalid("corrupt compressed body: too many frames")
                stream = decompressor.decompressobj()
    if not stream.eof:
        raise Invalid("truncated compressed body")
    return sink.getvalue()


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"body is larger than {limit_bytes} bytes once decoded")


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
