"""Exports of the audit log: the same from page, API and command, streamed, without formulas."""

from __future__ import annotations

import csv
import io
import json

import pytest

from audit_steps import PAGE, log_of, rows, write
from harness import Running
from serving import cli
from tracer.features.audit import export, queries
from tracer.features.audit.model import Wanted


@pytest.fixture
def log(tracer: Running) -> str:
    """The path of the API."""
    return log_of(tracer)


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", "\r=1")


@pytest.mark.parametrize("formula", FORMULAS)
def test_csv_holds_no_formula(tracer: Running, log: str, formula: str) -> None:
    write(tracer, "thing.make", formula, actor=f"={formula}", after={"name": formula})
    exported = tracer.api(f"{log}export/?format=csv&event=thing.make")
    assert exported.headers["content-type"].startswith("text/csv")
    assert "attachment" in exported.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(exported.content.decode(), newline=""))
    assert row["targetName"] == f"'{formula}"
    assert row["actor"].startswith("'=")
    assert not any(cell.startswith(FORMULAS[:5]) for cell in row.values())


def test_page_api_and_command_export_the_same(tracer: Running, log: str) -> None:
    write(tracer, "thing.make", "Ünïcode, “quotes” and\nlines", after={"n": 1})
    data = str(tracer.app.settings.data)
    by_api = tracer.api(f"{log}export/?event=thing.make").content
    by_page = tracer.post(f"{PAGE}export", {"format": "jsonl", "action": "thing.make"}).content
    flags = ("--org", tracer.org.slug, "--action", "thing.make", "--data", data)
    by_cli = cli("audit", "export", *flags).stdout_bytes
    assert by_api == by_page == by_cli
    (row,) = map(json.loads, by_api.splitlines())
    assert row == rows(tracer, f"{log}?event=thing.make")[0]
    assert row["targetName"] == "Ünïcode, “quotes” and\nlines"


def test_export_holds_everything_the_oldest_first(
    tracer: Running, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "CHUNK", 4)
    for number in range(10):
        write(tracer, "thing.make", f"thing-{number}")
    exported = tracer.api(f"{log}export/?event=thing.make").text
    names = [json.loads(line)["targetName"] for line in exported.splitlines()]
    assert names == [f"thing-{number}" for number in range(10)]


def test_export_is_streamed(tracer: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is written while the entries are read: not all of them are held at once."""
    monkeypatch.setattr(queries, "CHUNK", 2)
    for number in range(8):
        write(tracer, "thing.make", f"thing-{number}")
    scope = queries.Scope(tracer.org.id)
    read = queries.export(tracer.meta.read, scope, Wanted(action="thing.make"))
    pieces = export.lines(read, "jsonl")
    assert next(pieces).count(b"\n") == 2
    write(tracer, "thing.make", "afterwards")
    rest = b"".join(pieces)
    assert rest.count(b"\n") == 6
    assert b"afterwards" not in rest


def test_export_is_recorded_itself(tracer: Running, log: str) -> None:
    tracer.api(f"{log}export/?format=csv&actor=ada")
    tracer.post(f"{PAGE}export", {"format": "jsonl"})
    cli("audit", "export", "--data", str(tracer.app.settings.data), "--org", tracer.org.slug)
    found = rows(tracer, f"{log}?event=audit.export")
    assert [row["actorKind"] for row in found] == ["cli", "user", "token"]
    assert found[2]["after"] == {"format": "csv", "actor": "ada"}
