"""Backups beside a running server and on a stopped one, and what comes back from them."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from backup_steps import ATTACHMENT, backup, counts, fill, payloads, restore
from harness import Running, envelope, running
from serving import cli
from tracer.storage.folder import Folder
from tracer.storage.readonly import reading


def test_a_restored_folder_has_everything_byte_for_byte(tmp_path: Path) -> None:
    data, new = tmp_path / "data", tmp_path / "new"
    with running(data) as tracer:
        sent = fill(tracer)
        made = backup(data, "--to", str(tmp_path / "kept"))
        before, bodies = counts(tracer), payloads(tracer)
        page = f"/api/0/projects/{tracer.org.slug}/{tracer.project.slug}/events/{sent[-1]}/"
        shown = tracer.api(page).json()
    told = restore(made["path"], new)
    assert told["events"] == before["events"] == len(sent)
    with running(new) as tracer:
        assert counts(tracer) == before
        assert payloads(tracer) == bodies
        assert tracer.api(page, scopes=("event:read",)).json()["message"] == shown["message"]
        digest = tracer.meta.read().value("SELECT blob FROM attachments LIMIT 1")
        assert tracer.tracer.blobs.open(digest) == ATTACHMENT
        tracer.send(message="after the restore")
        assert counts(tracer)["events"] == before["events"] + 1


def test_what_waits_for_digest_is_digested_after_the_restore(tmp_path: Path) -> None:
    data, new = tmp_path / "data", tmp_path / "new"
    with running(data) as tracer:
        tracer.send(message="first")
        with tracer.meta.write(unaudited="the test keeps digest waiting"):
            # The backup itself waits for this writer: it is begun by another thread below.
            thread = threading.Thread(target=backup, args=(data, "--to", str(tmp_path / "kept")))
            thread.start()
            for number in range(20):
                event = {"message": f"waiting {number}"}
                tracer.post_envelope(envelope({}, [({"type": "event"}, event)]))
        thread.join()
        tracer.digest()
        assert counts(tracer)["events"] == 21
    restore(tmp_path / "kept", new)
    with running(new) as tracer:
        tracer.digest()
        assert counts(tracer)["events"] == counts(tracer)["payloads"] == 21
        stored = "SELECT sum(quantity) FROM outcomes WHERE outcome = 'stored'"
        assert tracer.meta.read().value(stored) == 21


def test_events_go_on_while_backups_are_made_and_each_of_them_is_of_one_moment(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with running(data) as tracer:
        stop = threading.Event()
        sent: list[str] = []

        def send() -> None:
            while not stop.is_set():
                sent.append(tracer.send(message=f"number {len(sent)}", digest=False))

        thread = threading.Thread(target=send)
        thread.start()
        made = [backup(data) for _ in range(3)]
        stop.set()
        thread.join()
        tracer.digest()
        total = counts(tracer)["events"]
    assert total == len(sent)
    for number, one in enumerate(made):
        new = tmp_path / f"new-{number}"
        restore(one["path"], new)
        with running(new) as tracer:
            tracer.digest()
            found = counts(tracer)
            events = "SELECT coalesce(sum(quantity), 0) FROM outcomes WHERE outcome = 'stored'"
            assert found["events"] == found["payloads"] == tracer.meta.read().value(events)
            assert {row[0] for row in payloads(tracer)} <= set(sent)


def test_a_stopped_server_is_backed_up_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as tracer:
        fill(tracer)
        before = counts(tracer)
    backup(data)
    restore(data / "backups", tmp_path / "new")
    with running(tmp_path / "new") as tracer:
        assert counts(tracer) == before


def test_the_second_backup_shares_files_with_the_first(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as tracer:
        fill(tracer)
        first, second = backup(data), backup(data)
    blob = next(Path(first["path"]).glob("blobs/*/*"))
    other = Path(second["path"]) / blob.relative_to(first["path"])
    assert blob.samefile(other)
    assert second["new_bytes"] < second["bytes"]
    listed = backup(data, "list")["backups"]
    assert [one["path"] for one in listed] == [second["path"], first["path"]]


def test_only_its_user_may_read_a_backup(tracer: Running) -> None:
    fill(tracer, events=1)
    made = Path(backup(tracer.tracer.settings.data)["path"])
    modes = {path.stat().st_mode & 0o777 for path in made.rglob("*") if path.is_file()}
    assert modes == {0o600}
    folders = [made.parent, made, *(path for path in made.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_the_master_key_is_in_a_backup_only_when_asked_for(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as tracer:
        tracer.token()
        without = backup(data)
        with_key = backup(data, "--with-master-key")
    assert without["master_keys"]
    assert not without["has_master_key"]
    assert not (Path(without["path"]) / "master.key").exists()
    key = Folder(data).master_key_path.read_bytes().strip()
    for file in Path(without["path"]).rglob("*"):
        assert not file.is_file() or key not in file.read_bytes()
    said = cli("restore", without["path"], "--data", str(tmp_path / "locked")).output
    assert "starts only with that key" in said
    restore(with_key["path"], tmp_path / "new")
    assert Folder(tmp_path / "new").master_key_path.read_bytes().strip() == key


def test_a_backup_is_noted_and_audited(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as tracer:
        made = backup(data)
        text = tracer.meta.read().value("SELECT value FROM facts WHERE name = 'last_backup'")
    last = msgspec.json.decode(text)
    assert (last["ok"], last["path"], last["bytes"]) == (True, made["path"], made["bytes"])
    with reading(data / "meta.db") as reader:
        entry = reader.row("SELECT actor_kind, action FROM audit ORDER BY id DESC LIMIT 1")
    assert entry == ("cli", "backup.create")


def test_nothing_stays_of_a_backup_that_cannot_be_made(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "file").write_text("no folder")
    with running(data) as tracer:
        said = cli("backup", "--to", str(tmp_path / "file" / "x"), "--data", str(data))
        assert "FAILED" in cli("status", "--data", str(data)).output
        text = tracer.meta.read().value("SELECT value FROM facts WHERE name = 'last_backup'")
    assert said.exit_code == 1
    assert "cannot be made" in said.output
    assert msgspec.json.decode(text)["ok"] is False


@pytest.mark.parametrize("days", [0, 1])
def test_backups_by_schedule_are_made_and_old_ones_deleted(tmp_path: Path, days: int) -> None:
    settings = {"backup_every_hours": days * 24, "backup_keep": 2}
    with running(tmp_path / "data", **settings) as tracer:
        folder = tmp_path / "data" / "backups"
        for _ in range(3):
            tracer.app._backups.if_due(tracer.tracer)
            tracer.app._backups.join()
            with tracer.meta.write(unaudited="the test turns the clock") as tx:
                tx.execute("DELETE FROM facts WHERE name = 'last_backup'")
        assert len(list(folder.glob("tracer-*"))) == (2 if days else 0)
        tracer.app._backups.if_due(tracer.tracer)
        tracer.app._backups.join()
        before = sorted(folder.glob("*"))
        tracer.app._backups.if_due(tracer.tracer)
        tracer.app._backups.join()
        assert sorted(folder.glob("*")) == before, "the next one is not due yet"
