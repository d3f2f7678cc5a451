-- Templates of requests. A row is one version and never changes; the highest one is the current one.
CREATE TABLE prompts (
    key INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,           -- from 1
    created_at INTEGER NOT NULL,        -- unix seconds
    body BLOB NOT NULL                  -- JSON object
);

CREATE UNIQUE INDEX prompts_by_version ON prompts (tenant, id, version);
