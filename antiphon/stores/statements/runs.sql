-- name: begin
INSERT INTO responses (tenant, id, parent, status, background, dialect, created_at, expires_at, owner, fence, head, size)
VALUES (:tenant, :id, :parent, :status, :background, :dialect, :created_at, :expires_at, :owner, :fence, :head, :size)
ON CONFLICT DO NOTHING;

-- name: find
SELECT key FROM responses WHERE tenant = :tenant AND id = :id AND deleted = 0;

-- name: add_item
INSERT INTO items (key, kind, tenant, id, body)
VALUES (?, ?, ?, ?, ?);

-- name: add_request
INSERT INTO requests (response, body) VALUES (:key, :body);

-- name: forget_request
DELETE FROM requests WHERE response = :key;

-- name: forget_calls
DELETE FROM calls WHERE response = :key;

-- name: finish
UPDATE responses SET status = :status, head = :head, size = size - length(head) + length(:head) + :output_size
    + (SELECT coalesce(sum(length(payloads)), 0) FROM segments WHERE response = :key)
WHERE key = :key AND fence = :fence AND deleted = 0 AND status IN ('queued', 'in_progress');

-- name: item_place
-- The tenant of a response, and the key of its next item.
SELECT tenant, (
    SELECT coalesce(max(key) + 1, :key << 24) FROM items WHERE key BETWEEN :key << 24 AND (:key << 24) + 0xffffff
)
FROM responses WHERE key = :key;

-- name: add_segment
INSERT INTO segments (response, first_seq, last_seq, payloads)
SELECT key, :first_seq, :last_seq, :payloads FROM responses
WHERE key = :key AND fence = :fence AND deleted = 0 AND status IN ('queued', 'in_progress');

-- name: may_write
SELECT 1 FROM responses
WHERE key = :key AND fence = :fence AND deleted = 0 AND status IN ('queued', 'in_progress');
