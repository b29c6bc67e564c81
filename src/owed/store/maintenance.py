"""Maintenance: what a worker clears away in the background, in small steps that hold no long lock."""

import asyncio
import contextlib

from owed.database.pool import Pool
from owed.engine.store import Unavailable
from owed.store.failures import translated
from owed.store.records import PRUNE_ANSWERS

PRUNE_EVERY = 60.0
"""Seconds between two rounds; a round takes steps until one finds nothing."""


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
