"""How many events each story gets, and when: two weeks, with one outage and one regression."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tracer.cli.demo.rhythm import DAY_S, HOUR_S, burst, moments
from tracer.cli.demo.world import Story

BURST_DAYS_AGO = 3.0
BURST_S = 2.5 * HOUR_S
_BURST_SHARE = 0.75
_BURST_WEIGHT = 1.6
#: The last events are minutes old, so that the clock of another machine makes none of them future.
_LATEST_S = 240.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One event to come: its story and its moment in unix seconds."""

    moment: float
    story: Story


@dataclass(frozen=True, slots=True)
class Plan:
    """`shots` in the order of their moments; `comebacks` follow once their issue is resolved."""

    shots: list[Shot]
    comebacks: list[Shot]


def plan(stories: tuple[Story, ...], random: Random, count: int, now: float) -> Plan:
    """`count` events in all, at least one of each story; the same for the same seed and hour."""
    counts = _counts(stories, count)
    shots: list[Shot] = []
    comebacks: list[Shot] = []
    for story, share in zip(stories, counts, strict=True):
        back = max(1, share // 12) if story.fixed_in else 0
        comebacks += [Shot(now, story)] * back
        shots += [Shot(moment, story) for moment in _moments(story, random, share - back, now)]
    shots.sort(key=lambda shot: shot.moment)
    return Plan(shots, comebacks)


def _counts(stories: tuple[Story, ...], count: int) -> list[int]:
    """Shares by weight that add up to `count`, if that is enough for two of each."""
    weights = [story.weight * (_BURST_WEIGHT if story.burst else 1) for story in stories]
    spare = max(0, count - 2 * len(stories))
    shares = [2 + int(spare * weight / sum(weights)) for weight in weights]
    shares[weights.index(max(weights))] += max(0, count - sum(shares))
    return shares


def _moments(story: Story, random: Random, count: int, now: float) -> list[float]:
    begin, end = now - story.since_days * DAY_S, now - max(_LATEST_S, story.until_days * DAY_S)
    if not story.burst:
        return moments(random, count, begin, end)
    inside = round(count * _BURST_SHARE)
    outage = burst(random, inside, now - BURST_DAYS_AGO * DAY_S, BURST_S)
    return outage + moments(random, count - inside, begin, end)
