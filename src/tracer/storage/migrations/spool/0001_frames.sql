-- What waits for digest, and what could not be digested. Ids are never used twice.

CREATE TABLE frames (
    id          INTEGER PRIMARY KEY,
    project_id  INTEGER NOT NULL,
    key         TEXT NOT NULL,
    received_at REAL NOT NULL,
    head        BLOB NOT NULL,
    body        BLOB NOT NULL
) STRICT;

-- The newest frame there ever was and the newest that is forgotten, as of the last deletion.
CREATE TABLE marks (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    newest    INTEGER NOT NULL,
    forgotten INTEGER NOT NULL
) STRICT;
INSERT INTO marks (id, newest, forgotten) VALUES (1, 0, 0);

CREATE TABLE dead_letters (
    id          INTEGER PRIMARY KEY,
    project_id  INTEGER NOT NULL,
    key         TEXT NOT NULL,
    received_at REAL NOT NULL,
    head        BLOB NOT NULL,
    reason      TEXT NOT NULL,
    detail      TEXT NOT NULL,
    tries       INTEGER NOT NULL,
    buried_at   INTEGER NOT NULL,
    size_bytes  INTEGER NOT NULL,
    body        BLOB NOT NULL
) STRICT;
