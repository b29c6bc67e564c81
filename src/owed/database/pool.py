"""Connections to PostgreSQL: a plain stack of them, each with the statements that it has prepared.

A stock pool resets a connection each time that it is returned, which costs more than a look-up by key. Here nothing has
to be reset: a connection is only ever used for single statements and for transactions that are left with it.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a new connection."""

ROOM_PATIENCE = 5.0
"""Seconds to wait while all connections are at work."""

COMMAND_TIMEOUT = 20.0
"""Seconds to wait for one statement, beyond what PostgreSQL itself allows it."""

SESSION = {
    "application_name": "owed",
    "timezone": "UTC",
    "statement_timeout": "15s",
    "lock_timeout": "250ms",
    "idle_in_transaction_session_timeout": "5s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "jit": "off",
    # To plan a statement costs more than to run it, and no value of ours calls for another plan.
    "plan_cache_mode": "force_generic_plan",
    # Every statement is a look-up by index, in the order of that index. Without statistics, as after a bulk load, the
    # planner may think otherwise, and a prepared plan would keep that mistake.
    "enable_sort": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


CONFUSED = (asyncpg.InternalClientError, asyncpg.InterfaceError)
"""The driver no longer knows where the connection stands, as when the server has said goodbye while it was idle."""


MOST_PREPARED = 200
"""Statements that a connection keeps prepared. A batch has one for each set of tables that it writes."""


class Connection:
    """A connection, with its prepared statements, and what it takes to find out whether its backend still runs."""

    def __init__(self, raw: asyncpg.Connection, backend_start: datetime) -> None:
        self.raw = raw
        self.pid = raw.get_server_pid()
        self.backend_start = backend_start
        self._prepared: dict[str, PreparedStatement] = {}
        self._numbers = itertools.count()

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """Run a statement, prepared at its first use, and give its rows."""
        try:
            statement = self._prepared.pop(sql, None)
            if statement is None:
                # With a name of its own a statement stays prepared; without one it is parsed anew at each use.
                statement = await self.raw.prepare(sql, name=f"owed_{next(self._numbers)}")
                if len(self._prepared) == MOST_PREPARED:
                    del self._prepared[next(iter(self._prepared))]  # the longest unused; the driver closes it
            self._prepared[sql] = statement
            rows: list[asyncpg.Record] = await statement.fetch(*values)
        except CONFUSED:
            self.raw.terminate()
            raise
        return rows

    async def execute(self, command: str) -> None:
        """Run a command that has neither values nor rows, such as BEGIN."""
        try:
            await self.raw.execute(command)
        except CONFUSED:
            self.raw.terminate()
            raise


class Pool:
    """At most `size` connections, opened as they are needed; the one used last is used next."""

    def __init__(self, dsn: str, size: int) -> None:
        self.size = size
        self._dsn = dsn
        self._idle: list[Connection] = []
        self._room = asyncio.Semaphore(size)
        self._used = 0

    @property
    def in_use(self) -> int:
        """Count the connections that are at work now."""
        return self._used

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection. One that comes back closed or inside a transaction is thrown away.

        Raises:
            TimeoutError: All are at work, and none comes back in time.
        """
        await self._enter()
        try:
            connection = await self._take()
            try:
                yield connection
            finally:
                self._put_back(connection)
        finally:
            self._used -= 1
            self._room.release()

    async def close(self) -> None:
        """Close the connections that are idle."""
        while self._idle:
            await self._idle.pop().raw.close(timeout=CONNECT_TIMEOUT)

    async def _enter(self) -> None:
        """Wait until there is room for one more, though not for ever."""
        if self._room.locked():
            async with asyncio.timeout(ROOM_PATIENCE):
                await self._room.acquire()
        else:
            await self._room.acquire()
        self._used += 1

    async def _take(self) -> Connection:
        """Give an idle connection that is still open, or open one."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.raw.is_closed():
                return connection
        return await connect(self._dsn)

    def _put_back(self, connection: Connection) -> None:
        if connection.raw.is_closed() or connection.raw.is_in_transaction():
            connection.raw.terminate()
        else:
            self._idle.append(connection)


async def connect(dsn: str) -> Connection:
    """Open a connection as every part of the service uses it."""
    raw = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT, command_timeout=COMMAND_TIMEOUT, server_settings=SESSION)
    started = await raw.fetchval("SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
    return Connection(raw, started)
