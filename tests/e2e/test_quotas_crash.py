"""A server that is killed goes on counting where it was: no free month."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

from click.testing import CliRunner

from harness import envelope
from serving import PROJECT, Server, tracer
from tracer import clock
from tracer.cli import main

AMOUNT = 6


def send(server: Server) -> int:
    """One event; the status of the answer."""
    header = {"event_id": clock.new_id(), "dsn": server.dsn}
    raw = envelope(header, [({"type": "event"}, {"message": "It broke"})])
    url = f"{server.url}/api/{server.project_id}/envelope/"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, raw)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


def test_kill_gives_no_free_month() -> None:
    with tracer() as server:
        words = ("set", str(AMOUNT), "--category", "error", "--project", PROJECT, "--json")
        done = CliRunner().invoke(main, ["quota", *words, "--data", str(server.data)])
        assert json.loads(done.stdout)["amount"] == AMOUNT
        answers = [send(server) for _ in range(AMOUNT // 2)]
        deadline = time.monotonic() + 10
        while server.stored() < AMOUNT // 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        server.kill()
        server.start()
        answers += [send(server) for _ in range(AMOUNT // 2 + 2)]
        assert answers == [200] * AMOUNT + [429] * 2
