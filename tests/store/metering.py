"""Many objects at once, and what it costs to list some of them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from owed.database.pool import Connection, Pool
from owed.model.billing_object import BillingObject
from owed.store.list_queries import ListQuery
from owed.store.lists import Lists, Page
from owed.store.objects import OBJECTS


class Meter(Pool):
    """A pool of one connection that asks, before each statement, how many buffers it reads."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, 1)
        self.buffers = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend the connection, metered."""
        async with super().connection() as connection:
            yield Metered(connection, self)


class Metered:
    """A connection that says to a meter what its statements read."""

    def __init__(self, connection: Connection, meter: Meter) -> None:
        self._connection = connection
        self._meter = meter

    def __getattr__(self, name: str) -> Any:
        """Give what needs no meter: what begins and ends a transaction."""
        return getattr(self._connection, name)

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        (row,) = await self._connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *values)
        plan = json.loads(row[0])[0]["Plan"]
        self._meter.buffers += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return await self._connection.fetch(sql, *values)


async def load(psql: Any, objects: Sequence[BillingObject]) -> None:
    """Load objects of one kind and their terms, as an import does, without statistics."""
    table = OBJECTS[objects[0].kind]
    columns = [column.partition(".")[2] for column in table.columns.split(", ")]
    await psql.copy_records_to_table(table.kind, records=[*map(table.to_row, objects)], columns=columns)
    terms = [(item.tenant_id, term, item.id) for item in objects for term in set(item.terms())]
    await psql.copy_records_to_table("search_term", records=terms, columns=["tenant_id", "term", "object_id"])


async def measured(dsn: str, query: ListQuery) -> tuple[Page[Any], int]:
    """Read a page, and count the buffers that it took."""
    meter = Meter(dsn)
    try:
        return await Lists(meter).page(query), meter.buffers
    finally:
        await meter.close()
