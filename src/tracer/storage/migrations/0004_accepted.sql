-- What requests brought and was taken, counted where it came in: held against the fates in `outcomes`.
CREATE TABLE accepted (
    project_id INTEGER NOT NULL,
    hour_at    INTEGER NOT NULL,
    category   TEXT NOT NULL,
    quantity   INTEGER NOT NULL,
    PRIMARY KEY (project_id, hour_at, category)
) STRICT, WITHOUT ROWID;

-- Until now only fates were counted.
INSERT INTO accepted (project_id, hour_at, category, quantity)
SELECT project_id, hour_at, category, sum(quantity)
FROM outcomes
WHERE outcome NOT IN ('refused', 'client_discard')
GROUP BY project_id, hour_at, category;
