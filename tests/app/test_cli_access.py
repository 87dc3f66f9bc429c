"""`tracer access`, on a folder without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import running
from serving import cli, read_json


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder whose organization lets nobody in."""
    folder = tmp_path / "data"
    with running(folder) as tracer:
        tracer.add_user("me@example.com", "owner")
        with tracer.meta.write(unaudited="test") as tx:
            tx.execute("""UPDATE organizations SET ip_ranges = '["192.0.2.7","2001:db8::/32"]'""")
            for number, conditions in enumerate(('{"roles":["owner"]}', '{"roles":["viewer"]}')):
                tx.insert(
                    """
                    INSERT INTO policies (organization_id, name, effect, conditions, is_active,
                        created_at, changed_at)
                    VALUES (:org, :name, 'deny', :conditions, :active, 1, 1)
                    """,
                    org=tracer.org.id,
                    name=f"rule {number}",
                    conditions=conditions,
                    active=1 - number,
                )
    return folder


def access(data: Path, *arguments: str) -> Any:
    return cli("access", *arguments, "--data", str(data))


def test_show_lists_what_can_keep_people_out(data: Path) -> None:
    text = access(data, "show").stdout
    assert "192.0.2.7 2001:db8::/32" in text
    assert "administration  every address" in text
    assert "rule 1  (off)" in text
    assert "People and tokens with the role owner may not do anything." in text


def test_unlock_opens_everything_and_says_what_it_did(data: Path) -> None:
    result = access(data, "unlock")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "default: 2 addresses removed, 1 policy switched off.\n"
    found = read_json(access(data, "show", "--json"))["organizations"][0]
    assert found["ip_ranges"] == []
    assert [policy["is_active"] for policy in found["policies"]] == [False, False]
    again = access(data, "unlock")
    assert again.stdout == "default: 0 addresses removed, 0 policies switched off.\n"


def test_unlock_can_be_for_addresses_or_policies_alone(data: Path) -> None:
    assert "2 addresses removed, 0 policies" in access(data, "unlock", "--addresses").stdout
    assert "0 addresses removed, 1 policy" in access(data, "unlock", "--policies").stdout


def test_explain_names_the_rule_that_decides(data: Path) -> None:
    said = access(data, "explain", "me@example.com", "event:read").stdout.splitlines()[-1]
    assert said.startswith("me@example.com may not use event:read: 127.0.0.1 is not in ")
    inside = ("--address", "192.0.2.7", "--json")
    found = json.loads(access(data, "explain", "me@example.com", "event:read", *inside).stdout)
    assert found["rule"] == "policy"
    assert found["text"] == "The policy “rule 0” does not allow this."


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "--org", "nothing"),
        ("unlock", "--org", "nothing"),
        ("explain", "nobody@example.com", "event:read"),
        ("explain", "me@example.com", "event:everything"),
    ],
)
def test_what_is_not_there_is_refused_with_one_line(data: Path, arguments: tuple[str, ...]) -> None:
    result = access(data, *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("tracer: There is no ")
    assert result.stderr.count("\n") == 1
