\set number random(1, :customers)
SELECT id, external_reference, name, email, phone, currency, balance, payment_rules, metadata, version, updated_at
  FROM customer WHERE tenant_id = 1 AND id = 'bcus_' || lpad(:number::text, 22, '0');
