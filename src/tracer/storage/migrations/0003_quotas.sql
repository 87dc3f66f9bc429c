-- Quotas of organizations, projects and keys, their use, and spike protection.

-- A project and a key say whose the quota is; without them it is the organization's. An empty
-- category is all of them together; a window of 0 seconds is the calendar month, UTC.
CREATE TABLE quotas (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    project_id      INTEGER REFERENCES projects (id) ON DELETE CASCADE,
    key_id          INTEGER REFERENCES project_keys (id) ON DELETE CASCADE,
    category        TEXT NOT NULL,
    window_s        INTEGER NOT NULL CHECK (window_s >= 0),
    amount          INTEGER NOT NULL CHECK (amount >= 0),
    is_hard         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    CHECK (key_id IS NULL OR project_id IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX quotas_one ON quotas (
    organization_id, coalesce(project_id, 0), coalesce(key_id, 0), category, window_s, is_hard
);
CREATE INDEX quotas_project ON quotas (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX quotas_key ON quotas (key_id) WHERE key_id IS NOT NULL;

-- How full a quota is: items of the month that `at` is in, or of a bucket as it was `at`.
CREATE TABLE quota_use (
    quota_id INTEGER PRIMARY KEY REFERENCES quotas (id) ON DELETE CASCADE,
    level    REAL NOT NULL,
    at       INTEGER NOT NULL,
    -- When it was last exceeded, and when people were last told.
    over_at  INTEGER,
    told_at  INTEGER
) STRICT;

INSERT INTO quotas
    (organization_id, project_id, key_id, category, window_s, amount, is_hard, created_at)
SELECT p.organization_id, p.id, k.id, 'error', k.rate_window_s, k.rate_limit, 1, k.created_at
FROM project_keys k
JOIN projects p ON p.id = k.project_id
WHERE k.rate_limit IS NOT NULL AND k.rate_window_s > 0;
ALTER TABLE project_keys DROP COLUMN rate_limit;
ALTER TABLE project_keys DROP COLUMN rate_window_s;

ALTER TABLE projects ADD COLUMN spike_protection INTEGER NOT NULL DEFAULT 1;

-- Spikes that began, one row each; one that lasts has no end.
CREATE TABLE spikes (
    id         INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    began_at   INTEGER NOT NULL,
    ended_at   INTEGER,
    threshold  INTEGER NOT NULL,
    dropped    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX spikes_project ON spikes (project_id, began_at DESC);
