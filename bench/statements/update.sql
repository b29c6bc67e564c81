\set number random(1, 9000000000000000000)
\set balance random(1, 9000000000000000)
WITH updated AS (
    UPDATE customer SET balance = :balance::bigint, version = version + 1, updated_at = clock_timestamp()
     WHERE tenant_id = 1 AND id = 'bcus_0000000000000000000001'
       AND NOT EXISTS (SELECT FROM answer WHERE tenant_id = 1 AND key = 'run_' || :number::text)
       AND balance IS DISTINCT FROM :balance::bigint
    RETURNING old.balance AS before, new.*
), shown AS (
    SELECT *, json_build_object(
                  'id', id, 'external_reference', external_reference, 'name', name, 'email', email, 'phone', phone,
                  'currency', currency, 'balance', balance, 'payment_rules', payment_rules,
                  'metadata', metadata)::text AS body
      FROM updated
), moved AS (
    INSERT INTO transfer (tenant_id, customer_id, id, amount, currency, total_after, debit, credit, cause, key_id,
                          recorded_at)
    SELECT 1, id, 'tra_' || :number::text, balance - before, currency, balance, 'receivable', 'balance_set',
           'balance_set', 'key_1', updated_at
      FROM shown
), told AS (
    INSERT INTO event (tenant_id, id, object_id, type, body, recorded_at)
    SELECT 1, 'evt_' || :number::text, id, 'customer.updated', body, updated_at FROM shown
), kept AS (
    INSERT INTO answer (tenant_id, key, fingerprint, status, etag, body, recorded_at)
    SELECT 1, 'run_' || :number::text, sha256(body::bytea), 200, '"' || version || '"', body, updated_at FROM shown
)
SELECT version, body FROM shown;
