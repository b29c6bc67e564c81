"""Lists, newest first: any page of any filter costs what its rows cost."""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from owed.database.pool import Connection
from owed.model.findable import Findable
from owed.store.failures import translated
from owed.store.list_queries import Cursor, ListQuery
from owed.store.slow_lane import Connections

Item = TypeVar("Item")

EVERYTHING = """
    -- A page of all objects of a kind between two ids.
    SELECT {columns}
      FROM {table}
     WHERE tenant_id = $1 AND id > $2 AND id < $3 AND created_at > $4 AND created_at < $5
       {further}
     ORDER BY id {direction}
     LIMIT $6
"""

BY_TERMS = """
    -- A page of the objects that have any one of some terms, no object two of them, and all of some others. From each
    -- of the former come as many as a page may need, and the nearest of them all are the page.
    SELECT {table}.*
      FROM unnest($7::text[]) AS any_of (term)
     CROSS JOIN LATERAL (
           SELECT {columns}
             FROM search_term AS found
             JOIN {table} ON {table}.tenant_id = $1 AND {table}.id = found.object_id
            WHERE found.tenant_id = $1 AND found.term = any_of.term AND found.object_id > $2 AND found.object_id < $3
              AND {table}.created_at > $4 AND {table}.created_at < $5 {further}
              AND NOT EXISTS (
                  SELECT FROM unnest($8::text[]) AS also (term)
                   WHERE NOT EXISTS (SELECT FROM search_term AS other
                                      WHERE other.tenant_id = $1 AND other.term = also.term
                                        AND other.object_id = found.object_id))
            ORDER BY found.object_id {direction}
            LIMIT $6) AS {table}
     ORDER BY {table}.id {direction}
     LIMIT $6
"""

COUNT = """
    -- How many objects between two ids have any one of some terms, counted no further than is needed to tell few from
    -- many.
    SELECT count(*) AS number
      FROM (SELECT
              FROM unnest($2::text[]) AS any_of (term)
             CROSS JOIN LATERAL (
                   SELECT
                     FROM search_term
                    WHERE search_term.tenant_id = $1 AND search_term.term = any_of.term
                      AND object_id > $3 AND object_id < $4
                    LIMIT $5) AS found
             LIMIT $5) AS counted
"""

MANY = 5_000
"""Objects from which on it no longer matters how many have a term."""


class Page(NamedTuple, Generic[Item]):
    """A page, newest first, and where the pages on either side begin, if there are any."""

    objects: list[Item]
    newer: Cursor | None = None
    older: Cursor | None = None

    @property
    def has_newer(self) -> bool:
        """Tell whether there is anything newer."""
        return self.newer is not None

    @property
    def has_older(self) -> bool:
        """Tell whether there is anything older."""
        return self.older is not None


class Terms(NamedTuple):
    """The terms that a page is found by: those whose objects are walked, any one each, and those that must hold too."""

    walked: list[str]
    also: list[str]


class Lists:
    """Reads pages of lists."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def page(self, query: ListQuery) -> Page[Any]:
        """Read the page that a query asks for."""
        if query.is_impossible:
            return Page([])
        with translated():
            async with self._connections.connection() as connection:
                scans = [Scan(connection, part, await chosen_terms(connection, part)) for part in query.parts()]
                way = scans[0] if len(scans) == 1 else Merged(scans)
                return await read_page(way, query.cursor, query.limit)


class Scan(NamedTuple):
    """A way through the objects of a query."""

    connection: Connection
    query: ListQuery
    terms: Terms | None

    async def rows(self, side: Cursor | None, most: int) -> list[Findable]:
        """Read up to `most` objects on one side of an id, the nearest first; without one, the newest."""
        query = self.query
        if query.external_reference is not None:
            return nearest(await self._named(query.external_reference, side), side, most)
        bounds = (*query.between(side), query.created_after, query.created_before)
        values = [query.tenant_id, *bounds, most, *(self.terms or ())]
        rows = await self.connection.fetch(self._sql(side, values), *values)
        return [query.table.from_row(row) for row in rows]

    def _sql(self, side: Cursor | None, values: list[Any]) -> str:
        """Give the statement; the values of the query's conditions join those that it has."""
        further = ""
        for condition in self.query.conditions():
            places = [f"${len(values) + number}" for number, _ in enumerate(condition.values, 1)]
            values += condition.values
            further += f" AND {condition.sql.format(*places)}"
        return (BY_TERMS if self.terms else EVERYTHING).format(
            table=self.query.kind,
            columns=self.query.table.columns,
            direction="ASC" if side and side.newer else "DESC",
            further=further,
        )

    async def _named(self, reference: str, side: Cursor | None) -> list[Findable]:
        """Read what a reference can name, if everything else holds for it too."""
        query = self.query
        rows = await self.connection.fetch(query.table.load_by_reference, [query.tenant_id], [reference])
        above, below = query.between(side)
        return [
            item
            for item in map(query.table.from_row, rows)
            if above < item.id < below
            and query.created_after < item.created_at < query.created_before
            and query.terms.issubset(item.terms())
            and all(condition.takes(item) for condition in query.conditions())
        ]


class Merged(NamedTuple):
    """Several ways through the objects of one list; some may be found on more than one."""

    scans: list[Scan]

    async def rows(self, side: Cursor | None, most: int) -> list[Findable]:
        """Read up to `most` objects on one side of an id, the nearest first; without one, the newest."""
        found = [item for scan in self.scans for item in await scan.rows(side, most)]
        return nearest(found, side, most)


def nearest(items: Iterable[Findable], side: Cursor | None, most: int) -> list[Findable]:
    """Give the nearest of some objects, each once."""
    by_id = {item.id: item for item in items}
    return [by_id[each] for each in sorted(by_id, reverse=not (side and side.newer))[:most]]


async def chosen_terms(connection: Connection, query: ListQuery) -> Terms | None:
    """Choose what of a query to walk: those with one of the days in its range, or those with its rarest term.

    None where the query has neither.
    """
    ways = [Terms([term], sorted(query.terms - {term})) for term in sorted(query.terms)]
    if by_days := query.by_days():
        days = Terms(by_days[0], sorted(by_days[1]))
        ways = [*ways, days] if days.also else [days]  # alone it finds just what is asked for
    if len(ways) < 2:
        return ways[0] if ways else None
    chosen, least = ways[-1], MANY
    for way in ways:
        number = await count(connection, query, way.walked, most=least)
        if number < least:
            chosen, least = way, number
    return chosen


async def count(connection: Connection, query: ListQuery, terms: list[str], most: int) -> int:
    """Count the objects of a query that have any one of some terms, up to `most`."""
    rows = await connection.fetch(COUNT, query.tenant_id, terms, *query.between(), most)
    number: int = rows[0]["number"]
    return number


class Way(Protocol[Item]):
    """A way through the rows of a list, in both directions."""

    async def rows(self, side: Cursor | None, most: int) -> list[Item]:
        """Read up to `most` rows on one side of a place, the nearest first; without one, the newest."""


async def read_page(
    way: Way[Item], cursor: Cursor | None, limit: int, place: Callable[[Item], str] = attrgetter("id")
) -> Page[Item]:
    """Read a page with one row more, which tells whether there is more that way; look the other way with one row.

    Args:
        place: Gives the place of a row, as a cursor names it.
    """
    found = await way.rows(cursor, limit + 1)
    page = found[:limit]
    onward = Cursor(cursor is not None and cursor.newer, place(page[-1])) if len(found) > limit else None
    if cursor is None:
        return Page(page, older=onward)
    back = Cursor(not cursor.newer, place(page[0]) if page else cursor.id)
    behind = back if await way.rows(back, 1) else None
    if cursor.newer:
        return Page(page[::-1], newer=onward, older=behind)
    return Page(page, newer=behind, older=onward)
