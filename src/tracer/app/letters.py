"""Dead letters for the command line. Reads go past the server, in connections that cannot write;
replaying and discarding are commands that the running server carries out (`app.local`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tracer import manifest
from tracer.app.trail import find_project
from tracer.errors import NotFound
from tracer.features.dead_letters import actions, changes, export, queries
from tracer.ingest.letters import conditions
from tracer.ingest.prepare import PreparedFrame
from tracer.ingest.solo import Equipment, Solo
from tracer.projects.keys import KeyCache
from tracer.storage.folder import Folder
from tracer.storage.readonly import reading as reading_meta
from tracer.storage.spool.letters import LetterReader, Wanted, reading

if TYPE_CHECKING:
    from tracer.protocol.scrub import ScrubRules
    from tracer.settings import Settings
    from tracer.storage.meta import Meta, Reader
    from tracer.storage.spool import DeadLetter, Spool
    from tracer.storage.spool.letters import Group, Removed

#: So many are replayed or discarded in one call; the command calls until none is left.
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """Which dead letters flags name. `project` is a slug, with its organization's if need be
    (`acme/shop`), or an id."""

    project: str | None = None
    reason: str | None = None


class Shelf:
    """The dead letters of a data folder, and what is needed to read them."""

    def __init__(self, letters: LetterReader, meta: Reader, solo: Solo) -> None:
        self.letters = letters
        self.names = queries.project_names(meta)
        self._meta = meta
        self._solo = solo
        self._keys = KeyCache()
        self._keys.refresh(meta)

    def groups(self, asked: Asked) -> list[Group]:
        """By project and reason."""
        return self.letters.groups(_wanted(self._meta, asked))

    def removed(self) -> list[Removed]:
        """What had to go."""
        return self.letters.removed()

    def rows(self, asked: Asked, limit: int) -> list[export.Row]:
        """The newest that fit, without their content."""
        found = self.letters.page(_wanted(self._meta, asked), limit=limit)
        return [export.Row(**export.row(one, self._rules(one.project_id))) for one in found]

    def whole(self, letter_id: int) -> export.Whole:
        """One with its content, scrubbed. NotFound."""
        letter = self._find(letter_id)
        return export.whole(letter, self.letters, self._solo, self._rules(letter.project_id), "")

    def changes(self, letter_id: int) -> list[changes.Change]:
        """What changed since it failed."""
        letter = self._find(letter_id)
        before = changes.conditions_of(letter)
        now = conditions(self._keys.project(letter.project_id))
        return [] if before is None else changes.changes(before, now)

    def trial(self, letter_id: int) -> PreparedFrame:
        """Prepare it as digest would; nothing is stored."""
        letter, frame = self._find(letter_id), self.letters.frame(letter_id)
        if frame is None:
            raise NotFound(f"There is no dead letter {letter_id}.")
        project = self._keys.project(letter.project_id)
        return self._solo.try_frame(frame, project.rules if project else None).prepared

    def export(self, asked: Asked) -> Iterator[bytes]:
        """All that fit as JSON Lines, without their secrets."""
        return export.lines(self.letters, _wanted(self._meta, asked), self._solo, self._rules)

    def _find(self, letter_id: int) -> DeadLetter:
        letter = self.letters.find(letter_id)
        if letter is None:
            raise NotFound(f"There is no dead letter {letter_id}.")
        return letter

    def _rules(self, project_id: int) -> ScrubRules | None:
        project = self._keys.project(project_id)
        return None if project is None else project.scrub


@contextmanager
def open_shelf(settings: Settings) -> Iterator[Shelf]:
    """The dead letters of a folder, beside a running server or without one. NotFound, Invalid,
    Unavailable: they cannot be read."""
    folder = Folder(settings.data)
    with reading_meta(folder.meta) as meta, reading(folder.spool) as letters:
        handlers = {
            kind: handler
            for feature in manifest.FEATURES
            for kind, handler in feature.items.items()
        }
        dictionaries = dict(meta.rows("SELECT id, body FROM dictionaries"))
        equipment = Equipment(handlers, settings.max_decoded_bytes, dictionaries)
        solo = Solo(equipment, settings.digest_frame_s)
        try:
            yield Shelf(letters, meta, solo)
        finally:
            solo.close()


def commands(meta: Meta, spool: Callable[[], Spool]) -> Mapping[str, Any]:
    """What the server does for `tracer dlq`. `spool` opens it where it is not open yet."""

    def replay(**flags: Any) -> dict[str, Any]:
        return _step(meta, spool(), "replay", actions.replay_some, **flags)

    def discard(**flags: Any) -> dict[str, Any]:
        return _step(meta, spool(), "discard", actions.discard_some, **flags)

    def note_export(project: str | None, reason: str | None) -> dict[str, Any]:
        asked = _wanted(meta.read(), Asked(project, reason))
        with meta.write() as tx:
            count = actions.record_many(tx, spool(), "export", asked)
        return {"letters": count}

    return {"dlq_replay": replay, "dlq_discard": discard, "dlq_export": note_export}


def _step(
    meta: Meta,
    spool: Spool,
    verb: str,
    some: Callable[..., int],
    *,
    ids: list[int],
    project: str | None,
    reason: str | None,
    through: int | None,
) -> dict[str, Any]:
    """One call of a command: `done` of them, `left` after it. The first one, without `through`,
    records what is about to be done; the next ones are given what it returned."""
    if ids:
        return _named(meta, spool, verb, ids)
    letters = spool.letters.read
    asked = _wanted(meta.read(), Asked(project, reason))
    if through is None:
        asked = replace(asked, through=letters.newest())
        with meta.write() as tx:
            actions.record_many(tx, spool, verb, asked)
    else:
        asked = replace(asked, through=through)
    done = some(spool, asked, limit=AT_ONCE)
    return {"done": done, "left": letters.count(asked), "through": asked.through}


def _named(meta: Meta, spool: Spool, verb: str, ids: list[int]) -> dict[str, Any]:
    found = [spool.letters.read.find(letter_id) for letter_id in ids]
    missing = [str(id_) for id_, letter in zip(ids, found, strict=True) if letter is None]
    if missing:
        raise NotFound(f"There is no dead letter {', '.join(missing)}; nothing was done.")
    letters = [letter for letter in found if letter is not None]
    with meta.write() as tx:
        for letter in letters:
            actions.record_one(tx, verb, letter)
    for letter in letters:
        if verb == "replay":
            actions.replay_one(spool, letter)
        else:
            spool.letters.discard([letter.id])
    return {"done": len(letters), "left": 0, "through": 0}


def _wanted(reader: Reader, asked: Asked) -> Wanted:
    if asked.project is None:
        return Wanted(None, asked.reason)
    organization, _, slug = asked.project.rpartition("/")
    return Wanted((find_project(reader, organization or None, slug),), asked.reason)
