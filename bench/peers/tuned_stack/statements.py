"""The statements of customers: each write is one, with data-modifying CTEs."""

# ruff: noqa: S608  (it reads as people write such services)

MEMBERS = ("id", "external_reference", "name", "email", "phone", "currency", "balance")
COLUMNS = f"{', '.join(MEMBERS)}, payment_rules, metadata, version, updated_at"

ALL = f"SELECT {COLUMNS} FROM customer"
BY_ID = f"{ALL} WHERE tenant_id = $1 AND id = $2"
BY_REFERENCE = f"{ALL} WHERE tenant_id = $1 AND external_reference = $2"

CREATE = """
    WITH created AS (
        INSERT INTO customer (tenant_id, id, external_reference, name, email, phone, currency, balance, payment_rules,
                              metadata, version, created_at, updated_at)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, now(), now()
         WHERE NOT EXISTS (SELECT FROM answer WHERE tenant_id = $1 AND key = $11)
            ON CONFLICT (tenant_id, external_reference) DO NOTHING
        RETURNING id
    ), opened AS (
        INSERT INTO transfer (tenant_id, customer_id, id, amount, currency, total_after, debit, credit, cause, key_id,
                              recorded_at)
        SELECT $1, $2, $13, $8, $7, $8, 'receivable', 'opening', 'opening', $14, now()
          FROM created WHERE $8 IS NOT NULL
    ), told AS (
        INSERT INTO event (tenant_id, id, object_id, type, body, recorded_at)
        SELECT $1, $15, $2, 'customer.created', $16, now() FROM created
    ), kept AS (
        INSERT INTO answer (tenant_id, key, fingerprint, status, location, etag, body, recorded_at)
        SELECT $1, $11, $12, 201, '/billing/customers/' || $2, '"1"', $16, now() FROM created WHERE $11 IS NOT NULL
    )
    SELECT id FROM created
"""

# Where any condition fails no row comes back, and the handler looks for the reason.
UPDATE = """
    WITH given (name, email, phone, currency, balance, payment_rules, metadata) AS (
        SELECT $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::jsonb, $9::jsonb
    ), updated AS (
        UPDATE customer
           SET name = coalesce(given.name, customer.name),
               email = coalesce(given.email, customer.email),
               phone = coalesce(given.phone, customer.phone),
               currency = coalesce(given.currency, customer.currency),
               balance = coalesce(given.balance, customer.balance),
               payment_rules = coalesce(given.payment_rules, customer.payment_rules),
               metadata = customer.metadata || given.metadata,
               version = version + 1,
               updated_at = clock_timestamp()
          FROM given
         WHERE tenant_id = $1 AND {column} = $2
           AND NOT EXISTS (SELECT FROM answer WHERE tenant_id = $1 AND key = $10)
           AND ($12::bigint IS NULL OR version = $12)
           AND coalesce($13, id) = id AND coalesce($14, external_reference) = external_reference
           AND (given.balance IS NULL OR coalesce(given.currency, customer.currency) IS NOT NULL)
           AND (customer.balance IS NULL OR coalesce(given.currency, customer.currency) = customer.currency)
           AND (SELECT count(*) FROM jsonb_object_keys(customer.metadata || given.metadata)) <= 20
           AND (coalesce(given.name, customer.name), coalesce(given.email, customer.email),
                coalesce(given.phone, customer.phone), coalesce(given.currency, customer.currency),
                coalesce(given.balance, customer.balance), coalesce(given.payment_rules, customer.payment_rules),
                customer.metadata || given.metadata)
               IS DISTINCT FROM
               (customer.name, customer.email, customer.phone, customer.currency, customer.balance,
                customer.payment_rules, customer.metadata)
        RETURNING old.balance AS before, new.*
    ), shown AS (
        SELECT *, json_strip_nulls(json_build_object(
                      'id', id, 'external_reference', external_reference, 'name', name, 'email', email, 'phone', phone,
                      'currency', currency, 'balance', balance, 'payment_rules', payment_rules,
                      'metadata', nullif(metadata, '{{}}')))::text AS body
          FROM updated
    ), moved AS (
        INSERT INTO transfer (tenant_id, customer_id, id, amount, currency, total_after, debit, credit, cause, key_id,
                              recorded_at)
        SELECT $1, id, $15, balance - coalesce(before, 0), currency, balance, 'receivable', cause, cause, $16,
               updated_at
          FROM shown, LATERAL (SELECT CASE WHEN before IS NULL THEN 'opening' ELSE 'balance_set' END AS cause) AS why
         WHERE balance IS DISTINCT FROM before
    ), told AS (
        INSERT INTO event (tenant_id, id, object_id, type, body, recorded_at)
        SELECT $1, $17, id, 'customer.updated', body, updated_at FROM shown
    ), kept AS (
        INSERT INTO answer (tenant_id, key, fingerprint, status, etag, body, recorded_at)
        SELECT $1, $10, $11, 200, '"' || version || '"', body, updated_at FROM shown WHERE $10 IS NOT NULL
    )
    SELECT version, body FROM shown
"""
UPDATE_BY_ID = UPDATE.format(column="id")
UPDATE_BY_REFERENCE = UPDATE.format(column="external_reference")
