-- What a response takes: its head, its items, its log. Kept for quotas; what an older process writes counts as nothing.
ALTER TABLE responses ADD COLUMN size INTEGER NOT NULL DEFAULT 0;

UPDATE responses SET size = length(head)
    + (SELECT coalesce(sum(length(body)), 0) FROM items
       WHERE key BETWEEN responses.key << 24 AND (responses.key << 24) + 0xffffff)
    + (SELECT coalesce(sum(length(payloads)), 0) FROM segments WHERE response = responses.key);

CREATE INDEX responses_by_tenant ON responses (tenant, key, deleted, size);
