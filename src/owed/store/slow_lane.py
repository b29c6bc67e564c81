"""The slow lane: connections for reads that may take long, which must leave enough to those who pay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from owed.database.pool import Connection

AT_ONCE = 3
"""Reads in the lane at the same time."""

PATIENCE = 10.0
"""Seconds in which a read must have been done, its waiting included."""


class Connections(Protocol):
    """What lends connections: a pool, or a lane of one."""

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection."""


class SlowLane:
    """Lends a few connections at once, each for a bounded time.

    Args:
        connections: Where they come from; a lane within a lane is bounded by both.
    """

    def __init__(self, connections: Connections, at_once: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self._connections = connections
        self._room = asyncio.Semaphore(at_once)
        self._patience = patience

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection.

        Raises:
            TimeoutError: It has not been given back in time, or there was none.
        """
        async with asyncio.timeout(self._patience), self._room, self._connections.connection() as connection:
            yield connection
