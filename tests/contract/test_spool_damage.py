"""A damaged spool file: the server starts, names the loss, keeps the rest and the damaged file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import apsw
import pytest

from tracer.errors import Invalid
from tracer.storage.disk import Floor
from tracer.storage.spool import Burial, Capacity, NewFrame, Spool, salvage

PAGE = 8192
FRAMES = 300


def open_spool(folder: Path) -> Spool:
    path = folder / "spool.db"
    return Spool(path, capacity=Capacity(1 << 30), floor=Floor([path], 0, 100))


def frame(number: int, size: int = 3000) -> NewFrame:
    body = number.to_bytes(4) * (size // 4)
    return NewFrame(1, "0123456789abcdef" * 2, 1_795_466_658.25, b"{}", body)


def filled(folder: Path, size: int = 3000) -> Path:
    """A closed spool with 300 frames, of which 10 are forgotten and one is a dead letter."""
    spool = open_spool(folder)

    async def append() -> None:
        await asyncio.gather(*(spool.append(frame(n, size)) for n in range(1, FRAMES + 1)))

    asyncio.run(append())
    (first,) = spool.after(0, 1, 1 << 20)
    spool.letters.bury(first, Burial("ValueError", "of its own"))
    spool.forget(10)
    spool.close()
    return folder / "spool.db"


def damage(path: Path, at: int, size: int = PAGE) -> bytes:
    """Overwrite bytes of the file; the file as it is now."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(size))
    return path.read_bytes()


def pages_of(path: Path, kind: str) -> list[int]:
    """Numbers of the pages of this kind that hold frames."""
    with apsw.Connection(str(path)) as file:
        sql = "SELECT pageno FROM dbstat WHERE name = 'frames' AND pagetype = ? ORDER BY pageno"
        found = [row[0] for row in file.execute(sql, (kind,))]
    file.close()
    return found


def kept(spool: Spool) -> list[int]:
    frames = spool.after(0, 10_000, 1 << 30)
    for each in frames:
        assert each.body == each.id.to_bytes(4) * (len(each.body) // 4)
    return [each.id for each in frames]


def set_aside(folder: Path) -> list[Path]:
    return sorted(folder.glob("spool.db.damaged-*"))


@pytest.mark.parametrize(("kind", "size"), [("leaf", 3000), ("overflow", 30_000)])
def test_a_damaged_page_costs_only_what_lies_on_it_and_the_loss_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, size: int
) -> None:
    path = filled(tmp_path, size)
    pages = pages_of(path, kind)
    as_found = damage(path, (pages[len(pages) // 2] - 1) * PAGE)

    spool = open_spool(tmp_path)

    ids = kept(spool)
    assert spool.damage is not None
    assert spool.damage.lost is not None
    lost = [n for first, last in spool.damage.lost for n in range(first, last + 1)]
    assert sorted([*ids, *lost]) == list(range(11, FRAMES + 1))
    assert 1 <= len(lost) <= 10
    assert spool.depth == len(ids)
    assert [letter.id for letter in spool.letters.read.page(limit=10)] == [1]
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 1
    assert str(lost[0]) in said[0]
    (aside,) = set_aside(tmp_path)
    assert str(aside) in said[0]
    assert aside.read_bytes() == as_found

    assert spool.append_sync(frame(FRAMES + 1)) == FRAMES + 1
    spool.close()
    spool = open_spool(tmp_path)
    assert spool.damage is None
    assert kept(spool) == [*ids, FRAMES + 1]
    assert set_aside(tmp_path) == [aside]
    spool.close()


def test_a_file_of_nonsense_is_set_aside_and_it_is_said_that_nobody_knows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool.db").write_bytes(os.urandom(20_000))
    spool = open_spool(tmp_path)
    assert spool.append_sync(frame(1)) == 1
    assert "nobody can know how many are lost" in caplog.text
    assert len(set_aside(tmp_path)) == 1
    spool.close()


def test_a_lost_end_is_named_as_such(tmp_path: Path) -> None:
    path = filled(tmp_path)
    damage(path, (pages_of(path, "leaf")[-1] - 1) * PAGE)
    spool = open_spool(tmp_path)
    assert spool.damage is not None
    assert spool.damage.is_end_lost
    assert "there may be more" in spool.damage.text
    assert kept(spool)[0] == 11
    spool.close()


def test_after_a_loss_no_frame_gets_an_id_that_digest_has_passed(tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(os.urandom(20_000))
    spool = open_spool(tmp_path)
    spool.reserve(500)
    spool.forget(500)
    assert spool.append_sync(frame(1)) == 501
    assert [each.id for each in spool.after(500, 10, 1 << 20)] == [501]
    spool.close()
    spool = open_spool(tmp_path)
    assert [each.id for each in spool.after(500, 10, 1 << 20)] == [501]
    assert spool.append_sync(frame(2)) == 502
    spool.close()


def test_a_spool_of_a_newer_program_is_not_touched(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with apsw.Connection(str(path)) as file:
        file.execute("PRAGMA user_version = 999")
    file.close()
    with pytest.raises(Invalid, match="newer tracer"):
        open_spool(tmp_path)
    assert set_aside(tmp_path) == []


def test_damage_while_it_is_open_is_passed_over_and_mended_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(salvage, "CHECK_BYTES", 0)
    path = filled(tmp_path, 30_000)
    pages = pages_of(path, "overflow")
    damage(path, (pages[len(pages) // 2] - 1) * PAGE)

    spool = open_spool(tmp_path)
    assert spool.damage is None
    ids: list[int] = []
    while found := spool.after(ids[-1] if ids else 10, 50, 1 << 30):
        ids += [each.id for each in found]
    (lost,) = set(range(11, FRAMES + 1)) - set(ids)
    assert len(ids) == len(set(ids)) == FRAMES - 11
    assert ids == sorted(ids)
    assert f"the frames from {lost} to {lost} cannot be read" in caplog.text
    assert spool.append_sync(frame(FRAMES + 1)) == FRAMES + 1
    spool.close()

    spool = open_spool(tmp_path)
    assert spool.damage is not None
    assert spool.damage.lost == ((lost, lost),)
    assert kept(spool) == [*ids, FRAMES + 1]
    spool.close()
    spool = open_spool(tmp_path)
    assert spool.damage is None
    spool.close()
