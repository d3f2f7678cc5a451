-- name: find
SELECT key FROM responses WHERE tenant = :tenant AND id = :id AND deleted = 0;

-- name: bury
-- A tombstone takes what its items take.
UPDATE responses SET deleted = 1, fence = fence + 1, head = x'', size = max(0, size - length(head)
    - (SELECT coalesce(sum(length(payloads)), 0) FROM segments WHERE response = :key))
WHERE key = :key AND deleted = 0;

-- name: size
SELECT size FROM responses WHERE key = :key;

-- name: childless_tombstone
SELECT parent FROM responses AS r
WHERE key = :key AND deleted = 1 AND NOT EXISTS (SELECT 1 FROM responses AS child WHERE child.parent = r.key);

-- name: remove_response
DELETE FROM responses WHERE key = :key;

-- name: remove_items
DELETE FROM items WHERE key BETWEEN :key << 24 AND (:key << 24) + 0xffffff;

-- name: remove_log
DELETE FROM segments WHERE response = :key;

-- name: used_bytes
SELECT (pages.page_count - free.freelist_count) * size.page_size
FROM pragma_page_count AS pages, pragma_freelist_count AS free, pragma_page_size AS size;
