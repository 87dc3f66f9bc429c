"""`tracer support-bundle`: helpful, and nothing in it that anybody would have to hide."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backup_steps import fill
from harness import running
from serving import cli
from tracer.storage.folder import Folder

SECRETS = (
    "hunter2",
    "olga@example.com",
    "very-secret-metrics",
    "the words of an event",
    "10.9.8.7",
)


@pytest.mark.parametrize("is_running", [True, False])
def test_the_bundle_has_numbers_and_no_secret_that_was_planted(
    tmp_path: Path, is_running: bool
) -> None:
    data, log = tmp_path / "data", tmp_path / "log.txt"
    log.write_text("digest stalled\nlogin of olga@example.com from 10.9.8.7 password=hunter2\n")

    def bundle() -> str:
        environment = {"TRACER_METRICS_TOKEN": "very-secret-metrics"}
        words = ("support-bundle", "--log", str(log), "--json", "--data", str(data))
        result = cli(*words, env=environment)
        assert result.exit_code == 0, result.output
        return result.output

    with running(data) as tracer:
        fill(tracer, events=1)
        tracer.send(message="the words of an event", user={"email": "olga@example.com"})
        tracer.add_user("olga@example.com")
        token, key = tracer.token(), tracer.key
        text = bundle()
    if not is_running:
        text = bundle()
    found = json.loads(text)
    master = Folder(data).master_key_path.read_text().strip()
    for secret in (*SECRETS, token, key, master):
        assert secret not in text
    assert found["rows"]["meta"]["issues"] == 3
    assert found["versions"]["tracer"]
    assert found["log"][0] == "digest stalled"
    assert "bytes" in found["status"]["waiting"]
    assert found["schemas"][0]["schema"] == found["schemas"][0]["known"]


def test_a_bundle_is_made_of_a_folder_without_stores_too(tmp_path: Path) -> None:
    output = tmp_path / "bundle.json"
    result = cli("support-bundle", "-o", str(output), "--data", str(tmp_path / "data"))
    assert result.exit_code == 0
    assert output.stat().st_mode & 0o777 == 0o600
    assert "problem" in json.loads(output.read_text())["status"]
