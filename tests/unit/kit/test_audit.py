"""What an entry holds: secrets left out, texts cut, bulk changes merged, the organization found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracer.kit import audit
from tracer.storage.meta import Meta, Tx, sealed

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Tx]:
    meta = Meta(tmp_path / "meta.db", audit_key=b"key")
    with meta.write() as open_:
        yield open_
    meta.close()


def entry(tx: Tx, column: str) -> Any:
    return tx.value(f"SELECT {column} FROM audit ORDER BY id DESC LIMIT 1")


def after(tx: Tx) -> Any:
    return json.loads(entry(tx, "after"))


@pytest.mark.parametrize(
    "name",
    ["password", "new_password", "secret", "token", "API_KEY", "totp_seed", "recovery_code"],
)
def test_value_under_the_name_of_a_secret_is_hidden(tx: Tx, name: str) -> None:
    audit.record(tx, "x.update", "x", after={name: "hunter2", "deep": [{name: "hunter2"}]})
    assert "hunter2" not in entry(tx, "after")
    assert after(tx)[name] == audit.HIDDEN


def test_what_only_sounds_like_a_secret_is_kept(tx: Tx) -> None:
    values = {"token_id": 7, "password_at": 5, "secret": None, "has_password": True, "key": "a"}
    audit.record(tx, "x.update", "x", after=values)
    assert after(tx) == values


def test_json_web_token_is_hidden_wherever_it_stands(tx: Tx) -> None:
    acting = audit.Acting("user", 1, f"me {JWT}", device=JWT)
    with audit.acting(acting):
        audit.record(tx, "x.update", "x", JWT, name=JWT, before={"text": [f"see {JWT}!"]})
    row = tx.row("SELECT * FROM audit")
    assert JWT not in repr(row)
    assert "see [hidden]!" in repr(row)


def test_what_a_database_cannot_hold_does_not_stop_a_write(tx: Tx) -> None:
    audit.record(tx, "x.update", "x", name="a\x00b\ud800c", after={"text": "\ud800" * 900})
    assert entry(tx, "object") == "ab?c"
    assert len(after(tx)["text"]) == 500


def test_changes_made_together_are_one_entry_for_each_action(tx: Tx) -> None:
    with audit.together(tx):
        for number in (1, 2, 3):
            audit.record(tx, "x.a", "big_x", number, before={"n": number}, after={"s": "new"})
        audit.record(tx, "x.b", "x", 9, name="Nine")
        assert tx.value("SELECT count(*) FROM audit") == 0
    rows = tx.rows("SELECT action, object_id, object, before, after FROM audit ORDER BY id")
    assert [row[:3] for row in rows] == [("x.a", "", "3 big xs"), ("x.b", "9", "Nine")]
    assert json.loads(rows[0][3]) == {"n": [1, 2, 3]}
    assert json.loads(rows[0][4]) == {"ids": ["1", "2", "3"], "s": "new"}
    assert tx.audited


def test_changes_together_that_fail_leave_nothing(tx: Tx) -> None:
    def fail() -> None:
        with audit.together(tx):
            audit.record(tx, "x.a", "x", 1)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    audit.record(tx, "x.b", "x", 2)
    assert tx.rows("SELECT action FROM audit") == [("x.b",)]


def test_entry_belongs_to_the_organization_of_its_project(tx: Tx) -> None:
    for slug in ("first", "second"):
        tx.insert(
            "INSERT INTO organizations (slug, name, created_at) VALUES (:slug, 'O', 0)", slug=slug
        )
    project = tx.insert(
        "INSERT INTO projects (organization_id, slug, name, platform, created_at)"
        " VALUES (2, 'p', 'P', 'other', 0)"
    )
    with audit.acting(audit.Acting("user", 1, organization_id=1)):
        audit.record(tx, "x.a", "x", project_id=project)
        assert entry(tx, "organization_id") == 2
        audit.record(tx, "x.a", "x")
        assert entry(tx, "organization_id") == 1
        audit.record(tx, "x.a", "x", organization_id=2)
        assert entry(tx, "organization_id") == 2
    audit.record(tx, "x.a", "x")
    assert entry(tx, "organization_id") is None


def test_differing_leaves_out_what_stayed() -> None:
    before, after = audit.differing({"a": 1, "b": 2, "gone": 3}, {"a": 1, "b": 4, "new": None})
    assert before == {"b": 2, "gone": 3}
    assert after == {"b": 4}


def test_seal_is_of_the_key_the_number_and_the_hash() -> None:
    seal = sealed(b"key", 7, b"hash")
    assert seal == sealed(b"key", 7, b"hash")
    for other in ((b"other", 7, b"hash"), (b"key", 8, b"hash"), (b"key", 7, b"hush")):
        assert sealed(*other) != seal
