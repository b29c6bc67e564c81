-- The customers of bench/seeding.py, as the statements beside this one name them.
INSERT INTO customer (tenant_id, id, external_reference, name, email, phone, currency, balance, payment_rules, metadata,
                      version, created_at, updated_at)
SELECT 1, 'bcus_' || lpad(number::text, 22, '0'), 'seed_' || lpad(number::text, 8, '0'), 'John Doe',
       'john.doe.' || number || '@example.com', '+27' || lpad(number::text, 9, '0'), 'ZAR', 2000,
       '{{"min_amount":100,"max_amount":1000000,"underpayment_allowed":true,"overpayment_allowed":false}}',
       '{{"customer_type":"premium","registration_source":"website"}}', 1, now(), now()
  FROM generate_series(1, {customers}) AS number;

INSERT INTO transfer (tenant_id, customer_id, id, amount, currency, total_after, debit, credit, cause, key_id, recorded_at)
SELECT 1, id, 'tra_' || id, balance, currency, balance, 'receivable', 'opening', 'opening', 'key_1', now() FROM customer;
