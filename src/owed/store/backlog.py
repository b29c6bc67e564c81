"""The backlog: how much there is to deliver, and what the feed holds back, as operators watch it."""

import msgspec

from owed.database.pool import Pool
from owed.store.failures import translated

MOST = 100_000
"""Deliveries that are counted: beyond it, more is just many."""

BACKLOG = """
    -- What is to be delivered, and since when the feed holds back the first event of each tenant that it does. An event
    -- may be held back while it is younger than the clock of its worker says.
    SELECT (SELECT count(*)
              FROM (SELECT FROM delivery WHERE failed_at IS NULL LIMIT $1) AS counted) AS pending,
           coalesce(extract(epoch FROM greatest(now() - min(held.recorded_at), interval '0')), 0)::float8 AS lag_seconds
      FROM tenant
     CROSS JOIN LATERAL (
           SELECT recorded_at
             FROM event
            WHERE tenant_id = tenant.id AND position >= (SELECT feed_end())
            ORDER BY position, sequence, id
            LIMIT 1) AS held
"""


class Backlog(msgspec.Struct, frozen=True):
    """What stands at a moment.

    Attributes:
        lag_seconds: The age of the oldest event that no reader of the feed may see yet; 0 where there is none.
    """

    pending: int = 0
    lag_seconds: float = 0.0


async def backlog(pool: Pool) -> Backlog:
    """Look how much there is to deliver."""
    with translated():
        async with pool.connection() as connection:
            return Backlog(**(await connection.fetch(BACKLOG, MOST))[0])
