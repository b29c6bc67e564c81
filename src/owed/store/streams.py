"""Streams: reads of any length, row by row, on connections of their own.

Whoever reads slowly, or hangs up, takes nothing from anybody else. All that is read in one is of one time; for it only
reads, it holds up neither writers nor the feed of events.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from owed.database.pool import Connection, Pool
from owed.store.failures import translated

ROWS = 1_000
"""Rows that are read at a time: a few hundred kilobytes, and a few milliseconds."""

FETCH_SECONDS = 60
"""Seconds that the next rows may take, the first of a report over everything included."""

BEGIN = f"""
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = '{FETCH_SECONDS}s';
    -- A client may leave rows unread for as long as its connection stands.
    SET LOCAL idle_in_transaction_session_timeout = '60s';
    -- Each is planned for what it asks for.
    SET LOCAL plan_cache_mode = force_custom_plan;
    SET LOCAL enable_sort = on
"""

SCANNING = """
    -- Unlike other statements this one reads most of a table: in its order, and by one process.
    SET LOCAL enable_seqscan = on;
    SET LOCAL synchronize_seqscans = off;
    SET LOCAL enable_bitmapscan = on;
    SET LOCAL enable_hashjoin = on;
    SET LOCAL max_parallel_workers_per_gather = 0
"""

Rows = list[asyncpg.Record]


class Reading:
    """One look at the database, in which nothing changes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def scanning(self) -> None:
        """Let what follows read whole tables."""
        await self._connection.execute(SCANNING)

    async def rows(self, sql: str, *values: Any) -> AsyncIterator[Rows]:
        """Yield the rows of a statement, as many at a time as fit in a page."""
        cursor = await self._connection.raw.cursor(sql, *values, timeout=FETCH_SECONDS)
        while page := await cursor.fetch(ROWS, timeout=FETCH_SECONDS):
            yield page


class Streams:
    """Lends looks at the database to those who may take long.

    Args:
        most: How many there are at the same time.
    """

    def __init__(self, dsn: str, most: int) -> None:
        self._pool = Pool(dsn, most)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reading]:
        """Lend a look. A connection that is left in the midst of one is closed: what it reads ends with it."""
        with translated():
            async with self._pool.connection() as connection:
                await connection.execute(BEGIN)
                yield Reading(connection)
                await connection.execute("COMMIT")

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()
