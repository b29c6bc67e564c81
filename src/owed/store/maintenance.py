"""Maintenance: what a worker does in the background, in small steps that hold no long lock."""

import asyncio
import contextlib

from owed.database.pool import Pool
from owed.engine.store import Conflict, Unavailable
from owed.store.failures import translated
from owed.store.records import PRUNE_ANSWERS

PRUNE_EVERY = 60.0
"""Seconds between two rounds; a round takes steps until one finds nothing."""


ANALYZE_EVERY = 2.0
"""Seconds between two looks for tables that have outgrown their statistics."""

OUTGROWN = """
    -- Tables of which a good half has changed since they were last analysed.
    SELECT format('%I.%I', schemaname, relname) AS name
      FROM pg_stat_user_tables
     WHERE schemaname = current_schema()
       AND n_mod_since_analyze > 500 + n_live_tup / 2
"""


async def maintain(pool: Pool) -> None:
    """Do all of it, for ever."""
    await asyncio.gather(prune_for_ever(pool), analyze_for_ever(pool))


async def analyze_for_ever(pool: Pool) -> None:
    """Keep the planner's statistics in step with tables that grow fast.

    A plan that was made while a table was all but empty may take any index, and stays until statistics change. PostgreSQL
    itself looks once a minute, and an import can add a quarter of a million customers by then.
    """
    while True:
        await asyncio.sleep(ANALYZE_EVERY)
        with contextlib.suppress(Unavailable, Conflict), translated():
            async with pool.connection() as connection:
                for row in await connection.fetch(OUTGROWN):
                    await connection.execute(f"ANALYZE (SKIP_LOCKED) {row['name']}")


async def prune_for_ever(pool: Pool) -> None:
    """Delete the answers that keys no longer keep, round after round."""
    while True:
        await asyncio.sleep(PRUNE_EVERY)
        with contextlib.suppress(Unavailable):
            while await prune_answers(pool):
                pass


async def prune_answers(pool: Pool) -> bool:
    """Delete one step's worth of forgotten answers, and tell whether there were any."""
    with translated():
        async with pool.connection() as connection:
            return bool(await connection.fetch(PRUNE_ANSWERS))
