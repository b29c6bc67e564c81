"""Lists, newest first: any page of any filter costs what its rows cost."""

import asyncio
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from owed.database.pool import Connection, Pool
from owed.model.customer import Customer
from owed.model.identifiers import CUSTOMER, EPOCH, id_at, milliseconds
from owed.model.search import customer_terms
from owed.store import customers
from owed.store.failures import translated

EVERYTHING = customers.naming_columns("""
    -- A page of all customers between two ids.
    SELECT customer.*
      FROM customer
     WHERE tenant_id = $1 AND id > $2 AND id < $3 AND created_at > $4 AND created_at < $5
     ORDER BY id {direction}
     LIMIT $6
""")

BY_TERMS = customers.naming_columns("""
    -- A page of the customers that have one term, and all the others too.
    SELECT customer.*
      FROM search_term AS found
      JOIN customer ON customer.tenant_id = $1 AND customer.id = found.object_id
     WHERE found.tenant_id = $1 AND found.term = $7 AND found.object_id > $2 AND found.object_id < $3
       AND customer.created_at > $4 AND customer.created_at < $5
       AND NOT EXISTS (
           SELECT FROM unnest($8::text[]) AS also (term)
            WHERE NOT EXISTS (SELECT FROM search_term AS other
                               WHERE other.tenant_id = $1 AND other.term = also.term
                                 AND other.object_id = found.object_id))
     ORDER BY found.object_id {direction}
     LIMIT $6
""")

RAREST_FIRST = """
    -- The terms, those on the fewest objects first. It counts no further than is needed to tell rare from common.
    SELECT term
      FROM unnest($2::text[]) AS wanted (term)
     ORDER BY (SELECT count(*)
                 FROM (SELECT FROM search_term
                        WHERE search_term.tenant_id = $1 AND search_term.term = wanted.term LIMIT 2000) AS counted)
"""

END = datetime(9999, 1, 1, tzinfo=UTC)


AT_ONCE = 3
"""Lists read at the same time: they must leave connections to those who pay."""

PATIENCE = 10.0
"""Seconds in which a list must have been read."""


class Cursor(NamedTuple):
    """Where a page begins: next to an id, on its newer or on its older side."""

    newer: bool
    id: str


class CustomerQuery(msgspec.Struct, frozen=True):
    """What a list of customers is asked for. All filters hold at once; times are exclusive bounds."""

    tenant_id: int
    limit: int
    cursor: Cursor | None = None
    external_reference: str | None = None
    terms: frozenset[str] = frozenset()
    created_after: datetime = EPOCH
    created_before: datetime = END


class CustomerPage(NamedTuple):
    """A page, newest first, and whether there is more on either side of it."""

    customers: list[Customer]
    has_newer: bool
    has_older: bool


class Lists:
    """Reads pages of lists."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._room = asyncio.Semaphore(AT_ONCE)

    async def customers(self, query: CustomerQuery) -> CustomerPage:
        """Read the page that a query asks for."""
        with translated():
            async with asyncio.timeout(PATIENCE), self._room, self._pool.connection() as connection:
                return await read_page(Scan(connection, query, await rarest_first(connection, query)))


class Scan(NamedTuple):
    """A way through the customers of a query."""

    connection: Connection
    query: CustomerQuery
    terms: list[str]

    async def rows(self, side: Cursor | None, most: int) -> list[Customer]:
        """Read up to `most` customers on one side of an id, the nearest first; without one, the newest."""
        if self.query.external_reference is not None:
            return await self._named(self.query.external_reference, side)
        above, below = self._between(side)
        direction = "ASC" if side and side.newer else "DESC"
        sql = (BY_TERMS if self.terms else EVERYTHING).format(direction=direction)
        query = self.query
        filters = [self.terms[0], self.terms[1:]] if self.terms else []
        bounds = (above, below, query.created_after, query.created_before)
        rows = await self.connection.fetch(sql, query.tenant_id, *bounds, most, *filters)
        return [customers.from_row(row) for row in rows]

    async def _named(self, reference: str, side: Cursor | None) -> list[Customer]:
        """Read the one customer that a reference can name, if everything else holds for it too."""
        query = self.query
        rows = await self.connection.fetch(customers.LOAD_BY_REFERENCE, [query.tenant_id], [reference])
        above, below = self._between(side)
        return [
            customer
            for customer in map(customers.from_row, rows)
            if above < customer.id < below
            and query.created_after < customer.created_at < query.created_before
            and query.terms <= customer_terms(customer)
        ]

    def _between(self, side: Cursor | None) -> tuple[str, str]:
        """Give the ids that bound the times of the query, and the side of the cursor."""
        above = id_at(CUSTOMER, milliseconds(self.query.created_after))
        below = id_at(CUSTOMER, milliseconds(self.query.created_before) + 1)
        if side is None:
            return above, below
        return (max(above, side.id), below) if side.newer else (above, min(below, side.id))


async def rarest_first(connection: Connection, query: CustomerQuery) -> list[str]:
    """Order the terms of a query so that the first is on the fewest objects: its rows are the ones to walk."""
    if len(query.terms) < 2:
        return list(query.terms)
    return [row["term"] for row in await connection.fetch(RAREST_FIRST, query.tenant_id, sorted(query.terms))]


async def read_page(scan: Scan) -> CustomerPage:
    """Read a page with one row more, which tells whether there is more that way; look the other way with one row."""
    cursor, limit = scan.query.cursor, scan.query.limit
    found = await scan.rows(cursor, limit + 1)
    page, more = found[:limit], len(found) > limit
    if cursor is None:
        return CustomerPage(page, has_newer=False, has_older=more)
    back = Cursor(not cursor.newer, page[0].id if page else cursor.id)
    behind = bool(await scan.rows(back, 1))
    if cursor.newer:
        return CustomerPage(page[::-1], has_newer=more, has_older=behind)
    return CustomerPage(page, has_newer=behind, has_older=more)
