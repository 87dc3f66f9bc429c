"""Every recorded request of a real client gets the right answer, and every item its outcome."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Running
from wire.replay import ENTRIES, GOLDEN, replay, server

#: Where the recording server answered otherwise on purpose (a rate limit) or for want of the page.
MEANT = {"node-sentry/040": 200, "browser-sentry/047": 200}
#: Requests of sentry-cli for features that are not there yet are answered 404, with a reason.
NOT_YET = ("/repos/", "/releases/", "/chunk-upload/", "/assemble/", "/monitors/", "dataset=logs")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, dict[str, Any]]]:
    with server(tmp_path_factory.mktemp("wire") / "data") as tracer:
        yield tracer, {id_: replay(tracer, entry) for id_, entry in ENTRIES.items()}


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return json.loads(Path(GOLDEN).read_text())


def test_the_golden_results_cover_the_whole_corpus(golden):
    assert set(golden) == set(ENTRIES)


@pytest.mark.parametrize("id_", sorted(ENTRIES))
def test_recorded_request_has_its_golden_result(id_, replayed, golden):
    assert replayed[1][id_] == golden[id_]


@pytest.mark.parametrize("id_", sorted(ENTRIES))
def test_recorded_request_is_answered_as_its_client_expects(id_, replayed):
    entry, status = ENTRIES[id_], replayed[1][id_]["status"]
    if any(part in entry["path"] for part in NOT_YET):
        assert status == 404
    else:
        assert status == MEANT.get(id_, entry["capture_response"]["status"])


@pytest.mark.parametrize("id_", [i for i, entry in ENTRIES.items() if entry["items"]])
def test_every_item_of_a_recorded_envelope_has_an_outcome(id_, replayed):
    fates = {
        name: count
        for name, count in replayed[1][id_]["outcomes"].items()
        if " client_discard" not in name
    }
    assert sum(fates.values()) >= len(ENTRIES[id_]["items"])


def test_nothing_is_refused_or_becomes_a_dead_letter(replayed):
    tracer, results = replayed
    assert tracer.tracer.spool.letters.read.count() == 0
    for id_, result in results.items():
        assert not [name for name in result["outcomes"] if "dead_letter" in name], id_
        assert not [name for name in result["outcomes"] if "refused" in name], id_
