"""The server as a process: starting, being refused, live answers, and stopping."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import Server, cli, free_port, read_json, untouched

PASSWORD = "correct-horse-battery"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with untouched(tmp_path) as started:
        yield started


def set_up(data: Path) -> dict[str, str]:
    result = cli(
        *("setup", "--email", "me@example.com", "--password-stdin", "--json"),
        *("--data", str(data)),
        stdin=PASSWORD,
    )
    found: dict[str, str] = read_json(result)
    return found


def test_first_start_says_how_to_go_on(tmp_path: Path, server: Server) -> None:
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    url = f"http://127.0.0.1:{server.port}"
    assert re.search(rf"{url}/setup/[\w-]{{40,}}", server.log())
    assert re.search(rf"http://[0-9a-f]{{32}}@127\.0\.0\.1:{server.port}/1\b", server.log())
    assert "\x1b" not in server.log()


def test_line_that_the_first_start_prints_sends_an_event(server: Server) -> None:
    text = server.log()
    sent = subprocess.run(
        text[text.index("curl") :],
        shell=True,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert re.fullmatch(r'\{"id": ?"[0-9a-f]{32}"\}', sent.stdout.strip()), sent


def test_later_start_says_what_was_found(tmp_path: Path, server: Server) -> None:
    server.stop()
    set_up(tmp_path / "data")
    server.start()
    server.stop()
    assert "1 organization, 1 project, 0 issues; 0 envelopes waiting" in server.log()
    assert "/setup/" not in server.log()
    assert "curl" not in server.log()


def test_set_up_link_is_printed_again_while_nobody_can_log_in(
    tmp_path: Path, server: Server
) -> None:
    server.stop()
    server.start()
    server.stop()
    assert f"{server.url}/setup/" in server.log()


def test_second_server_on_the_folder_is_refused_in_one_line(tmp_path: Path, server: Server) -> None:
    result = cli("serve", "--port", str(free_port()), "--data", str(tmp_path / "data"))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert f"pid {server.pid}" in result.stderr
    assert server.get("/up")[0] == 200


def test_port_in_use_is_refused_in_one_line(tmp_path: Path, server: Server) -> None:
    result = cli("serve", "--port", str(server.port), "--data", str(tmp_path / "other"))
    assert result.exit_code == 1
    assert result.stderr == (
        f"tracer: Port {server.port} on 127.0.0.1 is already in use; choose another --port.\n"
    )
    assert not (tmp_path / "other").exists()


def test_unwritable_folder_is_refused_in_one_line() -> None:
    result = cli("serve", "--port", str(free_port()), "--data", "/proc/tracer")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "/proc/tracer cannot be written" in result.stderr


def test_unknown_setting_is_refused_with_a_suggestion() -> None:
    result = cli("serve", env={"TRACER_PROT": "1"})
    assert result.exit_code == 1
    assert result.stderr == (
        "tracer: Unknown setting TRACER_PROT in the environment. Did you mean TRACER_PORT?\n"
    )


def test_address_of_another_machine_is_refused_in_one_line(tmp_path: Path) -> None:
    result = cli("serve", "--host", "192.0.2.1", "--data", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "192.0.2.1" in result.stderr


def test_start_takes_less_than_two_seconds(tmp_path: Path) -> None:
    times = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        with untouched(tmp_path / str(number)) as started:
            times.append(started.started_s)
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert min(times) < 2.0 * busy, times


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_signal_ends_it_in_five_seconds_without_an_error(server: Server, number: int) -> None:
    keep_alive = server.connect()
    keep_alive.request("GET", "/up")
    keep_alive.getresponse().read()
    assert server.stop(number) < 5
    assert server.exit_code == 0
    assert "Traceback" not in server.log()
    keep_alive.close()


def test_request_under_way_is_answered_before_the_end(server: Server) -> None:
    connection = server.connect()
    connection.putrequest("POST", "/login")
    connection.putheader("Content-Length", "5")
    connection.endheaders(b"ab")
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    connection.send(b"cde")
    assert connection.getresponse().status == 403
    connection.close()
    assert server.process.wait(5) == 0


def test_request_that_never_ends_does_not_hold_up_the_stop(server: Server) -> None:
    connection = server.connect()
    connection.putrequest("POST", "/login")
    connection.putheader("Content-Length", "5")
    connection.endheaders(b"ab")
    time.sleep(0.2)
    assert server.stop() < 5
    assert server.exit_code == 0
    connection.close()


def test_live_answer_ends_when_the_server_stops(tmp_path: Path, server: Server) -> None:
    set_up(tmp_path / "data")
    server.login("me@example.com", PASSWORD)
    connection = server.connect()
    connection.request("GET", "/live/?topic=projects", headers={"Cookie": server.cookie})
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.readline() == b"retry: 3000\n"
    assert server.stop() < 5
    assert server.exit_code == 0
    connection.close()


def test_second_signal_ends_it_at_once(server: Server) -> None:
    connection = server.connect()
    connection.putrequest("POST", "/login")
    connection.putheader("Content-Length", "5")
    connection.endheaders(b"ab")
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) == 128 + signal.SIGTERM
    assert time.monotonic() - began < 1
    connection.close()


def test_killed_server_leaves_a_folder_that_starts_again(tmp_path: Path, server: Server) -> None:
    server.kill()
    server.start()
    assert set_up(server.data)["url"] == server.url
    server.stop()
    assert server.exit_code == 0
