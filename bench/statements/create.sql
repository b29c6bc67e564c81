\set number random(1, 9000000000000000000)
WITH created AS (
    INSERT INTO customer (tenant_id, id, external_reference, name, email, phone, currency, balance, payment_rules,
                          metadata, version, created_at, updated_at)
    SELECT 1, 'bcus_' || lpad(:number::text, 22, '9'), 'run_' || :number::text, 'John Doe',
           'john.doe.' || :number::text || '@example.com', '+27123456789', 'ZAR', 2000,
           '{"min_amount": 100, "max_amount": 1000000, "underpayment_allowed": true, "overpayment_allowed": false}',
           '{"customer_type": "premium", "registration_source": "website"}', 1, now(), now()
     WHERE NOT EXISTS (SELECT FROM answer WHERE tenant_id = 1 AND key = 'run_' || :number::text)
        ON CONFLICT (tenant_id, external_reference) DO NOTHING
    RETURNING *
), shown AS (
    SELECT *, json_build_object(
                  'id', id, 'external_reference', external_reference, 'name', name, 'email', email, 'phone', phone,
                  'currency', currency, 'balance', balance, 'payment_rules', payment_rules,
                  'metadata', metadata)::text AS body
      FROM created
), opened AS (
    INSERT INTO transfer (tenant_id, customer_id, id, amount, currency, total_after, debit, credit, cause, key_id,
                          recorded_at)
    SELECT 1, id, 'tra_' || :number::text, balance, currency, balance, 'receivable', 'opening', 'opening', 'key_1', now()
      FROM shown
), told AS (
    INSERT INTO event (tenant_id, id, object_id, type, body, recorded_at)
    SELECT 1, 'evt_' || :number::text, id, 'customer.created', body, now() FROM shown
), kept AS (
    INSERT INTO answer (tenant_id, key, fingerprint, status, location, etag, body, recorded_at)
    SELECT 1, external_reference, sha256(body::bytea), 201, '/billing/customers/' || id, '"1"', body, now() FROM shown
)
SELECT id, body FROM shown;
