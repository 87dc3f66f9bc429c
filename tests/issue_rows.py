"""Reading the rows of the issue list's HTML, and making issues for it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from harness import Running


def titles(html: str) -> list[str]:
    """The rows' titles, in order, without the level that is only read out."""
    found = re.findall(r'<a class="issue-title"[^>]*>(.*?)</a>', html, re.S)
    plain = [re.sub(r'<span class="visually-hidden">.*?</span>', "", text) for text in found]
    return [unescape(re.sub(r"<[^>]+>", "", text)).strip() for text in plain]


def listed(tracer: Running, query: str = "") -> list[str]:
    answer = tracer.page(f"/issues/?{query}")
    assert answer.status_code == 200
    return titles(answer.text)


def send(tracer: Running, message: str, **fields: Any) -> None:
    tracer.send(message=message, fingerprint=[message], **fields)


def row_ids(html: str) -> list[int]:
    return [int(text) for text in re.findall(r'name="id" value="(\d+)"', html)]
