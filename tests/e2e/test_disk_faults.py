"""A disk that fails to sync, or takes long: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.clients import until
from e2e.senders import Sender, senders, stored_ids
from serving import Server, free_port, set_up

SHIM = Path(__file__).parent / "faulty_disk.c"
Order = Callable[[str], None]


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    assert compiler is not None, "needs a C compiler: apt-get install gcc libc6-dev"
    made = tmp_path_factory.mktemp("shim") / "faulty_disk.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", made, SHIM, "-ldl"],
        check=True,
    )
    return made


@pytest.fixture
def faulty(tmp_path: Path, shim: Path) -> Iterator[tuple[Server, Order]]:
    """A running server, and what gives its disk an order: "fail spool", "slow 200 data", ""."""
    orders = tmp_path / "orders"
    server = Server(tmp_path, free_port(), {"disk_floor_bytes": 0, "spike_floor_events": 0})
    set_up(server)
    server.wrapper = ("env", f"LD_PRELOAD={shim}", f"FAULTS={orders}")
    server.start()

    def order(text: str) -> None:
        beside = orders.with_suffix(".new")
        beside.write_text(text)
        beside.replace(orders)

    try:
        yield server, order
    finally:
        server.stop()


def answered(threads: list[Sender], status: int, more: int = 5) -> None:
    """Wait until each sender got so many more answers of this status."""
    before = [thread.answers[status] for thread in threads]
    until(
        lambda: all(t.answers[status] >= n + more for t, n in zip(threads, before, strict=True)),
        limit_s=30,
    )


def acknowledged(threads: list[Sender]) -> set[str]:
    return {event_id for thread in threads for event_id in thread.acknowledged}


def assert_each_is_there_once(server: Server, ids: set[str]) -> None:
    server.settle(len(ids))
    server.stop()
    found = stored_ids(server.data)
    assert ids - set(found) == set()
    assert {each for each, times in found.items() if times > 1} == set()


def test_spool_that_cannot_be_synced_acknowledges_nothing_until_it_can(
    faulty: tuple[Server, Order],
) -> None:
    server, order = faulty
    with senders(server) as threads:
        answered(threads, 200)
        order("fail spool")
        answered(threads, 503)
        before = acknowledged(threads)
        answered(threads, 503)
        assert acknowledged(threads) == before
        order("")
        answered(threads, 200)
    assert all(set(thread.answers) == {200, 503} for thread in threads)
    assert all(value and int(value) > 0 for thread in threads for value in thread.retry_after)
    assert_each_is_there_once(server, acknowledged(threads))
    assert server.log().count("The spool cannot be written") <= 3


def test_kill_while_the_spool_cannot_be_synced_loses_nothing(faulty: tuple[Server, Order]) -> None:
    server, order = faulty
    ids: set[str] = set()
    for _ in range(3):
        with senders(server) as threads:
            answered(threads, 200)
            order("fail spool")
            answered(threads, 503, more=2)
            server.kill()
        ids |= acknowledged(threads)
        order("")
        server.start()
    assert_each_is_there_once(server, ids)


@pytest.mark.parametrize("file", ["meta.db", "events.duckdb", "data/"])
def test_digest_goes_on_once_its_stores_can_be_synced_again(
    faulty: tuple[Server, Order], file: str
) -> None:
    server, order = faulty
    with senders(server) as threads:
        answered(threads, 200)
        order(f"fail {file}")
        until(lambda: "trying again" in server.log(), limit_s=20)
        order("")
        answered(threads, 200)
    assert_each_is_there_once(server, acknowledged(threads))
    assert "Traceback" not in server.log()


def test_slow_disk_makes_answers_slow_and_nothing_else(faulty: tuple[Server, Order]) -> None:
    server, order = faulty
    with senders(server, 8) as threads:
        order("slow 300 data/")
        answered(threads, 200, more=3)
        began = time.monotonic()
        status, _ = server.get("/login")
        assert status == 200
        assert time.monotonic() - began < 3
        order("")
        answered(threads, 200)
    assert all(set(thread.answers) == {200} for thread in threads)
    assert_each_is_there_once(server, acknowledged(threads))
