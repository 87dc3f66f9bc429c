"""The rate limits that keys had before there were quotas hold on after an update."""

from __future__ import annotations

from pathlib import Path

import apsw

from tracer.projects import queries as projects
from tracer.projects.quotas import queries
from tracer.storage import migrate
from tracer.storage.meta import Meta

FORMER = 2


def test_rate_limits_of_keys_become_quotas(tmp_path: Path) -> None:
    path = tmp_path / "meta.db"
    connection = apsw.Connection(str(path))
    migrate.migrate(connection, path, migrate.migrations()[:FORMER])
    connection.execute(
        """
        INSERT INTO organizations (id, slug, name, created_at) VALUES (7, 'acme', 'Acme', 1);
        INSERT INTO projects (id, organization_id, slug, name, created_at)
        VALUES (8, 7, 'shop', 'Shop', 1);
        INSERT INTO project_keys (id, project_id, public_key, created_at, rate_limit, rate_window_s)
        VALUES (9, 8, 'a', 1, 100, 60), (10, 8, 'b', 1, NULL, NULL);
        """
    )
    connection.close()
    meta = Meta(path)
    try:
        reader = meta.read()
        [(quota, use)] = queries.every_quota(reader)
        limited, free = projects.keys(reader, 8)
    finally:
        meta.close()
    assert (quota.scope, quota.key_id, quota.text) == ("key", 9, "100 errors a minute")
    assert quota.is_hard
    assert use.level == 0
    assert (limited.rate, free.rate) == ((100, 60), None)
