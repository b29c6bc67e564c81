SELECT id, external_reference, name, email, phone, currency, balance, payment_rules, metadata, version, updated_at
  FROM customer WHERE tenant_id = 1 ORDER BY id DESC LIMIT 21;
