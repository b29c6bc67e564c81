"""Objects by the million, straight into the tables of a service: copies of a few that it made itself, through its API.

The statements only put other ids, numbers, owners and times into the copies, and into what Owed searches them by.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Literal, NamedTuple

import asyncpg

CHUNK = 250_000


class Copy(NamedTuple):
    """One object to be: what it is copied from, by external reference, and what it has of its own.

    The digits that end the template's reference are its number. Wherever they stand in it, the copy has its own.
    """

    template: str
    number: str
    id: str
    born: datetime
    customer_id: str | None = None
    account_id: str | None = None


Table = Literal["customer", "bill"]

STAGE = """
    CREATE UNLOGGED TABLE IF NOT EXISTS bench_made (
        template text NOT NULL, number text NOT NULL, id text NOT NULL, born timestamptz NOT NULL,
        customer_id text, account_id text);
    TRUNCATE bench_made
"""
COLUMNS = """
    SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
     WHERE attrelid = $1::text::regclass AND attnum > 0 AND attgenerated = '' AND NOT attisdropped
"""
TEMPLATES = """
      FROM (SELECT {table}.*, substring(external_reference FROM '[0-9]+$') AS digits FROM {table}) AS template
      JOIN bench_made AS made ON made.template = template.external_reference
"""
INSERT = "INSERT INTO {table} ({columns}) SELECT {values} {templates} ORDER BY made.number"
INSERT_TERMS = """
    INSERT INTO search_term (tenant_id, term, object_id)
    SELECT tenant_id, found, made_id
      FROM (SELECT template.tenant_id, made.id AS made_id, {found} AS found
            {templates}
              JOIN search_term ON search_term.tenant_id = template.tenant_id AND object_id = template.id) AS terms
     WHERE found IS NOT NULL
     ORDER BY found, made_id
"""
NUMBERED = ("external_reference", "email", "phone")
OWN = {
    "id": "made.id",
    "customer_id": "made.customer_id",
    "account_id": "made.account_id",
    "created_at": "made.born",
    "updated_at": "made.born",
    "transferred_at": "made.born",
    **{name: f"replace(template.{name}, digits, made.number)" for name in NUMBERED},
}
"""What is not copied, by column."""

OWNERS: dict[Table, tuple[str, ...]] = {"customer": (), "bill": ("customer_id", "account_id")}


async def load(connection: asyncpg.Connection, table: Table, copies: Iterable[Copy]) -> None:
    """Add the copies; search terms too, where the service has a table of them."""
    columns = await connection.fetchval(COLUMNS, table)
    statements = [_insert(table, columns)]
    if await connection.fetchval("SELECT to_regclass('search_term') IS NOT NULL"):
        statements.append(_insert_terms(table))
    for part in _parts(iter(copies)):
        async with connection.transaction():
            await connection.execute(STAGE)
            await connection.copy_records_to_table("bench_made", records=part)
            for statement in statements:
                await connection.execute(statement, timeout=None)
    await connection.execute("DROP TABLE IF EXISTS bench_made")
    for statement in ("VACUUM ANALYZE", "CHECKPOINT"):
        await connection.execute(statement, timeout=None)


def _parts(copies: Iterator[Copy]) -> Iterator[list[Copy]]:
    while part := list(islice(copies, CHUNK)):
        yield part


def _insert(table: Table, columns: list[str]) -> str:
    values = ", ".join(OWN.get(name, f"template.{name}") for name in columns)
    templates = TEMPLATES.format(table=table)
    return INSERT.format(table=table, columns=", ".join(columns), values=values, templates=templates)


def _insert_terms(table: Table) -> str:
    found = "replace(term, digits, made.number)"
    for owner in OWNERS[table]:
        found = f"replace({found}, template.{owner}, made.{owner})"
    return INSERT_TERMS.format(found=found, templates=TEMPLATES.format(table=table))
