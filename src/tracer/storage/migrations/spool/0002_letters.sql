-- Dead letters know when they were first tried, what was counted for them and under what conditions
-- they failed. The body comes last: a list reads no row's overflow pages.

CREATE TABLE letters (
    id           INTEGER PRIMARY KEY,
    project_id   INTEGER NOT NULL,
    key          TEXT NOT NULL,
    received_at  REAL NOT NULL,
    reason       TEXT NOT NULL,
    tries        INTEGER NOT NULL,
    first_try_at INTEGER NOT NULL,
    buried_at    INTEGER NOT NULL,
    size_bytes   INTEGER NOT NULL,
    counted      TEXT NOT NULL,
    conditions   TEXT NOT NULL,
    head         BLOB NOT NULL,
    detail       TEXT NOT NULL,
    body         BLOB NOT NULL
) STRICT;
INSERT INTO letters
SELECT id, project_id, key, received_at, reason, tries, buried_at, buried_at, size_bytes, '[]', '{}',
       head, detail, body
  FROM dead_letters;
DROP TABLE dead_letters;
ALTER TABLE letters RENAME TO dead_letters;
CREATE INDEX dead_letters_reason ON dead_letters (project_id, reason, buried_at, size_bytes);

-- Dead letters that had to go: there were too many of them, or they were too old.
CREATE TABLE removed_letters (
    project_id INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    cause      TEXT NOT NULL CHECK (cause IN ('size', 'age')),
    count      INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    PRIMARY KEY (project_id, reason, cause)
) STRICT, WITHOUT ROWID;
