-- name: responses
-- Those of a tenant that can be read, in the order in which they were made.
SELECT key, head FROM responses WHERE tenant = :tenant AND deleted = 0 ORDER BY key;

-- name: items
SELECT kind, body FROM items WHERE key BETWEEN :key << 24 AND (:key << 24) + 0xffffff ORDER BY key;

-- name: conversations
SELECT key, id, created_at, metadata FROM conversations WHERE tenant = :tenant AND deleted = 0 ORDER BY key;

-- name: conversation_items
SELECT body FROM conversation_items WHERE conversation = :key ORDER BY key;

-- name: some_responses
-- Tombstones and unfinished ones included.
SELECT key FROM responses WHERE tenant = :tenant LIMIT :limit;

-- name: some_conversations
SELECT key FROM conversations WHERE tenant = :tenant LIMIT :limit;

-- name: erase_log
DELETE FROM segments WHERE response = :key;

-- name: erase_items
DELETE FROM items WHERE key BETWEEN :key << 24 AND (:key << 24) + 0xffffff;

-- name: erase_request
DELETE FROM requests WHERE response = :key;

-- name: erase_calls
DELETE FROM calls WHERE response = :key;

-- name: erase_response
DELETE FROM responses WHERE key = :key;

-- name: erase_conversation_items
DELETE FROM conversation_items WHERE conversation = :key;

-- name: erase_conversation_runs
DELETE FROM conversation_runs WHERE conversation = :key;

-- name: erase_conversation
DELETE FROM conversations WHERE key = :key;

-- name: prompts
SELECT id, version, created_at, body FROM prompts WHERE tenant = :tenant ORDER BY id, version;

-- name: some_prompts
SELECT key FROM prompts WHERE tenant = :tenant LIMIT :limit;

-- name: erase_prompt
DELETE FROM prompts WHERE key = :key;
