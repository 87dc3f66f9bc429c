"""How full the spool is, by bytes, frames and age, and the level that follows from it.

Pure. What is refused at which level is for ingest to say: a level is a number here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

#: Level 0 takes everything, level 7 nothing; between them the rest of the room, in equal steps.
LEVELS = 7
_MARK_EVERY_S = 1.0
_MARKS = 4096


@dataclass(frozen=True, slots=True)
class Capacity:
    """What may wait at most: bytes, frames, and seconds that the oldest frame has waited. Levels
    begin at `high_percent` of any of them."""

    max_bytes: int
    max_frames: int = 10_000_000
    max_age_s: float = 86_400.0
    high_percent: int = 60


@dataclass(frozen=True, slots=True)
class Load:
    """What waits now. `share` is how much of its bound the fullest measure has, 1.0 is full."""

    level: int
    share: float
    measure: str
    waiting_bytes: int
    frames: int
    age_s: float


class Ages:
    """How long the oldest frame has waited, by the monotonic clock: a clock that is set forward
    must not make frames old. What waited at the start counts from there."""

    def __init__(self, newest: int, now: float) -> None:
        self._marks: deque[tuple[int, float]] = deque([(newest, now)])
        self._every_s = _MARK_EVERY_S

    def note(self, newest: int, now: float) -> None:
        """Frames up to this id are there since about `now`."""
        last, at = self._marks[-1]
        if newest == last or now - at < self._every_s:
            return
        if len(self._marks) >= _MARKS:
            self._every_s *= 2
            self._marks = deque(mark for n, mark in enumerate(self._marks) if n % 2 == 0)
        elif len(self._marks) == 1:
            self._every_s = _MARK_EVERY_S
        self._marks.append((newest, now))

    def forget(self, oldest: int) -> None:
        """Frames before this id are gone."""
        marks = self._marks
        while len(marks) > 1 and marks[0][0] < oldest:
            marks.popleft()

    def age_s(self, oldest: int, now: float) -> float:
        """Seconds since the frame of this id came, give or take the distance of two marks."""
        marks = tuple(self._marks)
        came = next((at for newest, at in marks if newest >= oldest), marks[-1][1])
        return max(0.0, now - came)


class Pressure:
    """The level, with hysteresis: it rises at once, and falls when a whole step is free again."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.level = 0
        high = capacity.high_percent / 100
        self._step = (1.0 - high) / LEVELS
        self._begins = [high + self._step * number for number in range(LEVELS)]

    def update(self, waiting_bytes: int, frames: int, age_s: float) -> bool:
        """Take new measures; True when the level changed."""
        load = self.weigh(waiting_bytes, frames, age_s)
        before = self.level
        level = sum(load.share >= begin for begin in self._begins)
        if level < before:
            # A level lasts until there is the room of one step below where it began.
            level = min(before, sum(load.share >= begin - self._step for begin in self._begins))
        self.level = level
        return level != before

    def weigh(self, waiting_bytes: int, frames: int, age_s: float) -> Load:
        """The load of these measures, at the level that is in force."""
        capacity = self.capacity
        share, measure = max(
            (waiting_bytes / max(capacity.max_bytes, 1), "bytes"),
            (frames / max(capacity.max_frames, 1), "frames"),
            (age_s / max(capacity.max_age_s, 0.001), "age"),
        )
        return Load(self.level, share, measure, waiting_bytes, frames, age_s)
