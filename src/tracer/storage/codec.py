"""Event payloads, compressed: zstd with a dictionary, several times smaller than without.

A dictionary's id is stored beside each body and leads to the same bytes for ever. Id 0 ships with
the program (packaging/train_dictionary.py made it); higher ids are of this installation.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from importlib import resources

import zstandard

from tracer.errors import Invalid

# Near level 1, with tables that suit 20 KB: 6 % larger than level 3, a third less time.
PARAMETERS = zstandard.ZstdCompressionParameters(
    window_log=20,
    chain_log=10,
    hash_log=14,
    search_log=1,
    min_match=6,
    strategy=zstandard.STRATEGY_FAST,
    write_dict_id=False,
)
DICTIONARY_BYTES = 110 << 10
GENERIC = 0


class _Local(threading.local):
    def __init__(self) -> None:
        self.compressors: dict[int, zstandard.ZstdCompressor] = {}
        self.decompressors: dict[int, zstandard.ZstdDecompressor] = {}


class Codec:
    """Encodes with the newest dictionary, decodes with any. Safe to use from many threads."""

    def __init__(self, dictionaries: Mapping[int, bytes]) -> None:
        """`dictionaries` are this installation's own, by id from 1; none is fine."""
        self._local = _Local()
        self._dictionaries: dict[int, zstandard.ZstdCompressionDict] = {}
        self.newest = GENERIC
        self.add(GENERIC, generic_dictionary())
        for number, body in sorted(dictionaries.items()):
            self.add(number, body)

    def add(self, number: int, body: bytes) -> None:
        """Know one more dictionary; the highest id encodes from now on."""
        dictionary = zstandard.ZstdCompressionDict(body)
        dictionary.precompute_compress(compression_params=PARAMETERS)
        self._dictionaries[number] = dictionary
        self.newest = max(self.newest, number)

    def encode(self, data: bytes) -> tuple[int, bytes]:
        """The id of the dictionary that was used, and the compressed bytes."""
        number = self.newest
        compressor = self._local.compressors.get(number)
        if compressor is None:
            compressor = zstandard.ZstdCompressor(
                dict_data=self._dictionaries[number], compression_params=PARAMETERS
            )
            self._local.compressors[number] = compressor
        return number, compressor.compress(data)

    def decode(self, dictionary: int, body: bytes) -> bytes:
        """What `encode` was given. Raises Invalid when the bytes or the dictionary are damaged."""
        decompressor = self._local.decompressors.get(dictionary)
        if decompressor is None:
            known = self._dictionaries.get(dictionary)
            if known is None:
                raise Invalid(f"The dictionary {dictionary} of this payload is missing")
            decompressor = zstandard.ZstdDecompressor(dict_data=known)
            self._local.decompressors[dictionary] = decompressor
        try:
            return decompressor.decompress(body)
        except zstandard.ZstdError as error:
            raise Invalid(f"The stored payload is damaged: {error}") from error


def generic_dictionary() -> bytes:
    """The dictionary with the id 0."""
    return (resources.files("tracer.storage") / "dictionary-0.zstd").read_bytes()


def train(samples: Sequence[bytes]) -> bytes:
    """A dictionary for payloads like these; some hundred samples are enough.

    Raises Invalid when there are too few. The fixed `k` and `d` make it take 0.2 s instead of a
    minute, for the same size of what is encoded with it.
    """
    try:
        return zstandard.train_dictionary(DICTIONARY_BYTES, list(samples), k=200, d=8).as_bytes()
    except zstandard.ZstdError as error:
        raise Invalid(f"No dictionary can be made of {len(samples)} payloads: {error}") from error
