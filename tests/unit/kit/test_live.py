"""Live updates: who hears what, and how often."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from tracer.kit import live
from tracer.kit.live import Live, LiveAnswer

SCOPE = {"type": "http", "method": "GET"}


class Browser:
    """The other end of an open answer."""

    def __init__(
        self,
        hub: Live,
        *topics: str,
        allowed: Callable[[], bool] = lambda: True,
        organization_id: int | None = None,
    ) -> None:
        self.gone = asyncio.Event()
        self.body = b""
        self.is_over = False
        answer = LiveAnswer(hub, frozenset(topics), allowed, organization_id)
        self.task = asyncio.ensure_future(answer(SCOPE, self._receive, self._send))

    async def _receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.body += message.get("body", b"")
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.is_over = True

    @property
    def messages(self) -> list[Any]:
        lines = self.body.split(b"\n")
        return [msgspec.json.decode(line[6:]) for line in lines if line.startswith(b"data: ")]

    async def hears(self, count: int) -> list[Any]:
        for _ in range(400):
            if len(self.messages) >= count:
                break
            await asyncio.sleep(0.005)
        return self.messages


def drive(scenario: Callable[[Live], Awaitable[None]]) -> None:
    async def main() -> None:
        hub = Live()
        hub.start(asyncio.get_running_loop())
        await asyncio.wait_for(scenario(hub), 10)

    asyncio.run(main())


def test_message_from_another_thread_reaches_the_listeners_of_its_topic() -> None:
    async def scenario(hub: Live) -> None:
        mine, other = Browser(hub, "project:7", "project:8"), Browser(hub, "project:9")
        await asyncio.sleep(0.01)
        thread = threading.Thread(target=hub.publish, args=("project:7", {"new": 1}))
        thread.start()
        assert await mine.hears(1) == [{"topic": "project:7", "new": 1}]
        assert b"event: project\n" in mine.body
        assert other.messages == []
        thread.join()
        hub.stop()
        await mine.task
        await other.task

    drive(scenario)


def test_busy_topic_is_joined_into_few_messages() -> None:
    async def scenario(hub: Live) -> None:
        browser = Browser(hub, "project:7")
        await asyncio.sleep(0.01)
        for number in range(100):
            hub.publish("project:7", {"new": 1, "last": str(number)})
            await asyncio.sleep(0.006)
        heard = await browser.hears(2)
        await asyncio.sleep(live.GAP_S)
        heard = browser.messages
        assert len(heard) <= 4
        assert sum(message["new"] for message in heard) == 100
        assert heard[-1]["last"] == "99"
        hub.stop()
        await browser.task

    drive(scenario)


def test_page_that_goes_away_is_forgotten() -> None:
    async def scenario(hub: Live) -> None:
        browser = Browser(hub, "project:7")
        await asyncio.sleep(0.01)
        browser.gone.set()
        await browser.task
        hub.publish("project:7", {"new": 1})
        await asyncio.sleep(0.02)
        assert browser.messages == []
        assert hub.count == 0

    drive(scenario)


def test_answer_ends_when_the_server_stops() -> None:
    async def scenario(hub: Live) -> None:
        browser = Browser(hub, "project:7")
        await asyncio.sleep(0.01)
        hub.stop()
        await asyncio.wait_for(browser.task, 1)
        assert browser.is_over

    drive(scenario)


def test_answer_ends_when_the_login_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.02)
    monkeypatch.setattr(live, "RECHECK_S", 0.05)

    async def scenario(hub: Live) -> None:
        allowed = [True]
        browser = Browser(hub, "project:7", allowed=lambda: allowed[0])
        await asyncio.sleep(0.15)
        assert b": still here\n\n" in browser.body
        assert not browser.is_over
        allowed[0] = False
        await asyncio.wait_for(browser.task, 1)
        assert b"event: over\n" in browser.body

    drive(scenario)


def test_only_pages_of_the_organization_are_asked_again() -> None:
    async def scenario(hub: Live) -> None:
        pages = [
            Browser(hub, "pages", allowed=lambda: False, organization_id=number)
            for number in (1, 2)
        ]
        await asyncio.sleep(0.01)
        hub.recheck(1)
        await asyncio.wait_for(pages[0].task, 1)
        await asyncio.sleep(0.05)
        assert [page.is_over for page in pages] == [True, False]
        hub.recheck()
        await asyncio.wait_for(pages[1].task, 1)

    drive(scenario)


def test_publishing_costs_nothing_when_nobody_listens_or_the_server_stops() -> None:
    hub = Live()
    hub.publish("project:7", {"new": 1})

    async def scenario(hub: Live) -> None:
        hub.publish("project:7", {"new": 1})
        hub.stop()
        hub.publish("project:7", {"new": 1})

    drive(scenario)
