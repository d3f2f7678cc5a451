-- name: create
INSERT INTO prompts (tenant, id, version, created_at, body) VALUES (:tenant, :id, 1, :created_at, :body)
ON CONFLICT DO NOTHING;

-- name: add_version
INSERT INTO prompts (tenant, id, version, created_at, body)
SELECT :tenant, :id, MAX(version) + 1, :created_at, :body FROM prompts WHERE tenant = :tenant AND id = :id
GROUP BY id;

-- name: latest
SELECT id, version, created_at, body FROM prompts WHERE tenant = :tenant AND id = :id ORDER BY version DESC LIMIT 1;

-- name: version
SELECT id, version, created_at, body FROM prompts WHERE tenant = :tenant AND id = :id AND version = :version;

-- name: page_ascending
-- The other columns are those of the row that has the maximum.
SELECT id, MAX(version), created_at, body FROM prompts WHERE tenant = :tenant AND (:after IS NULL OR id > :after)
GROUP BY id ORDER BY id LIMIT :limit;

-- name: page_descending
SELECT id, MAX(version), created_at, body FROM prompts WHERE tenant = :tenant AND (:after IS NULL OR id < :after)
GROUP BY id ORDER BY id DESC LIMIT :limit;

-- name: versions_ascending
SELECT id, version, created_at, body FROM prompts
WHERE tenant = :tenant AND id = :id AND (:after IS NULL OR version > :after) ORDER BY version LIMIT :limit;

-- name: versions_descending
SELECT id, version, created_at, body FROM prompts
WHERE tenant = :tenant AND id = :id AND (:after IS NULL OR version < :after) ORDER BY version DESC LIMIT :limit;

-- name: delete
DELETE FROM prompts WHERE tenant = :tenant AND id = :id;
