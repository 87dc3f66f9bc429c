"""Binary images: addresses without where the system happened to load them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracer.grouping import names


class Images:
    """Where binary images were loaded: makes addresses relative, so that ASLR does not matter."""

    def __init__(self, images: object) -> None:
        self._raw = images if isinstance(images, list) else ()
        self._spans: list[tuple[int, int, str]] | None = None

    def locate(self, frame: dict[str, Any]) -> str:
        """Package and offset of the function (or instruction); "" when neither is known."""
        package = names.clean_package(frame.get("package") or "")
        address = parse_address(frame.get("symbol_addr"))
        if address is None:
            address = parse_address(frame.get("instruction_addr"))
        if address is None:
            return ""
        mode = frame.get("addr_mode")
        if type(mode) is str and mode.startswith("rel:"):
            return f"{package or mode}\x1f+{address:x}"
        start = parse_address(frame.get("image_addr"))
        if start is None:
            start, package = self._find(address, package)
        if start is None:
            return f"{package}\x1f?" if package else ""
        return f"{package}\x1f+{address - start:x}"

    def _find(self, address: int, package: str) -> tuple[int | None, str]:
        for start, end, name in self._load():
            if start <= address < end:
                return start, package or name
        return None, package

    def _load(self) -> Sequence[tuple[int, int, str]]:
        if self._spans is None:
            self._spans = []
            for image in self._raw:
                start = parse_address(image.get("image_addr"))
                size = parse_address(image.get("image_size"))
                name = image.get("code_file") or image.get("debug_file")
                if start is not None and size:
                    cleaned = names.clean_package(name) if type(name) is str else ""
                    self._spans.append((start, start + size, cleaned))
        return self._spans


def parse_address(value: object) -> int | None:
    """A number or its text, decimal or 0x…; None for anything else."""
    if type(value) is int:
        return value
    if type(value) is not str or len(value) > 20:
        return None
    try:
        return int(value, 16 if value[:2] in ("0x", "0X") else 10)
    except ValueError:
        return None
