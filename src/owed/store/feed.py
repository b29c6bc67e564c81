"""The feed: events in an order in which nothing is ever added before what has been read (migrations/0005_webhooks.sql).

A reader that keeps its place misses nothing, and sees nothing twice. The events of one object come in their sequence.
"""

import logging
from typing import Any, NamedTuple

import asyncpg
import msgspec

from owed.database import DatabaseError
from owed.database.pool import Connection
from owed.store.failures import translated
from owed.store.slow_lane import Connections

logger = logging.getLogger("owed.store")

MOST_EXAMINED = 2_000
"""Events that a page looks at, whatever it finds."""

PAGE = """
    -- What follows a place, as far as nothing will be added there any more: the events that are asked for, and the last
    -- one that a page looks at.
    SELECT position, sequence, id, body, is_wanted
      FROM (SELECT position, sequence, id, body, {wanted} AS is_wanted,
                   row_number() OVER (ORDER BY {order}) AS number
              FROM event
             WHERE tenant_id = $1 AND (position, sequence, id) > ($2, $3, $4) AND position < (SELECT feed_end())
               {within}
             ORDER BY {order}
             LIMIT $6) AS examined
     WHERE is_wanted OR number = $6
     ORDER BY {order}
     LIMIT $5
"""

IS_BEHIND = """
    -- Whether anything stands where nothing can have been written yet: what can be seen was written by a transaction
    -- before the next one, or by another server.
    SELECT greatest((SELECT max((SELECT max(position) FROM event WHERE event.tenant_id = tenant.id)) FROM tenant),
                    (SELECT max(position) FROM webhook_endpoint)) AS highest,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint + shift AS next
      FROM feed
"""

RAISE = f"""
    UPDATE feed SET shift = shift + highest - next + $1
      FROM ({IS_BEHIND}) AS found
     WHERE highest >= next
 RETURNING highest
"""  # noqa: S608  (it is made of our own words)

LEAP = 2**40
"""Places left free after what another server wrote: readers may have seen more of it than there is in the backup."""

LOCK = """
    -- Nobody may write with the old shift what others see after the new one.
    SET LOCAL lock_timeout = '5s';
    LOCK TABLE event IN SHARE ROW EXCLUSIVE MODE
"""


class Place(NamedTuple):
    """A place in the feed: that of the event that was read last."""

    position: int = 0
    sequence: int = 0
    event_id: str = ""


START = Place()
"""Before everything."""


class FeedQuery(msgspec.Struct, frozen=True):
    """What is asked of the feed: what follows a place. All filters hold at once."""

    tenant_id: int
    limit: int
    after: Place = START
    type: str | None = None
    object_id: str | None = None

    def statement(self) -> tuple[str, list[Any]]:
        """Give the statement of a page, and its values."""
        values: list[Any] = [self.tenant_id, *self.after, self.limit, MOST_EXAMINED]
        wanted, order, within = "true", "position, sequence, id", ""
        if self.object_id is not None:  # for one object the order of the feed is the order of its sequence
            values.append(self.object_id)
            order, within = "sequence", f"AND object_id = ${len(values)} AND sequence > $3"
        if self.type is not None:
            values.append(self.type)
            wanted = f"type = ${len(values)}"
        return PAGE.format(wanted=wanted, order=order, within=within), values


class FeedPage(NamedTuple):
    """A page of the feed, oldest first, and the place that it goes on from."""

    bodies: list[bytes]
    place: Place


class Feed:
    """Reads the feed."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def page(self, query: FeedQuery) -> FeedPage:
        """Read what follows a place. A page may be short, or empty, and yet lead on."""
        sql, values = query.statement()
        with translated():
            async with self._connections.connection() as connection:
                rows = await connection.fetch(sql, *values)
        last = Place(*rows[-1][:3]) if rows else query.after
        return FeedPage([row["body"] for row in rows if row["is_wanted"]], last)


async def go_on_after_restore(connection: Connection) -> None:
    """See that new events stand after all others, also where those were written by another server.

    Transactions have numbers of their own on each server. On one that was restored from another the next number may be
    lower than those that stand, and a reader would never be shown what is written then.

    Raises:
        DatabaseError: Somebody else holds the events for too long.
    """
    (found,) = await connection.fetch(IS_BEHIND)
    if found["highest"] is None or found["highest"] < found["next"]:
        return
    try:
        async with connection.raw.transaction():
            await connection.execute(LOCK)
            raised = await connection.fetch(RAISE, LEAP)
    except asyncpg.LockNotAvailableError as error:
        raise DatabaseError("the events are locked by another transaction; try again when it is over") from error
    if raised:
        logger.warning("the database was restored from another server: new events go on after position %d", *raised[0])
