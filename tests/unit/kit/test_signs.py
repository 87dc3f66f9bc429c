"""What is wrong, from what was measured: each sign at its threshold and not before."""

from __future__ import annotations

from typing import Any

import pytest

from tracer.kit.signs import Look, Probe, signs

GOOD: dict[str, Any] = {"free_bytes": 10**12, "floor_bytes": 10**9}
CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"waiting_frames": 5, "unmoved_s": 14}, []),
    ({"waiting_frames": 5, "unmoved_s": 16}, ["digest_stalled"]),
    ({"waiting_frames": 0, "unmoved_s": 900}, []),
    ({"waiting_frames": 5, "oldest_s": 299}, []),
    ({"waiting_frames": 5, "oldest_s": 301}, ["digest_behind"]),
    ({"waiting_frames": 5, "unmoved_s": 400, "oldest_s": 400}, ["digest_stalled"]),
    ({"digest_runs": False}, ["digest_stopped"]),
    ({"worker_runs": False}, ["worker_stopped"]),
    ({"task": "erase_issue", "task_s": 599}, []),
    ({"task": "erase_issue", "task_s": 601}, ["task_stuck"]),
    ({"loop_lag_s": 3}, []),
    ({"loop_lag_s": 4}, ["loop_blocked"]),
    ({"clock_jump_s": -30}, ["clock_jumped"]),
    ({"write_held_s": 14}, []),
    ({"write_held_s": 16}, ["write_stuck"]),
    ({"free_bytes": 10**9 - 1}, ["disk_full"]),
    ({"low": True}, ["disk_full"]),
    ({"level": 1}, ["overloaded"]),
    ({"level": 7}, ["overloaded"]),
    ({"free_bytes": None}, ["disk_unknown"]),
    ({"balances": False}, ["accounts_imbalance"]),
    ({"full_in_s": 7 * 3600}, []),
    ({"full_in_s": 5 * 3600}, ["disk_filling"]),
    ({"stores": {"meta": Probe(14)}}, []),
    ({"stores": {"meta": Probe(16)}}, ["meta_unavailable"]),
    ({"stores": {"events": Probe(0, "broken")}}, ["events_unavailable"]),
    ({"stores": {"spool": Probe(16), "events": Probe(16)}},
     ["spool_unavailable", "events_unavailable"]),
]  # fmt: skip


@pytest.mark.parametrize(("measured", "codes"), CASES)
def test_sign_is_seen_at_its_threshold(measured: dict[str, Any], codes: list[str]) -> None:
    found = list(signs(Look(**{**GOOD, **measured}), 15))
    assert [sign.code for sign in found] == codes
    for sign in found:
        assert sign.text.endswith((".", "broken"))
        assert sign.advice.endswith(".")


@pytest.mark.parametrize("code", ["disk_filling", "task_stuck", "clock_jumped", "worker_stopped"])
def test_what_does_not_keep_events_away_leaves_the_server_ready(code: str) -> None:
    look = Look(**GOOD, full_in_s=60, task_s=700, clock_jump_s=9)
    stopped = Look(**GOOD, worker_runs=False)
    blocks = {sign.code: sign.blocks for sign in (*signs(look, 15), *signs(stopped, 15))}
    assert blocks[code] is False
