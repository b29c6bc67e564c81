"""The database that a command works on: the one of its URL, or our own, started for the time being."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import asyncpg

from owed.database import DatabaseError, embedded, migrations
from owed.database.binaries import OLDEST
from owed.database.pool import Connection, Pool, connect
from owed.engine.store import Unavailable
from owed.settings import Settings
from owed.store import feed

RECOVERY_SECONDS = 30.0
"""Seconds for which a server may say that it cannot be connected to yet."""

RETRY_SECONDS = 0.1

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]


@contextmanager
def reachable(settings: Settings) -> Iterator[str]:
    """Yield how to connect to the database, whatever its schema is."""
    if settings.database_url:
        yield settings.database_url
    else:
        with embedded.running(settings.data_dir) as dsn:
            yield dsn


@contextmanager
def current(settings: Settings) -> Iterator[str]:
    """Yield how to connect to the database, its schema being the one we know: our own database is migrated to it.

    Raises:
        DatabaseError: It is out of reach, or its schema is another and it is not ours to change.
    """
    with reachable(settings) as dsn:
        if settings.database_url:
            perform(dsn, _require_current)
        else:
            perform(dsn, migrate)
        yield dsn


def run(settings: Settings, work: Work[T]) -> T:
    """Do some work on one connection to the database."""
    with current(settings) as dsn:
        return perform(dsn, work)


def perform(dsn: str, work: Work[T]) -> T:
    """Do some work on one connection."""
    return asyncio.run(_perform(dsn, work))


def run_as_worker(settings: Settings, work: Callable[[Pool, str], Awaitable[T]]) -> T:
    """Do some work with what a worker has: a pool of connections, and how to connect."""
    with current(settings) as dsn:
        return asyncio.run(_as_worker(dsn, settings.pool_size, work))


async def _as_worker(dsn: str, pool_size: int, work: Callable[[Pool, str], Awaitable[T]]) -> T:
    pool = Pool(dsn, pool_size)
    try:
        return await work(pool, dsn)
    except Unavailable as error:
        raise DatabaseError("the database went away, or took too long") from error
    finally:
        await pool.close()


async def _perform(dsn: str, work: Work[T]) -> T:
    connection = await _connect(dsn)
    try:
        return await work(connection)
    finally:
        await connection.raw.close()


async def _connect(dsn: str) -> Connection:
    try:
        connection = await _connect_when_possible(dsn)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "no answer"
        raise DatabaseError(f"cannot connect to the database: {reason}") from error
    version = connection.raw.get_server_version().major
    if version < OLDEST:
        await connection.raw.close()
        raise DatabaseError(f"the database is PostgreSQL {version}, and Owed needs {OLDEST} or later")
    return connection


async def _connect_when_possible(dsn: str) -> Connection:
    """Connect; wait for a server that is there, but still starts or recovers from a crash."""
    deadline = asyncio.get_running_loop().time() + RECOVERY_SECONDS
    while True:
        try:
            return await connect(dsn)
        except (asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(RETRY_SECONDS)


async def _require_current(connection: Connection) -> None:
    await migrations.require_current(connection.raw)
    await feed.go_on_after_restore(connection)


async def migrate(connection: Connection) -> list[str]:
    """Bring the schema up to date, have new events stand after all others, and name the migrations that it took."""
    applied = await migrations.migrate(connection.raw)
    await feed.go_on_after_restore(connection)
    return applied
