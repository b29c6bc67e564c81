"""The statements of bills: each write is one, with data-modifying CTEs."""

# ruff: noqa: S608  (it reads as people write such services)

MEMBERS = ("id", "external_reference", "customer_id", "account_id", "status", "currency", "amount_due", "amount_paid",
           "bill_date", "due_date")  # fmt: skip
COLUMNS = f"{', '.join(MEMBERS)}, payment_rules, metadata, version, updated_at"
ALL = f"SELECT {COLUMNS} FROM bill"
BY_ID = f"{ALL} WHERE tenant_id = $1 AND id = $2"
BY_REFERENCE = f"{ALL} WHERE tenant_id = $1 AND external_reference = $2"

ACCOUNT_EXISTS = "SELECT id FROM account WHERE tenant_id = $1 AND (id = $2 OR external_reference = $2)"
CUSTOMER_EXISTS = "SELECT id FROM customer WHERE tenant_id = $1 AND (id = $2 OR external_reference = $2)"

# Where any condition fails no row comes back, and the handler looks for the reason.
RAISE = """
    WITH owner (customer_id, account_id) AS (
        SELECT {owner} WHERE tenant_id = $1 AND {column} = $2
    ), raised AS (
        INSERT INTO bill (tenant_id, id, external_reference, customer_id, account_id, status, currency, amount_due,
                          amount_paid, bill_date, due_date, payment_rules, metadata, version, created_at, updated_at)
        SELECT $1, $3::text, $4::text, customer_id, account_id, 'unpaid', $5, $6, 0, $7, $8, $9, $10, 1, now(), now()
          FROM owner
         WHERE NOT EXISTS (SELECT FROM answer WHERE tenant_id = $1 AND key = $11)
            ON CONFLICT (tenant_id, external_reference) DO NOTHING
        RETURNING customer_id, account_id
    ), shown AS (
        SELECT *, '{{"id":"' || $3::text || '","external_reference":"' || $4::text || '","customer_id":"' || customer_id
                  || '"' || coalesce(',"account_id":"' || account_id || '"', '') || $12::text AS body
          FROM raised
    ), moved AS (
        INSERT INTO transfer (tenant_id, customer_id, account_id, bill_id, id, amount, currency, total_after, debit,
                              credit, cause, key_id, recorded_at)
        SELECT $1, customer_id, account_id, $3::text, $13, $6, $5, $6, 'receivable', 'bill_raised', 'bill_raised', $14,
               now()
          FROM shown
    ), told AS (
        INSERT INTO event (tenant_id, id, object_id, type, body, recorded_at)
        SELECT $1, $15, $3::text, 'bill.created', body, now() FROM shown
    ), kept AS (
        INSERT INTO answer (tenant_id, key, fingerprint, status, location, etag, body, recorded_at)
        SELECT $1, $11, $16, 201, '/billing/bills/' || $3::text, '"1"', body, now() FROM shown WHERE $11 IS NOT NULL
    )
    SELECT body FROM shown
"""
_ACCOUNT, _CUSTOMER = "customer_id, id FROM account", "id, NULL::text FROM customer"
RAISE_ON = {
    ("account", True): RAISE.format(owner=_ACCOUNT, column="id"),
    ("account", False): RAISE.format(owner=_ACCOUNT, column="external_reference"),
    ("customer", True): RAISE.format(owner=_CUSTOMER, column="id"),
    ("customer", False): RAISE.format(owner=_CUSTOMER, column="external_reference"),
}
"""By the member that names the owner, and whether it names it by id."""

# A new customer in a new account in a new bill. A reference that stands already fails the statement.
COMPOSE = """
    WITH free AS (
        SELECT WHERE NOT EXISTS (SELECT FROM answer WHERE tenant_id = $1 AND key = $2)
    ), customer_made AS (
        INSERT INTO customer (tenant_id, id, external_reference, name, email, phone, currency, balance, payment_rules,
                              metadata, version, created_at, updated_at)
        SELECT $1, $5::text, $6, $7, $8, $9, $10, $11, $12, $13, 1, now(), now() FROM free
    ), account_made AS (
        INSERT INTO account (tenant_id, id, external_reference, customer_id, name, currency, balance, payment_rules,
                             metadata, version, created_at, updated_at)
        SELECT $1, $14::text, $15, $5::text, $16, $17, $18, $19, $20, 1, now(), now() FROM free
    ), raised AS (
        INSERT INTO bill (tenant_id, id, external_reference, customer_id, account_id, status, currency, amount_due,
                          amount_paid, bill_date, due_date, payment_rules, metadata, version, created_at, updated_at)
        SELECT $1, $21::text, $22, $5::text, $14::text, 'unpaid', $23, $24, 0, $25, $26, $27, $28, 1, now(), now()
          FROM free
        RETURNING id
    ), moved AS (
        INSERT INTO transfer (tenant_id, customer_id, account_id, bill_id, id, amount, currency, total_after, debit,
                              credit, cause, key_id, recorded_at)
        SELECT $1, $5::text, row.account_id, row.bill_id, row.id, row.amount, row.currency, row.amount, 'receivable',
               row.cause, row.cause, $4, now()
          FROM free, unnest($29::text[], $30::text[], $31::text[], $32::bigint[], $33::text[], $34::text[])
               AS row (account_id, bill_id, id, amount, currency, cause)
    ), told AS (
        INSERT INTO event (tenant_id, id, object_id, type, body, recorded_at)
        SELECT $1, row.id, row.object_id, row.type, row.body, now()
          FROM free, unnest($35::text[], $36::text[], $37::text[], $38::text[]) AS row (id, object_id, type, body)
    ), kept AS (
        INSERT INTO answer (tenant_id, key, fingerprint, status, location, etag, body, recorded_at)
        SELECT $1, $2, $3, 201, '/billing/bills/' || $21::text, '"1"', $39, now() FROM free WHERE $2 IS NOT NULL
    )
    SELECT id FROM raised
"""
