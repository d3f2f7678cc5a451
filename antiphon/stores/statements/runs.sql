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

-- name: add_output
INSERT INTO items (kind, id, body, tenant, key)
SELECT 'output', ?, ?, r.tenant, coalesce(
    (SELECT max(i.key) + 1 FROM items AS i WHERE i.key BETWEEN r.key << 24 AND (r.key << 24) + 0xffffff), r.key << 24
)
FROM responses AS r WHERE r.key = ?;

-- name: add_segment
INSERT INTO segments (response, first_seq, last_seq, payloads)
SELECT key, :first_seq, :last_seq, :payloads FROM responses
WHERE key = :key AND fence = :fence AND deleted = 0 AND status IN ('queued', 'in_progress');

-- name: add_first_segment
INSERT INTO segments (response, first_seq, last_seq, payloads) VALUES (:key, :first_seq, :last_seq, :payloads);

-- name: may_write
SELECT 1 FROM responses
WHERE key = :key AND fence = :fence AND deleted = 0 AND status IN ('queued', 'in_progress');
