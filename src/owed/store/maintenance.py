"""Maintenance: what a worker does in the background, in small steps that hold no long lock."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg

from owed.database.pool import Pool
from owed.engine.store import Conflict, Rejected, Unavailable
from owed.store.failures import translated
from owed.store.records import PRUNE_ANSWERS

logger = logging.getLogger("owed.maintenance")

Work = Callable[[], Awaitable[None]]

PRUNE_EVERY = 60.0
"""Seconds between two rounds; a round takes steps until one finds nothing."""

RECORD_EVERY = 15.0
"""Seconds between two recordings of which keys were used."""


FINISH_EVERY = 60.0
"""Seconds between two looks for erasures that were left undone, of which the first is at the start."""

ANALYZE_EVERY = 2.0
"""Seconds between two looks for tables that have outgrown their statistics."""

OUTGROWN = """
    -- Tables of which a good half has changed since they were last analysed.
    SELECT format('%I.%I', schemaname, relname) AS name
      FROM pg_stat_user_tables
     WHERE schemaname = current_schema()
       AND n_mod_since_analyze > 500 + n_live_tup / 2
"""


async def maintain(pool: Pool, record_use: Work, finish_erasures: Work) -> None:
    """Do all of it, for ever.

    Args:
        record_use: Records which keys were used.
        finish_erasures: Redacts what others have left undone, where they died in the middle of an erasure.
    """
    await asyncio.gather(
        regularly(PRUNE_EVERY, lambda: prune_answers(pool)),
        regularly(ANALYZE_EVERY, lambda: analyze_outgrown(pool)),
        regularly(RECORD_EVERY, record_use),
        regularly(FINISH_EVERY, finish_erasures, first=0.0),
    )


async def regularly(seconds: float, work: Work, first: float | None = None) -> None:
    """Do some work again and again; where the database refuses, say so, and try at the next turn.

    Args:
        first: Seconds before the first turn, where these are others.
    """
    pause = seconds if first is None else first
    while True:
        await asyncio.sleep(pause)
        pause = seconds
        try:
            await work()
        except (Unavailable, Conflict, Rejected, asyncpg.PostgresError) as error:
            logger.warning("the database refused some maintenance: %s", error)


async def analyze_outgrown(pool: Pool) -> None:
    """Keep the planner's statistics in step with tables that grow fast.

    A plan that was made while a table was all but empty may take any index, and stays until statistics change.
    PostgreSQL itself looks once a minute, and an import can add a quarter of a million customers by then.
    """
    with translated():
        async with pool.connection() as connection:
            for row in await connection.fetch(OUTGROWN):
                await connection.execute(f"ANALYZE (SKIP_LOCKED) {row['name']}")


async def prune_answers(pool: Pool) -> None:
    """Delete the answers that keys no longer keep, step by step."""
    while await prune_step(pool):
        pass


async def prune_step(pool: Pool) -> bool:
    """Delete one step's worth of forgotten answers, and tell whether there were any."""
    with translated():
        async with pool.connection() as connection:
            return bool(await connection.fetch(PRUNE_ANSWERS))
