"""Backups that are damaged, cut off, foreign or newer: one clear line, and nothing is restored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from backup_steps import backup, fill
from harness import running
from serving import cli


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with an event, a file and a dead letter."""
    data = tmp_path_factory.mktemp("backup") / "data"
    with running(data) as tracer:
        fill(tracer, events=1)
        return Path(backup(data)["path"])


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy of it that may be harmed."""
    to = tmp_path / "backup"
    for file in whole.rglob("*"):
        if file.is_file():
            target = to / file.relative_to(whole)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return to


def _edit(copy: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the manifest and give it the right checksum again."""
    manifest = json.loads((copy / "manifest.json").read_text())
    change(manifest)
    raw = json.dumps(manifest).encode()
    (copy / "manifest.json").write_bytes(raw)
    (copy / "manifest.sha256").write_text(hashlib.sha256(raw).hexdigest())


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _more_rows(copy: Path) -> None:
    _edit(copy, lambda manifest: manifest["tables"]["meta"].update(issues=99))  # type: ignore[index]


def _broken_chain(copy: Path) -> None:
    """Somebody changes the audit log of a backup, and makes every checksum fit."""
    connection = apsw.Connection(str(copy / "meta.db"))
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'"
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.execute("UPDATE audit SET actor = 'somebody else' WHERE id = 2")
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()
    raw = (copy / "meta.db").read_bytes()
    kept = {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    _edit(copy, lambda manifest: manifest["files"].update({"meta.db": kept}))  # type: ignore[attr-defined]


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "meta": (lambda copy: _flip(copy / "meta.db"), "meta.db is damaged"),
    "spool": (lambda copy: _flip(copy / "spool.db"), "spool.db is damaged"),
    "events": (lambda copy: _flip(copy / "events.duckdb"), "events.duckdb is damaged"),
    "blob": (lambda copy: _flip(next(copy.glob("blobs/*/*"))), "is damaged"),
    "cut off": (lambda copy: _cut(copy / "events.duckdb"), "bytes and should have"),
    "missing": (lambda copy: (copy / "spool.db").unlink(), "spool.db is missing"),
    "manifest": (lambda copy: _flip(copy / "manifest.json"), "manifest.json is damaged"),
    "no manifest": (lambda copy: (copy / "manifest.json").unlink(), "no backup of tracer"),
    "no sum": (lambda copy: (copy / "manifest.sha256").unlink(), "no backup of tracer"),
    "foreign": (lambda copy: _edit(copy, lambda m: m.clear()), "not one of tracer"),
    "newer format": (lambda copy: _edit(copy, lambda m: m.update(format=99)), "newer tracer"),
    "newer schema": (
        lambda copy: _edit(copy, lambda m: m["schemas"].update(meta=999)),  # type: ignore[attr-defined]
        "newer tracer",
    ),
    "way out": (
        lambda copy: _edit(
            copy,
            lambda m: m["files"].update({"../x": m["files"]["meta.db"]}),  # type: ignore[attr-defined]
        ),
        "belongs to no backup",
    ),
    "counts": (_more_rows, "rows of issues, not 99"),
    "audit log": (_broken_chain, "the audit log is broken"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_verify_names_what_is_wrong_in_one_line(copy: Path, kind: str) -> None:
    harm, said = DAMAGE[kind]
    assert cli("backup", "verify", str(copy)).exit_code == 0
    harm(copy)
    result = cli("backup", "verify", str(copy))
    assert result.exit_code == 1
    assert said in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("kind", [kind for kind in DAMAGE if kind != "audit log"])
def test_what_is_damaged_is_not_restored(copy: Path, tmp_path: Path, kind: str) -> None:
    harm, said = DAMAGE[kind]
    harm(copy)
    result = cli("restore", str(copy), "--data", str(tmp_path / "new"))
    assert result.exit_code == 1
    assert said in result.output
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_a_link_is_refused(copy: Path, tmp_path: Path) -> None:
    (copy / "meta.db").rename(tmp_path / "elsewhere")
    (copy / "meta.db").symlink_to(tmp_path / "elsewhere")
    assert "meta.db is missing" in cli("backup", "verify", str(copy)).output


def test_a_folder_that_holds_something_is_left_alone(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("stays")
    result = cli("restore", str(copy), "--data", str(tmp_path / "new"))
    assert result.exit_code == 1
    assert "is not empty" in result.output
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["mine"]


def test_verify_leaves_no_file_behind(copy: Path) -> None:
    before = sorted(copy.rglob("*"))
    cli("backup", "verify", str(copy))
    assert sorted(copy.rglob("*")) == before


def test_there_is_nothing_to_back_up_in_an_empty_folder(tmp_path: Path) -> None:
    result = cli("backup", "--data", str(tmp_path / "data"))
    assert result.exit_code == 1
    assert "There is nothing in" in result.output
