"""Workers: engines on PostgreSQL, as separate processes would be, and a session beside them that gets in their way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from owed.core.stamp import Stamp
from owed.database.pool import Pool
from owed.engine.engine import Limits
from owed.store.postgres import PostgresStore
from tests.core.samples import Stamps
from tests.engine.desk import Desk

Session = asyncpg.Connection  # one that is not ours: psql, say

seeds = iter(range(1, 1_000_000))


@asynccontextmanager
async def pooled(dsn: str, size: int = 8) -> AsyncIterator[Pool]:
    """Open a pool, and close it at the end."""
    pool = Pool(dsn, size)
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def worker(
    dsn: str, limits: Limits | None = None, stamps: Callable[[], Stamp] | None = None
) -> AsyncIterator[Desk]:
    """Open a worker: an engine with a pool of its own."""
    async with pooled(dsn) as pool:
        desk = Desk(PostgresStore(pool, dsn), limits or Limits(), stamps or Stamps(next(seeds)))
        try:
            yield desk
        finally:
            await desk.engine.close()


@asynccontextmanager
async def session(dsn: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Open a session that is not ours."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def blocked_backends(watcher: "asyncpg.Connection[Any]", count: int = 1) -> list[int]:
    """Wait until so many backends wait for a lock, and name them."""
    sql = """
        SELECT pid FROM pg_stat_activity
         WHERE wait_event_type = 'Lock' AND datname = current_database()
    """
    while len(rows := await watcher.fetch(sql)) < count:  # noqa: ASYNC110  (PostgreSQL has no event for it)
        await asyncio.sleep(0.002)
    return [row["pid"] for row in rows]


async def all_idle(watcher: "asyncpg.Connection[Any]") -> None:
    """Wait until no worker's backend is at work any more."""
    sql = """
        SELECT FROM pg_stat_activity
         WHERE state = 'active' AND application_name = 'owed' AND datname = current_database()
    """
    while await watcher.fetch(sql):  # noqa: ASYNC110  (PostgreSQL has no event for it)
        await asyncio.sleep(0.002)


async def rows(watcher: "asyncpg.Connection[Any]", table: str, tenant: int) -> int:
    """Count a tenant's rows in a table."""
    counted: int = await watcher.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant)
    return counted
