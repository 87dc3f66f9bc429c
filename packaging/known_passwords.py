"""Make src/tracer/accounts/known_passwords.bin, the passwords that nobody may choose.

    pip download --no-deps django==5.2.19 zxcvbn==4.5.0
    npm pack @zxcvbn-ts/language-common@4.1.3
    .venv/bin/python packaging/known_passwords.py django-5.2.19-py3-none-any.whl \\
        zxcvbn-4.5.0-py2.py3-none-any.whl zxcvbn-ts-language-common-4.1.3.tgz

The file has the first four bytes of each password's SHA-256, sorted: no password can be read from
it, and one good password in some 40,000 is refused by mistake. Words of four letters are in it too,
for `Dragon-1` is refused because of `dragon`. Sources and licences: NOTICE.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path

from tracer.accounts.known_passwords import FILE, SHORTEST, digest

SOURCES = {
    "django-5.2.19-py3-none-any.whl": (
        "5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00",
        "django/contrib/auth/common-passwords.txt.gz",
    ),
    "zxcvbn-4.5.0-py2.py3-none-any.whl": (
        "2b6eed621612ce6d65e6e4c7455b966acee87d0280e257956b1f06ccc66bd5ff",
        "zxcvbn/frequency_lists.py",
    ),
    "zxcvbn-ts-language-common-4.1.3.tgz": (
        "bf3027c16c069d7877e25dc8751bc819e10e479afcc5ee1a323eb2ab73129ca9",
        "package/src/passwords.json",
    ),
}


def main() -> None:
    """Read the three packages named on the command line; write the file and say what it holds."""
    words: set[str] = set()
    for argument in sys.argv[1:]:
        path = Path(argument)
        checksum, member = SOURCES[path.name]
        if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            raise SystemExit(f"{path.name} is not the file that was used before")
        found = {word.strip().lower() for word in listed(path, member)}
        print(f"{path.name}: {len(found)} passwords")
        words |= found
    kept = {word for word in words if len(word) >= SHORTEST}
    digests = sorted({digest(word) for word in kept})
    FILE.write_bytes(b"".join(digests))
    print(f"{FILE.name}: {len(digests)} passwords, {FILE.stat().st_size} bytes")
    print(f"sha256 {hashlib.sha256(FILE.read_bytes()).hexdigest()}")


def listed(path: Path, member: str) -> list[str]:
    """The passwords of one file in a package."""
    if path.suffix == ".tgz":
        with tarfile.open(path) as archive:
            file = archive.extractfile(member)
            assert file is not None
            words: list[str] = json.load(file)
            return words
    content = zipfile.ZipFile(path).read(member)
    if member.endswith(".gz"):
        return gzip.decompress(content).decode().splitlines()
    found = re.search(r'"passwords": "([^"]+)"', content.decode())
    assert found is not None
    return found[1].split(",")


if __name__ == "__main__":
    main()
