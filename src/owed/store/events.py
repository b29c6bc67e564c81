"""Events as they are read back: one, or a page of them, newest first. A page is a walk along one index."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from owed.core.state import is_name
from owed.database.pool import Connection
from owed.model.event import Event
from owed.model.identifiers import EPOCH, EVENT, id_at, milliseconds
from owed.store.failures import translated
from owed.store.list_queries import END, Cursor
from owed.store.lists import Page, read_page
from owed.store.slow_lane import Connections

COLUMNS = ", ".join(Event.__struct_fields__)

ONE = f"""
    SELECT {COLUMNS} FROM event WHERE tenant_id = $1 AND id = $2
"""  # noqa: S608  (it is made of our own words)

PAGE = """
    -- A page of the events between two places.
    SELECT {columns}
      FROM event
     WHERE tenant_id = $1 AND {between} AND recorded_at > $4 AND recorded_at < $5
     ORDER BY {order}
     LIMIT $6
"""

LAST_BEFORE = """
    -- The last event of an object that was recorded before a time, found by halves. What is pruned was before it too.
      WITH RECURSIVE search (least, most) AS (
    SELECT 0::bigint, (SELECT max(sequence) FROM event WHERE tenant_id = $1 AND object_id = $2)
     UNION ALL
    SELECT CASE WHEN is_before THEN middle ELSE least END, CASE WHEN is_before THEN most ELSE middle - 1 END
      FROM (SELECT least, most, middle,
                   coalesce((SELECT recorded_at < $3 FROM event
                              WHERE tenant_id = $1 AND object_id = $2 AND sequence = middle), true) AS is_before
              FROM search
             CROSS JOIN LATERAL (SELECT (least + most + 1) / 2 AS middle) AS half
             WHERE least < most) AS halved
         )
    SELECT least AS sequence FROM search WHERE least = most
"""

EVERY_SEQUENCE = (0, 2**63 - 1)

CLOCKS_APART = timedelta(minutes=10)
"""By how much the clocks of two workers may differ, and so the times of two events from the order of their sequence."""


class Order(NamedTuple):
    """An order of events that one index alone has.

    Attributes:
        between: What holds of those between $2 and $3.
    """

    between: str
    columns: tuple[str, ...]


BY_ID = Order("id > $2 AND id < $3", ("id",))
BY_TYPE = Order("(type, id) > ($7, $2) AND (type, id) < ($7, $3)", ("type", "id"))
BY_SEQUENCE = Order("object_id = $7 AND sequence > $2 AND sequence < $3", ("sequence",))
BY_SEQUENCE_AND_TYPE = Order(f"{BY_SEQUENCE.between} AND type = $8", BY_SEQUENCE.columns)


class EventQuery(msgspec.Struct, frozen=True):
    """What events are asked for. All filters hold at once; times are exclusive bounds."""

    tenant_id: int
    limit: int
    cursor: Cursor | None = None
    type: str | None = None
    object_id: str | None = None
    created_after: datetime = EPOCH
    created_before: datetime = END

    @property
    def order(self) -> Order:
        """Give the order in which to find them: the events of one object by their sequence, all others by their ids."""
        if self.object_id is None:
            return BY_ID if self.type is None else BY_TYPE
        return BY_SEQUENCE if self.type is None else BY_SEQUENCE_AND_TYPE

    @property
    def values(self) -> list[str]:
        """Give the values of the order, the first of which is $7."""
        return [value for value in (self.object_id, self.type) if value is not None]


class Told(msgspec.Struct, frozen=True):
    """An event as lists show it: the bytes that are signed and sent."""

    event: Event

    def shown(self) -> msgspec.Raw:
        """Give its envelope, as it was written."""
        return msgspec.Raw(self.event.body)


class Events:
    """Reads events.

    Args:
        connections: For what is looked up by its key.
        lane: For pages, which may take long.
    """

    def __init__(self, connections: Connections, lane: Connections) -> None:
        self._connections = connections
        self._lane = lane

    async def find(self, tenant_id: int, event_id: str) -> Event | None:
        """Find an event by its id."""
        if not is_name(event_id):
            return None
        with translated():
            async with self._connections.connection() as connection:
                rows = await connection.fetch(ONE, tenant_id, event_id)
        return Event(**rows[0]) if rows else None

    async def page(self, query: EventQuery) -> Page[Told]:
        """Read the page that a query asks for."""
        with translated():
            async with self._lane.connection() as connection:
                if query.object_id is None:
                    return await read_page(ById(connection, query), query.cursor, query.limit, event_id)
                walk = BySequence(connection, query, *await sequences(connection, query))
                return await read_page(walk, query.cursor, query.limit, sequence)


class ById(NamedTuple):
    """A way through the events of a tenant."""

    connection: Connection
    query: EventQuery

    async def rows(self, side: Cursor | None, most: int) -> list[Told]:
        """Read up to `most` events on one side of an id, the nearest first; without one, the newest."""
        return await read(self.connection, self.query, self._between(side), side, most)

    def _between(self, side: Cursor | None) -> tuple[str, str]:
        above = id_at(EVENT, milliseconds(max(self.query.created_after, EPOCH)))
        below = id_at(EVENT, milliseconds(max(self.query.created_before, EPOCH)) + 1)
        if side is None:
            return above, below
        return (max(above, side.id), below) if side.newer else (above, min(below, side.id))


class BySequence(NamedTuple):
    """A way through the events of one object, between two sequences."""

    connection: Connection
    query: EventQuery
    above: int
    below: int

    async def rows(self, side: Cursor | None, most: int) -> list[Told]:
        """Read up to `most` events on one side of a sequence, the nearest first; without one, the newest."""
        return await read(self.connection, self.query, self._between(side), side, most)

    def _between(self, side: Cursor | None) -> tuple[int, int]:
        if side is None:
            return self.above, self.below
        place = int(side.id)
        return (max(self.above, place), self.below) if side.newer else (self.above, min(self.below, place))


async def sequences(connection: Connection, query: EventQuery) -> tuple[int, int]:
    """Find sequences between which all events of an object stand that were recorded between the times of a query."""
    above, below = EVERY_SEQUENCE
    if query.created_after > EPOCH:
        above = await last_before(connection, query, query.created_after - CLOCKS_APART)
    if query.created_before < END:
        below = await last_before(connection, query, query.created_before + CLOCKS_APART) + 1
    return above, below


async def last_before(connection: Connection, query: EventQuery, moment: datetime) -> int:
    """Find the sequence of the last event of an object that was recorded before a time, 0 where there is none."""
    rows = await connection.fetch(LAST_BEFORE, query.tenant_id, query.object_id, moment)
    return rows[0]["sequence"] if rows else 0


async def read(
    connection: Connection, query: EventQuery, between: tuple[Any, Any], side: Cursor | None, most: int
) -> list[Told]:
    """Read up to `most` events of a query between two places, on from a side."""
    direction = "ASC" if side and side.newer else "DESC"
    order = ", ".join(f"{column} {direction}" for column in query.order.columns)
    sql = PAGE.format(columns=COLUMNS, between=query.order.between, order=order)
    bounds = (*between, query.created_after, query.created_before)
    rows = await connection.fetch(sql, query.tenant_id, *bounds, most, *query.values)
    return [Told(Event(**row)) for row in rows]


def event_id(told: Told) -> str:
    """Give the place of an event among all, as a cursor names it."""
    return told.event.id


def sequence(told: Told) -> str:
    """Give the place of an event on its object, as a cursor names it."""
    return str(told.event.sequence)
