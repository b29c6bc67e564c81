"""The schema is isolated by tenant, and ready to be distributed by tenant (docs/architecture.md, "Data")."""

import asyncpg
import pytest

from tests.store.workers import session

EXEMPT = {
    "merchant": "it has tenants, it is none's",
    "tenant": "it is what the others name",
    "api_key": "a key is found by its hash before anybody knows whose it is",
    "access_revision": "one number for all workers",
    "secret": "shared by all workers",
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
    assert {key["table"] for key in keys} == tables >= {"customer", "transfer", "event", "answer"}


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
