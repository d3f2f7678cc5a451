-- name: bucket
SELECT left, at FROM buckets WHERE name = :name;

-- name: keep_bucket
INSERT INTO buckets (name, left, at, full_at) VALUES (:name, :left, :at, :full_at)
ON CONFLICT (name) DO UPDATE SET left = excluded.left, at = excluded.at, full_at = excluded.full_at;

-- name: forget_full
DELETE FROM buckets WHERE full_at < :now;

-- name: held
SELECT coalesce(sum(held), 0) FROM places WHERE name = :name AND owner IN (SELECT id FROM owners);

-- name: hold
INSERT INTO places (name, owner, held) VALUES (:name, :owner, :amount)
ON CONFLICT (name, owner) DO UPDATE SET held = max(0, held + excluded.held);

-- name: forget_places
DELETE FROM places WHERE held <= 0 OR owner NOT IN (SELECT id FROM owners);

-- name: add_usage
INSERT INTO usage (day, tenant, key, key_name, model, requests, input_tokens, cached_tokens, output_tokens)
VALUES (:day, :tenant, :key, :key_name, :model, :requests, :input_tokens, :cached_tokens, :output_tokens)
ON CONFLICT (day, tenant, key, model) DO UPDATE SET
    key_name = excluded.key_name,
    requests = requests + excluded.requests,
    input_tokens = input_tokens + excluded.input_tokens,
    cached_tokens = cached_tokens + excluded.cached_tokens,
    output_tokens = output_tokens + excluded.output_tokens;

-- name: usage
SELECT day, tenant, key, key_name, model, requests, input_tokens, cached_tokens, output_tokens FROM usage
WHERE day BETWEEN :first AND :last ORDER BY day, tenant, key, model;
