-- name: expired
SELECT key FROM responses
WHERE expires_at <= :now AND expires_at IS NOT NULL AND deleted = 0 AND status NOT IN ('queued', 'in_progress')
ORDER BY expires_at LIMIT :limit;

-- name: oldest
SELECT key FROM responses
WHERE key > :after AND deleted = 0 AND status NOT IN ('queued', 'in_progress')
ORDER BY key LIMIT :limit;

-- name: oldest_of_tenant
SELECT key FROM responses
WHERE tenant = :tenant AND key > :after AND deleted = 0 AND status NOT IN ('queued', 'in_progress')
ORDER BY key LIMIT :limit;

-- name: entries
SELECT count(*) FROM responses INDEXED BY responses_by_tenant WHERE deleted = 0;

-- name: tenants
-- Each tenant with its living responses, and the bytes of these and of its tombstones.
SELECT tenant, sum(deleted = 0), sum(size) FROM responses INDEXED BY responses_by_tenant GROUP BY tenant;

-- name: unneeded_tombstones
SELECT key FROM responses AS r
WHERE deleted = 1 AND NOT EXISTS (SELECT 1 FROM responses AS child WHERE child.parent = r.key)
LIMIT :limit;

-- name: free_pages
PRAGMA freelist_count;

-- name: give_back
PRAGMA incremental_vacuum(256);

-- name: checkpoint
PRAGMA wal_checkpoint(PASSIVE);
