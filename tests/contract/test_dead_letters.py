"""Dead letters in the spool: kept, grouped, discarded, digested again, bounded by size and age."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tracer import clock
from tracer.errors import Invalid, NotFound
from tracer.storage.disk import Floor
from tracer.storage.spool import Bounds, Burial, Capacity, NewFrame, Spool
from tracer.storage.spool.letters import Wanted, reading

DAY_S = 86_400


def open_spool(folder: Path, **bounds: int) -> Spool:
    path = folder / "spool.db"
    floor = Floor([path], 0, 100)
    return Spool(path, capacity=Capacity(1 << 30), floor=floor, letters=Bounds(**bounds))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = open_spool(tmp_path)
    yield spool
    spool.close()


def bury(spool: Spool, body: bytes = b"body", *, project: int = 1, reason: str = "bug") -> int:
    """A frame that became a dead letter; its id."""
    id_ = spool.append_sync(NewFrame(project, "key", 1.5, b"{}", body))
    spool.letters.bury(spool.after(id_ - 1, 1, 1 << 20)[0], Burial(reason, f"why {id_}"))
    spool.forget(id_)
    return id_


def ids(spool: Spool, wanted: Wanted = Wanted()) -> list[int]:  # noqa: B008
    return spool.letters.read.ids(wanted, limit=1000)


def test_letters_are_kept_over_a_restart_and_listed_newest_first(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    for number in range(5):
        bury(spool, b"x" * number)
    spool.close()

    spool = open_spool(tmp_path)
    read = spool.letters.read
    assert (read.count(), read.size_bytes(), read.newest()) == (5, 10, 5)
    assert [letter.id for letter in read.page(limit=2)] == [5, 4]
    assert [letter.id for letter in read.page(limit=9, before=4)] == [3, 2, 1]
    letter = read.find(3)
    assert letter is not None
    assert (letter.reason, letter.detail, letter.tries, letter.size_bytes) == ("bug", "why 3", 1, 2)
    assert letter.first_try_at == letter.buried_at
    found = read.frame(3)
    assert found is not None
    assert (found.body, found.head, found.key) == (b"xx", b"{}", "key")
    assert (read.find(99), read.frame(99)) == (None, None)
    spool.close()


def test_burying_a_frame_again_replaces_its_letter(spool: Spool) -> None:
    id_ = spool.append_sync(NewFrame(1, "key", 1.5, b"{}", b"body"))
    frame = spool.after(0, 1, 99)[0]
    spool.letters.bury(frame, Burial("disk", "first"))
    spool.letters.bury(frame, Burial("bug", "second", tries=3, first_try_at=7))
    letter = spool.letters.read.find(id_)
    assert letter is not None
    assert (letter.reason, letter.detail, letter.tries) == ("bug", "second", 3)
    assert letter.first_try_at == 7 < letter.buried_at
    assert spool.letters.read.size_bytes() == 4


def test_groups_and_searches_are_by_project_and_reason(spool: Spool) -> None:
    for project, reason in ((1, "bug"), (1, "bug"), (1, "disk"), (2, "bug")):
        bury(spool, project=project, reason=reason)
    read = spool.letters.read
    groups = [(g.project_id, g.reason, g.count, g.size_bytes) for g in read.groups()]
    assert groups[0] == (1, "bug", 2, 8)
    assert sorted(groups) == [(1, "bug", 2, 8), (1, "disk", 1, 4), (2, "bug", 1, 4)]
    assert [g.project_id for g in read.groups(Wanted((2, 3)))] == [2]
    assert ids(spool, Wanted((1,), "bug")) == [1, 2]
    assert ids(spool, Wanted(None, "bug", through=3)) == [1, 2]
    assert ids(spool, Wanted(())) == []
    assert read.count(Wanted((1,))) == 3


def test_discarding_deletes_for_good(spool: Spool) -> None:
    for _ in range(3):
        bury(spool)
    assert spool.letters.discard([1, 3, 99]) == 2
    assert spool.letters.discard([1]) == 0
    assert ids(spool) == [2]
    assert spool.letters.read.removed() == []


def test_an_exhumed_letter_is_a_new_frame_with_the_given_head(spool: Spool) -> None:
    bury(spool, b"one")
    assert spool.letters.exhume(1, b'{"again":1}') == 2
    assert spool.letters.exhume(1, b"") is None
    frames = spool.after(1, 10, 1 << 20)
    assert [(frame.id, frame.head, frame.body) for frame in frames] == [(2, b'{"again":1}', b"one")]
    assert (spool.last_id, spool.letters.read.count()) == (2, 0)
    assert spool.append_sync(NewFrame(1, "key", 1.5, b"{}", b"")) == 3


def test_the_oldest_make_room_and_are_counted(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, max_bytes=1000)
    for number in range(12):
        bury(spool, b"x" * 100, project=1 + number % 2)
    assert ids(spool) == list(range(3, 13))
    removed = {(r.project_id, r.reason, r.cause): r for r in spool.letters.read.removed()}
    assert {key: (r.count, r.size_bytes) for key, r in removed.items()} == {
        (1, "bug", "size"): (1, 100),
        (2, "bug", "size"): (1, 100),
    }
    bury(spool, b"y" * 5000)
    assert ids(spool) == [13], "the newest is kept even when it alone is too large"
    assert sum(r.count for r in spool.letters.read.removed()) == 12
    assert [r.project_id for r in spool.letters.read.removed(Wanted((2,)))] == [2]
    spool.close()

    spool = open_spool(tmp_path, max_bytes=1000)
    bury(spool, b"z")
    assert ids(spool) == [14], "what is there is known after a restart"
    spool.close()


def test_what_is_discarded_or_exhumed_leaves_room(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, max_bytes=1000)
    for _ in range(10):
        bury(spool, b"x" * 100)
    spool.letters.discard([1, 2])
    spool.letters.exhume(3, b"{}")
    for _ in range(3):
        bury(spool, b"x" * 100)
    assert spool.letters.read.count() == 10
    assert spool.letters.read.removed() == []
    spool.close()


def test_old_letters_go_and_are_counted(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, days=3)
    now = clock.now_s()
    clock.set_clock(lambda: now - 4 * DAY_S)
    bury(spool)
    bury(spool)
    clock.set_clock(lambda: now)
    bury(spool)
    assert spool.letters.expire() == 2
    assert spool.letters.expire() == 0
    assert ids(spool) == [3]
    assert [(r.cause, r.count) for r in spool.letters.read.removed()] == [("age", 2)]
    spool.close()

    spool = open_spool(tmp_path, days=0)
    clock.set_clock(lambda: now + 10_000 * DAY_S)
    assert spool.letters.expire() == 0
    spool.close()


def test_letters_are_read_beside_an_open_spool_and_without_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound), reading(tmp_path / "spool.db"):
        pass
    spool = open_spool(tmp_path)
    bury(spool)
    with reading(tmp_path / "spool.db") as read:
        assert read.count() == 1
    spool.close()
    with reading(tmp_path / "spool.db") as read:
        assert read.count() == 1
    connection = apsw.Connection(str(tmp_path / "spool.db"))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Invalid, match="schema 99"), reading(tmp_path / "spool.db"):
        pass


def test_letters_of_the_first_schema_are_kept(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.close()
    connection = apsw.Connection(str(tmp_path / "spool.db"))
    connection.execute(
        """
        DROP TABLE dead_letters;
        DROP TABLE removed_letters;
        CREATE TABLE dead_letters (
            id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL, key TEXT NOT NULL,
            received_at REAL NOT NULL, head BLOB NOT NULL, reason TEXT NOT NULL,
            detail TEXT NOT NULL, tries INTEGER NOT NULL, buried_at INTEGER NOT NULL,
            size_bytes INTEGER NOT NULL, body BLOB NOT NULL
        ) STRICT;
        INSERT INTO dead_letters VALUES (7, 3, 'k', 1.5, x'7b7d', 'bug', 'why', 2, 99, 4, x'00');
        PRAGMA user_version = 1;
        """
    )
    connection.close()
    spool = open_spool(tmp_path)
    letter = spool.letters.read.find(7)
    assert letter is not None
    assert (letter.project_id, letter.reason, letter.tries) == (3, "bug", 2)
    assert (letter.first_try_at, letter.buried_at, letter.counted) == (99, 99, "[]")
    frame = spool.letters.read.frame(7)
    assert frame is not None
    assert (frame.head, frame.body) == (b"{}", b"\x00")
    spool.close()
