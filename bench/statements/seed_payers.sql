-- The payers of bench/seeding.py, each with an account, as the statements beside this one name them.
INSERT INTO customer (tenant_id, id, external_reference, name, email, phone, currency, balance, payment_rules, metadata,
                      version, created_at, updated_at)
SELECT 1, 'bcus_' || lpad(number::text, 21, '0') || 'p', 'payer_' || lpad(number::text, 8, '0'), 'John Doe',
       'john.doe.' || number || '@example.com', '+27' || lpad(number::text, 9, '0'), 'ZAR', 1000000000000,
       '{{"min_amount":1,"max_amount":999999999999,"underpayment_allowed":true,"overpayment_allowed":false}}',
       '{{"customer_type":"premium","registration_source":"website"}}', 1, now(), now()
  FROM generate_series(1, {payers}) AS number;

INSERT INTO account (tenant_id, id, external_reference, customer_id, name, currency, balance, payment_rules, metadata,
                     version, created_at, updated_at)
SELECT 1, replace(id, 'bcus_', 'bacc_'), external_reference, id, 'Electricity', currency, balance, payment_rules,
       '{{"meter":"A-17"}}', 1, now(), now()
  FROM customer WHERE external_reference LIKE 'payer_%';

INSERT INTO transfer (tenant_id, customer_id, account_id, id, amount, currency, total_after, debit, credit, cause, key_id,
                      recorded_at)
SELECT 1, customer_id, account_id, 'tra_' || coalesce(account_id, customer_id), balance, currency, balance, 'receivable',
       'opening', 'opening', 'key_1', now()
  FROM (SELECT id AS customer_id, NULL AS account_id, balance, currency FROM customer
         WHERE external_reference LIKE 'payer_%'
        UNION ALL SELECT customer_id, id, balance, currency FROM account) AS owing;
