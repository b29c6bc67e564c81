"""The schema is isolated by tenant, and ready to be distributed by tenant (docs/architecture.md, "Data")."""

import asyncpg
import pytest

from tests.core.samples import create
from tests.store.reading import read_objects
from tests.store.workers import session, worker

EXEMPT = {
    "merchant": "it has tenants, it is none's",
    "tenant": "it is what the others name",
    "api_key": "a key is found by its hash before anybody knows whose it is",
    "access_revision": "one number for all workers",
    "secret": "shared by all workers",
    "feed": "one number for all workers",
    "schema_migration": "of the database, not of its contents",
}
"""The tables that hold no billing data, and why."""

TABLES = """
    SELECT relname AS name
      FROM pg_class
     WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
"""

KEYS = """
    -- Every unique index and foreign key, with its columns in their order.
    SELECT indrelid::regclass::text AS "table", indexrelid::regclass::text AS name,
           ARRAY(SELECT attname::text FROM unnest(indkey) WITH ORDINALITY AS wanted (number, place)
                   JOIN pg_attribute ON attrelid = indrelid AND attnum = wanted.number ORDER BY place) AS columns
      FROM pg_index
      JOIN pg_class ON pg_class.oid = indrelid
     WHERE indisunique AND relnamespace = 'public'::regnamespace
     UNION ALL
    SELECT conrelid::regclass::text, conname,
           ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS wanted (number, place)
                   JOIN pg_attribute ON attrelid = conrelid AND attnum = wanted.number ORDER BY place)
      FROM pg_constraint
     WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""

REFERENCES = """
    -- Every foreign key, with its columns and those that they name, in their order.
    SELECT conrelid::regclass::text AS "table", conname AS name,
           ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS wanted (number, place)
                   JOIN pg_attribute ON attrelid = conrelid AND attnum = wanted.number ORDER BY place) AS columns,
           confrelid::regclass::text AS named,
           ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY AS wanted (number, place)
                   JOIN pg_attribute ON attrelid = confrelid AND attnum = wanted.number ORDER BY place) AS named_columns
      FROM pg_constraint
     WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""

COLUMNS = """
    SELECT table_name AS "table", column_name AS name, data_type AS type, collation_name AS collation,
           is_nullable = 'YES' AS "nullable"
      FROM information_schema.columns
     WHERE table_schema = 'public'
"""

NOTIFIERS = """
    SELECT tgrelid::regclass::text AS "table"
      FROM pg_trigger
      JOIN pg_proc ON pg_proc.oid = tgfoid
     WHERE NOT tgisinternal
"""


async def read(dsn: str, sql: str) -> list[asyncpg.Record]:
    async with session(dsn) as psql:
        rows: list[asyncpg.Record] = await psql.fetch(sql)
        return rows


async def test_every_table_of_billing_data_begins_every_key_with_the_tenant(dsn: str) -> None:
    """Primary keys, unique keys, foreign keys."""
    keys = [key for key in await read(dsn, KEYS) if key["table"] not in EXEMPT]

    assert {key["name"]: key["columns"] for key in keys if key["columns"][:1] != ["tenant_id"]} == {}
    tables = {row["name"] for row in await read(dsn, TABLES)} - EXEMPT.keys()
    assert {key["table"] for key in keys} == tables >= {"customer", "account", "bill", "transfer", "event", "answer"}


async def test_what_belongs_to_something_names_it_within_its_own_tenant(dsn: str) -> None:
    """A foreign key pairs tenant with tenant, so that a row can never belong to another tenant's."""
    named = {
        (key["table"], *key["columns"]): (key["named"], *key["named_columns"])
        for key in await read(dsn, REFERENCES)
        if key["table"] not in EXEMPT
    }

    assert named == {
        ("account", "tenant_id", "customer_id"): ("customer", "tenant_id", "id"),
        ("bill", "tenant_id", "customer_id"): ("customer", "tenant_id", "id"),
        ("bill", "tenant_id", "account_id"): ("account", "tenant_id", "id"),
        ("refund", "tenant_id", "payment_id"): ("payment", "tenant_id", "id"),
        ("reversal", "tenant_id", "payment_id"): ("payment", "tenant_id", "id"),
        ("allocation", "tenant_id", "payment_id"): ("payment", "tenant_id", "id"),
        ("move", "tenant_id", "payment_id"): ("payment", "tenant_id", "id"),
    }


async def test_what_is_exempt_is_there(dsn: str) -> None:
    assert {row["name"] for row in await read(dsn, TABLES)} >= EXEMPT.keys()


async def test_a_tenant_is_never_absent(dsn: str) -> None:
    columns = [column for column in await read(dsn, COLUMNS) if column["table"] not in EXEMPT]

    tenants = {
        column["table"]: (column["type"], column["nullable"]) for column in columns if column["name"] == "tenant_id"
    }
    assert tenants == dict.fromkeys({column["table"] for column in columns}, ("integer", False))


@pytest.mark.parametrize("name", ["amount", "total", "total_after"])
async def test_money_is_a_whole_number_of_64_bits(dsn: str, name: str) -> None:
    types = {column["type"] for column in await read(dsn, COLUMNS) if column["name"] == name}

    assert types == {"bigint"}


async def test_dates_are_days_without_a_time(dsn: str) -> None:
    types = {column["name"]: column["type"] for column in await read(dsn, COLUMNS) if column["name"].endswith("_date")}

    assert types == {"bill_date": "date", "due_date": "date"}


INSERT_BILL = """
    INSERT INTO bill (tenant_id, id, external_reference, customer_id, amount_due, amount_paid, status, bill_date,
                      currency, total, transfer_version, transfer_hash, transferred_at, version, event_sequence,
                      created_at, updated_at)
    VALUES ($1, 'bill_x', 'x', (SELECT id FROM customer WHERE tenant_id = $1), 10, $2, $3, '2026-03-04',
            'ZAR', $4, 1, '', now(), 1, 1, now(), now())
"""


@pytest.mark.parametrize(
    ("amount_paid", "status", "total", "stands"),
    [
        (0, "unpaid", 10, True),
        (4, "unpaid", 6, True),
        (12, "paid", -2, True),
        (0, "voided", 0, True),
        (0, "voided", 10, False),
        (4, "unpaid", 10, False),
        (0, "open", 10, False),
        (-1, "unpaid", 11, False),
        (100_000_000, "paid", -99_999_990, False),
    ],
)
async def test_a_bill_that_does_not_add_up_cannot_be_saved(
    dsn: str, tenant: int, amount_paid: int, status: str, total: int, *, stands: bool
) -> None:
    async with worker(dsn) as desk, session(dsn) as psql:
        await desk.ask(create("a", tenant=tenant))
        insert = psql.execute(INSERT_BILL, tenant, amount_paid, status, total)
        if stands:
            await insert
        else:
            with pytest.raises(asyncpg.CheckViolationError):
                await insert


async def test_a_bill_of_nobody_cannot_be_saved(dsn: str, tenant: int) -> None:
    """Another tenant's customer is nobody."""
    async with worker(dsn) as desk, session(dsn) as psql:
        await desk.ask(create("a", tenant=tenant + 10_000))
        (customer,) = await read_objects(psql, "customer", tenant + 10_000)
        sql = INSERT_BILL.replace("(SELECT id FROM customer WHERE tenant_id = $1)", f"'{customer.id}'")

        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await psql.execute(sql, tenant, 0, "unpaid", 10)


async def test_ids_and_references_sort_as_bytes(dsn: str) -> None:
    """An id's order is the order of creation only in the collation "C", whatever the database's own is."""
    columns = [column for column in await read(dsn, COLUMNS) if column["type"] == "text"]
    named = [
        column
        for column in columns
        if column["name"] in {"id", "external_reference", "key", "term"} or column["name"].endswith("_id")
    ]

    assert {(column["table"], column["name"]) for column in named if column["collation"] != "C"} == set()
    assert len(named) > 10


async def test_times_know_their_zone(dsn: str) -> None:
    assert not [column for column in await read(dsn, COLUMNS) if column["type"] == "timestamp without time zone"]


async def test_no_change_of_billing_data_sets_off_a_trigger(dsn: str) -> None:
    """Case 11: a NOTIFY in a transaction that writes serialises the commits of the whole database."""
    assert {row["table"] for row in await read(dsn, NOTIFIERS)} <= EXEMPT.keys()
