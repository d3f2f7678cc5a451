-- Rate limits: what was left of each at a time. One whose bucket is full again needs no row.
CREATE TABLE buckets (
    name TEXT PRIMARY KEY,
    left REAL NOT NULL,
    at REAL NOT NULL,                   -- unix seconds
    full_at REAL NOT NULL               -- when it is full again, if nothing more is taken
) WITHOUT ROWID;

-- Runs that go on now, by limit and process; those of a dead process go with it.
CREATE TABLE places (
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    held INTEGER NOT NULL,
    PRIMARY KEY (name, owner)
) WITHOUT ROWID;

-- What was used, by day of UTC.
CREATE TABLE usage (
    day TEXT NOT NULL,                  -- 2026-01-31
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,                  -- the id of the API key, or empty
    key_name TEXT NOT NULL,
    model TEXT NOT NULL,
    requests INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, tenant, key, model)
) WITHOUT ROWID;
