"""Which projects an actor may see, and of which environments no events."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reach:
    """The project ids an actor may see. Made by the guard and by tests only.

    `hidden` are environments whose events a policy keeps back: (project id or None for all, name).
    """

    organization_id: int
    project_ids: tuple[int, ...]
    hidden: tuple[tuple[int | None, str], ...] = ()
    _held: frozenset[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_held", frozenset(self.project_ids))

    def holds(self, project_id: int) -> bool:
        """Whether the project is in reach."""
        return project_id in self._held

    def hides(self, project_id: int) -> tuple[str, ...]:
        """The environments of a project whose events are kept back, by name."""
        if not self.hidden:
            return ()
        return tuple(sorted({name for id_, name in self.hidden if id_ in (None, project_id)}))


NOWHERE = Reach(0, ())
