-- Inbound filters of projects, events that they ended, and discarded issues.

-- A project that was there before filters nothing.
ALTER TABLE projects ADD COLUMN filters TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(filters));

-- Lately filtered events: what belongs to one and comes later goes with it.
CREATE TABLE filtered_events (
    project_id  INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    event_id    BLOB NOT NULL,
    reason      TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX filtered_events_received ON filtered_events (project_id, received_at);

-- Issues that were deleted and discarded: what they were, and how many events came since.
CREATE TABLE discarded_issues (
    id           INTEGER PRIMARY KEY,
    project_id   INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    short_id     INTEGER NOT NULL,
    title        TEXT NOT NULL,
    culprit      TEXT NOT NULL,
    level        INTEGER NOT NULL,
    environments TEXT NOT NULL,
    discarded_by INTEGER REFERENCES users (id) ON DELETE SET NULL,
    discarded_at INTEGER NOT NULL,
    event_count  INTEGER NOT NULL DEFAULT 0,
    last_seen_at INTEGER
) STRICT;
CREATE INDEX discarded_issues_project ON discarded_issues (project_id, discarded_at DESC);

CREATE TABLE discarded_hashes (
    project_id  INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    hash        TEXT NOT NULL,
    discard_id  INTEGER NOT NULL REFERENCES discarded_issues (id) ON DELETE CASCADE,
    PRIMARY KEY (project_id, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX discarded_hashes_discard ON discarded_hashes (discard_id);
