-- Everything that changes. Every `_at` is unix milliseconds; every hash is 32 hexadecimal digits.

CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- accounts ---------------------------------------------------------------------------------------

CREATE TABLE organizations (
    id         INTEGER PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id            INTEGER PRIMARY KEY,
    email         TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name          TEXT NOT NULL DEFAULT '',
    password_hash TEXT,
    theme         TEXT NOT NULL DEFAULT 'system',
    created_at    INTEGER NOT NULL,
    login_at      INTEGER
) STRICT;

CREATE TABLE members (
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id         INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role            TEXT NOT NULL CHECK (role IN ('owner', 'manager', 'admin', 'member', 'viewer')),
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (organization_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE logins (
    token_hash      TEXT PRIMARY KEY,
    user_id         INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    csrf            TEXT NOT NULL,
    address         TEXT NOT NULL DEFAULT '',
    user_agent      TEXT NOT NULL DEFAULT '',
    created_at      INTEGER NOT NULL,
    seen_at         INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    id              INTEGER PRIMARY KEY,
    token_hash      TEXT NOT NULL UNIQUE,
    user_id         INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name            TEXT NOT NULL DEFAULT '',
    scopes          TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    used_at         INTEGER
) STRICT;

CREATE TABLE setup_links (
    token_hash TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;

-- projects ---------------------------------------------------------------------------------------

CREATE TABLE projects (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    slug            TEXT NOT NULL,
    name            TEXT NOT NULL,
    platform        TEXT NOT NULL DEFAULT 'other',
    scrub_ip        INTEGER NOT NULL DEFAULT 0,
    scrub_defaults  INTEGER NOT NULL DEFAULT 1,
    sensitive_names TEXT NOT NULL DEFAULT '[]',
    safe_names      TEXT NOT NULL DEFAULT '[]',
    allowed_domains TEXT NOT NULL DEFAULT '["*"]',
    next_short_id   INTEGER NOT NULL DEFAULT 1,
    first_event_at  INTEGER,
    created_at      INTEGER NOT NULL,
    deleted_at      INTEGER,
    UNIQUE (organization_id, slug)
) STRICT;

CREATE TABLE project_keys (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    public_key TEXT NOT NULL UNIQUE,
    label      TEXT NOT NULL DEFAULT 'Default',
    is_active  INTEGER NOT NULL DEFAULT 1,
    expires_at INTEGER,
    used_at    INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX project_keys_project ON project_keys (project_id);

CREATE TABLE environments (
    project_id    INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE releases (
    id            INTEGER PRIMARY KEY,
    project_id    INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    version       TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    event_count   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (project_id, version)
) STRICT;

-- ingest -----------------------------------------------------------------------------------------

CREATE TABLE digest_position (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    frame INTEGER NOT NULL
) STRICT;
INSERT INTO digest_position (id, frame) VALUES (1, 0);

CREATE TABLE outcomes (
    project_id INTEGER NOT NULL,
    hour_at    INTEGER NOT NULL,
    category   TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    reason     TEXT NOT NULL DEFAULT '',
    quantity   INTEGER NOT NULL,
    PRIMARY KEY (project_id, hour_at, category, outcome, reason)
) STRICT, WITHOUT ROWID;

-- Ids of recent events, so that one sent twice is stored once, and their issues. Pruned by age.
CREATE TABLE recent_events (
    project_id  INTEGER NOT NULL,
    event_id    BLOB NOT NULL,
    issue_id    INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, event_id)
) STRICT, WITHOUT ROWID;

-- issues -----------------------------------------------------------------------------------------

CREATE TABLE issues (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id       INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    short_id         INTEGER NOT NULL,
    title            TEXT NOT NULL,
    culprit          TEXT NOT NULL,
    type             TEXT NOT NULL,
    value            TEXT NOT NULL,
    platform         TEXT NOT NULL,
    level            INTEGER NOT NULL,
    is_handled       INTEGER NOT NULL DEFAULT 1,
    status           INTEGER NOT NULL DEFAULT 0,
    status_at        INTEGER NOT NULL,
    resolved_in      TEXT,
    regressed_at     INTEGER,
    assignee_id      INTEGER REFERENCES users (id) ON DELETE SET NULL,
    first_seen_at    INTEGER NOT NULL,
    last_seen_at     INTEGER NOT NULL,
    event_count      INTEGER NOT NULL,
    user_count       INTEGER NOT NULL,
    first_release    TEXT,
    last_release     TEXT,
    grouping_version INTEGER NOT NULL,
    UNIQUE (project_id, short_id)
) STRICT;
CREATE INDEX issues_last ON issues (project_id, status, last_seen_at DESC, id DESC);
CREATE INDEX issues_first ON issues (project_id, status, first_seen_at DESC, id DESC);
CREATE INDEX issues_events ON issues (project_id, status, event_count DESC, id DESC);
CREATE INDEX issues_users ON issues (project_id, status, user_count DESC, id DESC);
CREATE INDEX issues_assignee ON issues (assignee_id) WHERE assignee_id IS NOT NULL;

CREATE TABLE issue_hashes (
    project_id INTEGER NOT NULL,
    hash       TEXT NOT NULL,
    issue_id   INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    PRIMARY KEY (project_id, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX issue_hashes_issue ON issue_hashes (issue_id);

-- Project and status repeat those of the issue, so that a list of one environment is as fast as one
-- of all: its indexes have the same shape as those of `issues`.
CREATE TABLE issue_environments (
    issue_id      INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    environment   TEXT NOT NULL,
    project_id    INTEGER NOT NULL,
    status        INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    event_count   INTEGER NOT NULL,
    user_count    INTEGER NOT NULL,
    PRIMARY KEY (issue_id, environment)
) STRICT, WITHOUT ROWID;
CREATE INDEX issue_environments_last
    ON issue_environments (project_id, environment, status, last_seen_at DESC, issue_id DESC);
CREATE INDEX issue_environments_first
    ON issue_environments (project_id, environment, status, first_seen_at DESC, issue_id DESC);
CREATE INDEX issue_environments_events
    ON issue_environments (project_id, environment, status, event_count DESC, issue_id DESC);
CREATE INDEX issue_environments_users
    ON issue_environments (project_id, environment, status, user_count DESC, issue_id DESC);

CREATE TABLE issue_releases (
    issue_id      INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    release       TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    event_count   INTEGER NOT NULL,
    PRIMARY KEY (issue_id, release)
) STRICT, WITHOUT ROWID;
CREATE INDEX issue_releases_release ON issue_releases (release, issue_id);

CREATE TABLE issue_hours (
    issue_id    INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    hour_at     INTEGER NOT NULL,
    environment TEXT NOT NULL,
    event_count INTEGER NOT NULL,
    PRIMARY KEY (issue_id, hour_at, environment)
) STRICT, WITHOUT ROWID;

CREATE TABLE issue_users (
    issue_id    INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    user_key    TEXT NOT NULL,
    environment TEXT NOT NULL,
    PRIMARY KEY (issue_id, user_key, environment)
) STRICT, WITHOUT ROWID;

-- At most 1,000 values a key and issue; what comes after is counted under the value ''.
CREATE TABLE issue_tags (
    issue_id      INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    key           TEXT NOT NULL,
    value         TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    event_count   INTEGER NOT NULL,
    PRIMARY KEY (issue_id, key, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX issue_tags_value ON issue_tags (key, value, issue_id);

CREATE TABLE issue_activity (
    id         INTEGER PRIMARY KEY,
    issue_id   INTEGER NOT NULL REFERENCES issues (id) ON DELETE CASCADE,
    user_id    INTEGER REFERENCES users (id) ON DELETE SET NULL,
    kind       TEXT NOT NULL,
    data       TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX issue_activity_issue ON issue_activity (issue_id, id DESC);

CREATE VIRTUAL TABLE issue_text USING fts5 (
    text, content = '', contentless_delete = 1, tokenize = 'trigram'
);

CREATE TABLE attachments (
    id              INTEGER PRIMARY KEY,
    project_id      INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    event_id        TEXT NOT NULL,
    name            TEXT NOT NULL,
    content_type    TEXT NOT NULL,
    attachment_type TEXT NOT NULL,
    size_bytes      INTEGER NOT NULL,
    blob            TEXT NOT NULL,
    frame           INTEGER NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX attachments_event ON attachments (project_id, event_id);
CREATE INDEX attachments_blob ON attachments (blob);

CREATE TABLE feedback (
    id              INTEGER PRIMARY KEY,
    project_id      INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    feedback_id     TEXT NOT NULL,
    event_id        TEXT,
    issue_id        INTEGER REFERENCES issues (id) ON DELETE SET NULL,
    source          TEXT NOT NULL,
    name            TEXT NOT NULL DEFAULT '',
    email           TEXT NOT NULL DEFAULT '',
    message         TEXT NOT NULL,
    url             TEXT NOT NULL DEFAULT '',
    environment     TEXT,
    release         TEXT,
    status          INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    UNIQUE (project_id, feedback_id)
) STRICT;
CREATE INDEX feedback_project ON feedback (project_id, status, created_at DESC, id DESC);
-- What still waits for its event to arrive.
CREATE INDEX feedback_waiting ON feedback (project_id, created_at)
    WHERE issue_id IS NULL AND event_id IS NOT NULL;
CREATE INDEX feedback_issue ON feedback (issue_id) WHERE issue_id IS NOT NULL;

-- storage and background work --------------------------------------------------------------------

CREATE TABLE dictionaries (
    id         INTEGER PRIMARY KEY,
    body       BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tasks (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    arguments  TEXT NOT NULL,
    status     TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'running', 'failed')),
    tries      INTEGER NOT NULL DEFAULT 0,
    due_at     INTEGER NOT NULL,
    error      TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tasks_due ON tasks (status, due_at);
