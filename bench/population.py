"""Millions of customers of one merchant, loaded straight into Owed's tables, search terms included.

Owed's own code makes the row and the terms of one customer of each kind; the statements then only put other numbers in.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import asyncpg

from owed.model.customer import Customer
from owed.model.identifiers import CUSTOMER, id_at
from owed.model.obligation import Obligation
from owed.model.payment_rules import DEFAULT_RULES
from owed.model.search import customer_terms
from owed.store.customers import COLUMNS, to_row

NUMBER = 4_242_424_242
"""Stands in the templates where a customer's own number goes: as many digits, so that it is found in every text."""

FIRST = 1_000_000_000
CHUNK = 250_000
BORN = datetime(2020, 1, 1, tzinfo=UTC)
TIMES = ("created_at", "updated_at", "transferred_at")
STAGE = """
    CREATE TABLE IF NOT EXISTS bench_template (kind text PRIMARY KEY, {columns});
    CREATE TABLE IF NOT EXISTS bench_term (kind text, term text, PRIMARY KEY (kind, term));
    CREATE UNLOGGED TABLE IF NOT EXISTS bench_staged (number bigint, kind text, id text, born timestamptz);
    TRUNCATE bench_template, bench_term, bench_staged
"""
INSERT_TERMS = f"""
    INSERT INTO search_term (tenant_id, term, object_id)
    SELECT $1, replace(term, '{NUMBER}', number::text) AS found, id
      FROM bench_staged JOIN bench_term USING (kind)
     ORDER BY found, id
"""  # noqa: S608


class Kind(StrEnum):
    """Whose values a customer shares: half of all customers', ten customers', or nobody's."""

    HALF = "half"
    TEN = "ten"
    OWN = "own"


CURRENCIES = {Kind.HALF: "ZAR", Kind.TEN: "BWP", Kind.OWN: "USD"}


def kind_of(index: int) -> Kind:
    """Tell the kind of the customer that was loaded as the index-th, from 1: ten are spread over the first million."""
    if index % 99_999 == 0 and index < 1_000_000:
        return Kind.TEN
    return Kind.HALF if index % 2 else Kind.OWN


def born(index: int) -> datetime:
    """Tell when the index-th customer was created: one each millisecond, so that ids and times agree."""
    return BORN + timedelta(milliseconds=index)


def template(tenant_id: int, kind: Kind) -> Customer:
    """Make a customer of a kind."""
    shared = kind is not Kind.OWN
    return Customer(
        tenant_id=tenant_id,
        id="",
        external_reference=f"customer_{NUMBER}",
        created_at=BORN,
        updated_at=BORN,
        name=f"John {kind.title()}word",
        email=f"{kind}@example.com" if shared else f"john.{NUMBER}@example.com",
        phone={Kind.HALF: "+27111111111", Kind.TEN: "+27222222222"}.get(kind, f"+2{NUMBER}"),
        payment_rules=DEFAULT_RULES,
        metadata={"plan": kind.value},
        obligation=Obligation(CURRENCIES[kind], 2000, tracked=True, version=1),
    )


def load(dsn: str, tenant_id: int, count: int, tell: Callable[[str], None]) -> None:
    """Add customers until the tenant has `count`, going on from those that there are."""
    asyncio.run(_load(dsn, tenant_id, count, tell))


async def _load(dsn: str, tenant_id: int, count: int, tell: Callable[[str], None]) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off"})
    try:
        done = await connection.fetchval("SELECT count(*) FROM customer WHERE tenant_id = $1", tenant_id)
        await _stage_templates(connection, tenant_id)
        while done < count:
            until = min(done + CHUNK, count)
            async with connection.transaction():
                await _insert(connection, tenant_id, range(done + 1, until + 1))
            done = until
            tell(f"{done:,} customers")
        for statement in ("VACUUM (ANALYZE) customer", "VACUUM (ANALYZE) search_term", "CHECKPOINT"):
            await connection.execute(statement)
    finally:
        await connection.close()


async def _stage_templates(connection: asyncpg.Connection, tenant_id: int) -> None:
    await connection.execute(STAGE.format(columns=", ".join(f"{name} text" for name in COLUMNS)))
    for kind in Kind:
        customer = template(tenant_id, kind)
        texts = [_text(value) for value in to_row(customer)]
        await connection.copy_records_to_table("bench_template", records=[(kind.value, *texts)])
        terms = [(kind.value, term) for term in customer_terms(customer)]
        await connection.copy_records_to_table("bench_term", records=terms)


def _text(value: object) -> str | None:
    """Write a value as PostgreSQL reads it."""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return None if value is None else str(value)


async def _insert(connection: asyncpg.Connection, tenant_id: int, indexes: range) -> None:
    await connection.execute("TRUNCATE bench_staged")
    await connection.copy_records_to_table("bench_staged", records=_staged(indexes))
    await connection.execute(_insert_customers(), timeout=None)
    await connection.execute(INSERT_TERMS, tenant_id, timeout=None)


def _staged(indexes: range) -> Iterator[tuple[int, str, str, datetime]]:
    for index in indexes:
        at = born(index)
        yield FIRST + index, kind_of(index).value, id_at(CUSTOMER, int(at.timestamp() * 1000 + 0.5)), at


def _insert_customers() -> str:
    values = [_value(name, of) for name, of in COLUMNS.items()]
    return (
        f"INSERT INTO customer ({', '.join(COLUMNS)}) SELECT {', '.join(values)}"  # noqa: S608
        " FROM bench_staged JOIN bench_template AS template USING (kind) ORDER BY number"
    )


def _value(column: str, of: str) -> str:
    if column == "id":
        return "bench_staged.id"
    if column in TIMES:
        return "born"
    return f"replace(template.{column}, '{NUMBER}', number::text)::{of}"
