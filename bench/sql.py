"""Statements that the bench itself runs on the databases of those it measures."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

import asyncpg
import psutil


def execute(dsn: str, script: str) -> None:
    """Run statements, the last of which may be one that wants no transaction."""
    asyncio.run(_with(dsn, lambda connection: connection.execute(script, timeout=None)))


def row(dsn: str, query: str, *arguments: object) -> tuple[Any, ...]:
    """Return the one row of a query."""
    found = asyncio.run(_with(dsn, lambda connection: connection.fetchrow(query, *arguments)))
    if found is None:
        raise LookupError(query)
    return tuple(found)


def postmaster(dsn: str) -> int:
    """Return the number of the process that a server's others descend from."""

    async def parent(connection: Any) -> int:
        backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
        return backend.ppid()

    found: int = asyncio.run(_with(dsn, parent))
    return found


def copy(dsn: str, table: str, columns: Sequence[str], records: Iterable[Sequence[object]]) -> None:
    """Load rows into a table."""
    rows = [tuple(record) for record in records]
    asyncio.run(
        _with(dsn, lambda connection: connection.copy_records_to_table(table, records=rows, columns=list(columns)))
    )


async def _with(dsn: str, work: Any) -> Any:
    connection = await asyncpg.connect(dsn, command_timeout=None)
    try:
        pending: Coroutine[Any, Any, Any] = work(connection)
        return await pending
    finally:
        await connection.close()
