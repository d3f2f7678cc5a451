-- name: version
SELECT version FROM key_changes;

-- name: all
SELECT id, name, digest, created_at, expires_at, revoked_at, allowed FROM keys ORDER BY key;

-- name: add
INSERT INTO keys (id, name, digest, created_at, expires_at, allowed)
VALUES (:id, :name, :digest, :created_at, :expires_at, :allowed) ON CONFLICT DO NOTHING;

-- name: revoke
UPDATE keys SET revoked_at = :revoked_at WHERE id = :id AND revoked_at IS NULL;

-- name: has_any
SELECT EXISTS (SELECT 1 FROM keys);
