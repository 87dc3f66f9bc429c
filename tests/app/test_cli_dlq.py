"""`tracer dlq`: without a server and beside one; what it prints holds no secrets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import Running, envelope, running
from letter_steps import bury, change, ids, mend
from serving import cli, read_json
from tracer.app import letters
from tracer.storage.folder import Folder
from tracer.storage.readonly import reading

SECRET = "hunter2"
EVENT = {"message": "from the dead", "extra": {"password": SECRET}}


@dataclass
class Place:
    """A folder with dead letters, and the server that runs on it."""

    data: Path
    letters: list[int]
    server: Running | None


@pytest.fixture(params=["beside a server", "on a stopped one"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A folder with three dead letters, two of them mended. What is replayed is digested later."""
    data = tmp_path / "data"
    with running(data) as tracer:
        found = _fill(tracer)
        if request.param == "beside a server":
            yield Place(data, found, tracer)
            return
    yield Place(data, found, None)


def _fill(tracer: Running) -> list[int]:
    found = [bury(tracer) for _ in range(3)]
    change(tracer, "UPDATE dead_letters SET reason = 'KeyError' WHERE id = 1")
    for letter in found[1:]:
        event = {**EVENT, "message": f"from the dead {'x' * letter}"}
        mend(tracer, letter, envelope({}, [({"type": "event"}, event)]))
    return found


def dlq(data: Path, *words: str) -> object:
    return read_json(cli("dlq", *words, "--json", "--data", str(data)))


@contextmanager
def settled(place: Place) -> Iterator[Callable[[str], object]]:
    """Values of the folder once everything is digested, by a server started for it if need be."""
    if place.server is None:
        with running(place.data) as tracer:
            tracer.digest()
    else:
        place.server.digest()
    with reading(Folder(place.data).meta) as reader:
        yield lambda sql: reader.value(sql)


def test_list_and_show_tell_why_without_secrets(place: Place) -> None:
    data, found = place.data, place.letters
    listed = dlq(data, "list")
    assert {group["reason"]: group["count"] for group in listed["groups"]} == {
        "KeyError": 1,
        "Invalid": 2,
    }
    assert [row["id"] for row in listed["letters"]] == [str(id_) for id_ in reversed(found)]
    assert [g["count"] for g in dlq(data, "list", "--reason", "KeyError")["groups"]] == [1]
    shown = dlq(data, "show", str(found[1]), "--try")
    assert shown["wouldFailWith"] is None
    assert shown["changedSince"] == []
    assert shown["content"]["items"][0]["content"]["extra"] == {"password": "[Filtered]"}
    assert dlq(data, "show", str(found[0]), "--try")["wouldFailWith"] == "Invalid"
    plain = cli("dlq", "show", str(found[1]), "--data", str(data))
    assert "from the dead" in plain.output
    assert SECRET not in plain.output
    assert "KeyError" in cli("dlq", "list", "--data", str(data)).output


def test_replay_and_discard(place: Place) -> None:
    data, found = place.data, place.letters
    assert dlq(data, "replay", str(found[1])) == {"replayed": 1, "left": 0}
    assert dlq(data, "discard", "--reason", "KeyError", "--yes") == {"discarded": 1, "left": 0}
    assert dlq(data, "replay", "--all") == {"replayed": 1, "left": 0}
    assert dlq(data, "list")["groups"] == []
    with settled(place) as value:
        assert value("SELECT count(*) FROM issues") == 2
        assert value("SELECT sum(quantity) FROM outcomes WHERE outcome = 'stored'") == 2
        assert value("SELECT count(*) FROM audit WHERE action = 'dead_letter.replay'") == 2
        kinds = "SELECT group_concat(DISTINCT actor_kind) FROM audit WHERE action GLOB 'dead_l*'"
        assert value(kinds) == "cli"


def test_export_is_scrubbed_and_recorded(place: Place, tmp_path: Path) -> None:
    data, found = place.data, place.letters
    file = tmp_path / "letters.jsonl"
    done = cli("dlq", "export", "--json", "-o", str(file), "--data", str(data))
    assert json.loads(done.stderr) == {"exported": 3}
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["id"] for row in rows] == [str(id_) for id_ in found]
    assert SECRET not in file.read_text()
    with settled(place) as value:
        assert value("SELECT count(*) FROM audit WHERE action = 'dead_letter.export'") == 2


def test_many_are_done_in_steps(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    data = place.data
    monkeypatch.setattr(letters, "AT_ONCE", 1)
    assert dlq(data, "discard", "--all", "--yes") == {"discarded": 3, "left": 0}
    with settled(place) as value:
        entries = "SELECT count(*) FROM audit WHERE action = 'dead_letter.discard'"
        assert value(entries) == 2, "one for each reason, not one for each step"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "99"), "There is no dead letter 99"),
        (("replay", "1", "99"), "There is no dead letter 99; nothing was done"),
        (("replay",), "Name dead letters by id"),
        (("replay", "1", "--all"), "Name dead letters by id"),
        (("discard", "--all", "--project", "shop", "--yes"), "Name dead letters by id"),
        (("list", "--project", "nowhere"), "There is no project called nowhere"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    with running(tmp_path / "data") as tracer:
        bury(tracer)
        refused = cli("dlq", *words, "--data", str(tmp_path / "data"))
        assert (refused.exit_code, says in refused.stderr) == (1, True), refused.output
        assert ids(tracer) == [1]


def test_a_folder_without_anything_is_refused(tmp_path: Path) -> None:
    refused = cli("dlq", "list", "--data", str(tmp_path / "none"))
    assert refused.exit_code == 1
    assert "nothing has been stored" in refused.stderr


def test_discarding_asks_first(tmp_path: Path) -> None:
    with running(tmp_path / "data") as tracer:
        bury(tracer)
        asked = cli("dlq", "discard", "--all", "--data", str(tmp_path / "data"), stdin="n\n")
        assert asked.exit_code == 1
        assert "cannot be had again" in asked.stderr
        assert ids(tracer) == [1]
