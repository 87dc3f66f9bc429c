"""Data scrubbing: removes secrets from a normalised event before anything stores or groups it.

`scrub_names` judges names, `scrub_walk` goes over the event, `scrub_suspects` picks the strings
that are worth a search, `scrub_text` searches them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracer.protocol.scrub_names import compile_names
from tracer.protocol.scrub_suspects import find_suspects, holds_token
from tracer.protocol.scrub_text import FILTERED, clean, clean_patterns
from tracer.protocol.scrub_walk import Parts, Path, Removed, Replacements, collect, replace, walk

if TYPE_CHECKING:
    from tracer.protocol.event import Event

__all__ = ["FILTERED", "Removed", "ScrubRules", "Scrubber", "compile_rules"]

MAX_LISTED = 200

_KEY_BODY = re.compile(r"[\s\"'+]*[A-Za-z0-9+/=\\]{16,}[\s\"'+,\\n]*")


@dataclass(frozen=True, slots=True)
class ScrubRules:
    """A project's choice. `sensitive` are parts of names, `safe` are whole ones."""

    defaults: bool = True
    scrub_ip: bool = False
    sensitive: tuple[str, ...] = ()
    safe: tuple[str, ...] = ()


def compile_rules(rules: ScrubRules) -> Scrubber:
    """A scrubber for one project. It remembers what it decided about names: keep it."""
    return Scrubber(rules)


class Scrubber:
    """Callable on a normalised event (`Event.data`), which it changes in place."""

    __slots__ = ("_names", "rules")

    def __init__(self, rules: ScrubRules) -> None:
        self.rules = rules
        self._names = compile_names(rules.defaults, rules.scrub_ip, rules.sensitive, rules.safe)

    def __call__(self, data: dict[str, Any]) -> list[Removed]:
        """Replace secrets by "[Filtered]". What was removed is returned and, up to 200 of it,
        listed in `data["_scrubbed"]`."""
        rules = self.rules
        if not (rules.defaults or rules.scrub_ip or rules.sensitive):
            return []
        parts = collect(data, self._names)
        texts = walk(parts, self._names)
        if texts:
            self._clean(texts, parts)
        if rules.defaults and parts.in_app_frames:
            _scrub_source(parts)
        if parts.removed:
            data["_scrubbed"] = [
                {"path": one.path, "rule": one.rule} for one in parts.removed[:MAX_LISTED]
            ]
        return parts.removed

    def event(self, event: Event) -> list[Removed]:
        """Scrub an Event: its data and the fields that repeat a part of it."""
        removed = self(event.data)
        if removed:
            event.tags = dict(event.data.get("tags", ()))
            event.transaction = event.data.get("transaction")
        if self.rules.scrub_ip and event.user_key and event.user_key.startswith("ip:"):
            event.user_key = None
        return removed

    def _clean(self, texts: list[str], parts: Parts) -> None:
        replacements: Replacements = {}
        indexes = []
        for index in sorted(find_suspects(texts, self._names)):
            text = texts[index]
            cleaned = clean(text, self._names.rule_of, self.rules.defaults)
            if cleaned[1]:
                replacements[text] = cleaned
                indexes.append(index)
        if indexes:
            replace(parts, indexes, replacements)


def _scrub_source(parts: Parts) -> None:
    """Source lines of in-app frames: private keys and known tokens, nothing that needs a name."""
    lines: list[str] = []
    for frame, _ in parts.in_app_frames:
        lines += frame.get("pre_context", ())
        lines.append(frame["context_line"])
        lines += frame.get("post_context", ())
    if holds_token("\n".join(lines)):
        for frame, path in parts.in_app_frames:
            _scrub_frame_source(frame, path, parts)


def _scrub_frame_source(frame: dict[str, Any], path: Path, parts: Parts) -> None:
    """A private key may span the lines around the one that failed: its body goes with its head."""
    before = list(frame.get("pre_context", ()))
    after = list(frame.get("post_context", ()))
    rules: dict[str, None] = {}
    lines = []
    in_key = False
    for line in [*before, frame["context_line"], *after]:
        if in_key and _KEY_BODY.fullmatch(line):
            lines.append(FILTERED)
            continue
        text = clean_patterns(line, rules)
        in_key = text != line and "-----BEGIN" in line and "-----END" not in line
        lines.append(text)
    if not rules:
        return
    middle = len(before)
    frame["context_line"] = lines[middle]
    if before:
        frame["pre_context"] = lines[:middle]
    if after:
        frame["post_context"] = lines[middle + 1 :]
    for rule in rules:
        parts.remove(path, "source", rule)
