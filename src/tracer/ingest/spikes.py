"""Spike protection: how many errors of a project are stored in an hour that is far over its usual.

Used by digest inside its transaction only, because digest alone knows which issue an event is of:
that of a new issue must be stored. What is remembered here is read anew after a rollback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracer.ingest.facts import SpikeBegan, SpikeEnded
from tracer.ingest.outcomes import HOUR_MS, RATE_LIMITED, STORED

if TYPE_CHECKING:
    from tracer.storage.meta import Tx

REASON: Final = "spike"
#: So many events of a new issue are stored, whatever else comes.
FIRST_EVENTS: Final = 10
HISTORY_HOURS: Final = 7 * 24
_YOUNG_HOURS: Final = 24
_BUSY_TIMES: Final = 3
_MEAN_TIMES: Final = 5
#: Before so much of an hour has passed, its pace says nothing.
_PACE_MS: Final = 15 * 60_000


def threshold(hourly: Sequence[int], hours: int, floor: int) -> int:
    """The most errors an hour that are still usual: three times what nine in ten of the last hours
    stayed within, or five times their mean, and never below `floor`.

    `hourly` are the hours with any events, out of `hours`.
    """
    hours = max(hours, len(hourly), _YOUNG_HOURS)
    ordered = sorted((*hourly, *(0 for _ in range(hours - len(hourly)))))
    busy = ordered[int(len(ordered) * 0.9)]
    return max(floor, _BUSY_TIMES * busy, _MEAN_TIMES * sum(ordered) // len(ordered))


@dataclass(slots=True)
class _Hour:
    """The running hour of a project: events that were stored, and those that were not."""

    began_at: int
    threshold: int
    stored: int
    held: int

    @property
    def offered(self) -> int:
        return self.stored + self.held


class Spikes:
    """The running hours of the projects that events come for, and the spikes that last."""

    def __init__(self, floor: int, is_protected: Callable[[int], bool]) -> None:
        """`floor` is the least threshold, in errors an hour; 0 switches all protection off."""
        self._floor = floor
        self._is_protected = is_protected
        self._hours: dict[int, _Hour] = {}
        self._lasting: dict[int, int] | None = None

    def forget(self) -> None:
        """The transaction was rolled back: nothing remembered here can be trusted."""
        self._hours.clear()
        self._lasting = None

    def room(self, tx: Tx, project_id: int, coming: int) -> int | None:
        """How many of the coming errors may be stored; None when all may."""
        if not self._floor or not self._is_protected(project_id):
            return None
        hour = self._hour(tx, project_id)
        if hour.offered + coming <= hour.threshold:
            return None
        return max(0, hour.threshold - hour.stored)

    def count(self, tx: Tx, project_id: int, stored: int, held: int) -> None:
        """Notes what became of a batch's errors; a spike may begin with it."""
        if not self._floor or not self._is_protected(project_id):
            return
        hour = self._hour(tx, project_id)
        hour.stored += stored
        hour.held += held
        if hour.offered <= hour.threshold:
            return
        lasting = self._all_lasting(tx)
        if project_id not in lasting:
            lasting[project_id] = self._begin(tx, project_id, hour.threshold)
        tx.execute(
            """
            UPDATE spikes
            SET dropped = dropped + :held, threshold = :threshold
            WHERE id = :id
            """,
            held=held,
            threshold=hour.threshold,
            id=lasting[project_id],
        )

    def end(self, tx: Tx) -> None:
        """Ends the spikes that are over."""
        lasting = self._all_lasting(tx)
        over = [id_ for id_ in lasting if self._is_over(tx, id_)]
        for project_id in over:
            spike_id = lasting.pop(project_id)
            tx.execute(
                "UPDATE spikes SET ended_at = :now WHERE id = :id", now=tx.now_ms, id=spike_id
            )
            tx.emit(SpikeEnded(project_id, spike_id))

    def _begin(self, tx: Tx, project_id: int, most: int) -> int:
        spike_id = tx.insert(
            """
            INSERT INTO spikes (project_id, began_at, threshold)
            VALUES (:project, :now, :threshold)
            """,
            project=project_id,
            now=tx.now_ms,
            threshold=most,
        )
        tx.emit(SpikeBegan(project_id, spike_id))
        return spike_id

    def _is_over(self, tx: Tx, project_id: int) -> bool:
        """Whether the last whole hour and the running one are both within the threshold. The
        running one is judged by its pace, once that says something."""
        if not self._floor or not self._is_protected(project_id):
            return True
        before = self._hours.get(project_id)
        hour = self._hour(tx, project_id)
        if before is not None and before is not hour and before.offered > before.threshold:
            # The next look decides, by the pace of the hour that begins.
            return False
        passed = tx.now_ms - hour.began_at
        if hour.offered > hour.threshold or passed < _PACE_MS:
            return False
        return hour.offered * HOUR_MS <= hour.threshold * passed

    def _hour(self, tx: Tx, project_id: int) -> _Hour:
        began_at = tx.now_ms - tx.now_ms % HOUR_MS
        hour = self._hours.get(project_id)
        if hour is None or hour.began_at != began_at:
            hour = self._hours[project_id] = self._load(tx, project_id, began_at)
        return hour

    def _load(self, tx: Tx, project_id: int, began_at: int) -> _Hour:
        rows = tx.rows(
            """
            SELECT hour_at, sum(quantity) FILTER (WHERE outcome = :stored), sum(quantity)
            FROM outcomes
            WHERE project_id = :project AND hour_at >= :since AND category = 'error'
                AND (outcome = :stored OR (outcome = :limited AND reason = :reason))
            GROUP BY hour_at
            """,
            project=project_id,
            since=began_at - HISTORY_HOURS * HOUR_MS,
            stored=STORED,
            limited=RATE_LIMITED,
            reason=REASON,
        )
        created_at = tx.value("SELECT created_at FROM projects WHERE id = :id", id=project_id)
        age = (began_at - (created_at or began_at)) // HOUR_MS
        past = [offered for hour_at, _, offered in rows if hour_at < began_at]
        most = threshold(past, min(HISTORY_HOURS, max(0, age)), self._floor)
        stored, offered = next(
            ((row[1] or 0, row[2]) for row in rows if row[0] == began_at), (0, 0)
        )
        return _Hour(began_at, most, stored, offered - stored)

    def _all_lasting(self, tx: Tx) -> dict[int, int]:
        if self._lasting is None:
            self._lasting = dict(
                tx.rows("SELECT project_id, id FROM spikes WHERE ended_at IS NULL")
            )
        return self._lasting
