"""The slow lane: reads that take long leave connections to those who pay, and end in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from owed.engine.store import Unavailable
from owed.store.failures import translated
from owed.store.slow_lane import SlowLane
from tests.store.workers import pooled


@asynccontextmanager
async def crowded(lane: SlowLane, lent: int, waiting: int = 0) -> AsyncIterator[None]:
    """Have so many reads in a lane, and so many waiting for it, until the block ends."""
    begun, is_over = asyncio.Semaphore(0), asyncio.Event()

    async def read() -> None:
        async with lane.connection() as connection:
            await connection.fetch("SELECT 1")
            begun.release()
            await is_over.wait()

    async with asyncio.TaskGroup() as reads:
        for _ in range(lent + waiting):
            reads.create_task(read())
        for _ in range(lent):
            await begun.acquire()
        yield
        is_over.set()


async def test_a_lane_lends_a_few_connections_at_once_and_the_others_stay_free(dsn: str) -> None:
    async with pooled(dsn, 3) as pool:
        lane = SlowLane(pool, at_once=2)
        async with crowded(lane, 2, waiting=3), pool.connection() as connection:
            await connection.fetch("SELECT 1")

            assert pool.in_use == 3
        assert pool.in_use == 0


async def test_a_lane_within_a_lane_leaves_room_in_the_outer_one(dsn: str) -> None:
    async with pooled(dsn, 3) as pool:
        outer = SlowLane(pool, at_once=2)
        async with crowded(SlowLane(outer, at_once=1), 1, waiting=3), outer.connection() as connection:
            await connection.fetch("SELECT 1")

            assert pool.in_use == 2


async def test_a_read_that_takes_too_long_is_unavailable_and_its_connection_is_free_again(dsn: str) -> None:
    async with pooled(dsn, 1) as pool:
        lane = SlowLane(pool, patience=0.1)
        with pytest.raises(Unavailable), translated():
            async with lane.connection() as connection:
                await connection.fetch("SELECT pg_sleep(30)")

        async with pool.connection() as connection:
            assert await connection.fetch("SELECT 1")


async def test_a_read_that_waits_too_long_for_its_turn_is_unavailable(dsn: str) -> None:
    async with pooled(dsn, 2) as pool:
        lane = SlowLane(pool, at_once=1)
        impatient = SlowLane(lane, patience=0.1)
        async with crowded(lane, 1):
            with pytest.raises(Unavailable), translated():
                async with impatient.connection():
                    pass

            assert pool.in_use == 1
