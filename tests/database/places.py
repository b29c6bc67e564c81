"""Directories and databases for tests."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")


@contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory with a short path, which PostgreSQL's account can enter even if root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="owed-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def connected(dsn: str, work: "Callable[[asyncpg.Connection[Any]], Awaitable[T]]") -> T:
    """Do some work on a connection of its own."""

    async def run() -> T:
        connection = await asyncpg.connect(dsn)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def value(dsn: str, sql: str) -> Any:
    """Run one statement and return its first value."""
    return connected(dsn, lambda connection: connection.fetchval(sql))
