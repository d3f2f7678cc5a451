-- API keys. Revoked ones stay: a server that ever had a key never lets everybody in again.
CREATE TABLE keys (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,        -- SHA-256
    created_at REAL NOT NULL,           -- unix seconds
    expires_at REAL,
    revoked_at REAL,
    allowed BLOB NOT NULL               -- JSON object: tenant, models, store, limits
);

CREATE UNIQUE INDEX keys_by_name ON keys (name) WHERE revoked_at IS NULL;

-- One row, whose number rises with every change of a key, however it is made.
CREATE TABLE key_changes (
    version INTEGER NOT NULL
);

INSERT INTO key_changes VALUES (0);

CREATE TRIGGER key_added AFTER INSERT ON keys BEGIN
    UPDATE key_changes SET version = version + 1;
END;

CREATE TRIGGER key_changed AFTER UPDATE ON keys BEGIN
    UPDATE key_changes SET version = version + 1;
END;

CREATE TRIGGER key_removed AFTER DELETE ON keys BEGIN
    UPDATE key_changes SET version = version + 1;
END;
