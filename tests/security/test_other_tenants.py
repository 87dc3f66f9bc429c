"""What lies in another organization is answered exactly as what does not exist: no more, no less.

Compared are status, headers and body, with the asked-for value itself taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from security.door import Answer
from security.places import Place, address, outcome, places
from security.test_access_walk import TABLE, body_of, name
from security.world import World
from tracer.kit.routes import Route

#: Values that differ with each answer, whoever asks.
_FRESH = re.compile(r'[0-9a-f]{16}\.[0-9a-f]{64}|"login_ref": "[0-9a-f]+"')


def is_bound(path: str) -> bool:
    """Whether a path leads to something that belongs to somebody; what is not known does."""
    try:
        return any(place.bound != "nothing" for place in places(path).values())
    except KeyError:
        return True


BOUND = [route for route in TABLE.routes if is_bound(route.path)]


def comparable(
    answer: Answer, target: str, values: list[object]
) -> tuple[int, list[tuple[str, str]], str]:
    """The answer without what was asked for (short numbers as part of the path only) and what is
    new each time."""
    words = {target, quote(target, safe=""), *(str(v) for v in values if len(str(v)) > 3)}
    asked = "|".join(sorted(map(re.escape, words), key=len, reverse=True))

    def plain(text: str) -> str:
        return re.sub(asked, "·", _FRESH.sub("·", text))

    headers = [
        (key, plain(value))
        for key, value in answer.headers
        if key not in ("content-length", "date", "x-request-id")
    ]
    return answer.status, headers, plain(answer.text)


def mixtures(found: dict[str, Place]) -> Iterator[set[str]]:
    """Which places are another's: each alone among one's own things, and all at once."""
    bound = [key for key, place in found.items() if place.bound != "nothing"]
    yield from ({key} for key in bound)
    if len(bound) > 1:
        yield set(bound)


@pytest.mark.parametrize("visitor", ["owner", "other team"])
@pytest.mark.parametrize("route", BOUND, ids=name)
def test_anothers_thing_is_answered_as_none(world: World, route: Route, visitor: str) -> None:
    found = places(route.path)
    for strange in mixtures(found):
        own = {key: place.of(world.acme) for key, place in found.items()}
        theirs = own | {key: found[key].of(world.globex) for key in strange}
        none = own | {key: found[key].missing for key in strange}
        answers = []
        for values in (theirs, none):
            target = address(route.path, values)
            answer = world.ask(visitor, route.method, target, **body_of(route))
            answers.append(comparable(answer, target, [values[key] for key in strange]))
        assert answers[0] == answers[1], strange
        assert outcome(answer) != "let in", strange


@pytest.mark.parametrize("route", BOUND, ids=name)
def test_thing_of_a_team_one_is_not_in_is_answered_as_none(world: World, route: Route) -> None:
    found = places(route.path)
    if not any(place.bound == "project" for place in found.values()):
        return
    strange = {key for key, place in found.items() if place.bound == "project"}
    there = {key: place.of(world.acme) for key, place in found.items()}
    none = there | {key: found[key].missing for key in strange}
    answers = []
    for values in (there, none):
        target = address(route.path, values)
        answer = world.ask("other team", route.method, target, **body_of(route))
        answers.append(comparable(answer, target, [values[key] for key in strange]))
    assert answers[0] == answers[1]
