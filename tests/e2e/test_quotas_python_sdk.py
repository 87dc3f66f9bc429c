"""sentry-sdk stops sending what a quota refuses, and goes on with the rest."""

from __future__ import annotations

from click.testing import CliRunner

from e2e.clients import PYTHON_CLIENT, outcomes, run, until
from serving import PROJECT, Server
from tracer.cli import main

#: The first is taken and the second refused; the third was not even sent, as the SDK tells.
FATES = {"stored": 1, "rate_limited": 1, "client_discard": 1}


def test_sdk_backs_off_by_category_and_reports_it(server: Server) -> None:
    words = ("quota", "set", "1", "--category", "error", "--project", PROJECT)
    done = CliRunner().invoke(main, [*words, "--data", str(server.data)])
    assert done.exit_code == 0, done.stderr
    run(PYTHON_CLIENT, server, "limited", wait=False)
    until(lambda: outcomes(server, "error") == FATES)
    assert outcomes(server, "transaction") == {"unsupported": 1}
    reasons = server.rows("SELECT reason FROM outcomes WHERE outcome = 'client_discard'")
    assert ("ratelimit_backoff",) in reasons
