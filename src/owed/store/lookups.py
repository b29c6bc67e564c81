"""Look-ups by id or reference: those that wait at the same moment become one query."""

import asyncio
from collections.abc import Callable
from typing import Any

from owed.core.state import Name, State
from owed.database.pool import Pool
from owed.store import objects
from owed.store.failures import translated

IN_FLIGHT = 2
"""Queries at the same time: while one runs, the next gathers."""

MOST = 500
"""Names in a query."""

Waiter = tuple[Name, asyncio.Future[Any]]


class Lookups:
    """Coalesces look-ups.

    One that arrives after a query was sent waits for the next: it must see every write that its caller has seen.
    """

    def __init__(self, pool: Pool) -> None:
        self.batch_sizes: Callable[[int], None] = lambda size: None
        self._pool = pool
        self._waiting: list[Waiter] = []
        self._in_flight: set[asyncio.Task[None]] = set()
        self._send_is_due = False

    def find(self, name: Name) -> asyncio.Future[Any]:
        """Promise the object of this name, None where there is none."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((name, found))
        if not self._send_is_due and len(self._in_flight) < IN_FLIGHT:
            self._send_is_due = True
            loop.call_soon(self._send)
        return found

    def _send(self) -> None:
        self._send_is_due = False
        while self._waiting and len(self._in_flight) < IN_FLIGHT:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            self.batch_sizes(len(batch))
            task = asyncio.get_running_loop().create_task(self._answer(batch))
            self._in_flight.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._send()

    async def _answer(self, batch: list[Waiter]) -> None:
        try:
            found = await self._find({name for name, _ in batch})
        except Exception as error:  # whatever it is, every request that waits must hear of it
            for _, waiter in batch:
                if not waiter.done():
                    waiter.set_exception(error)
            return
        for (kind, tenant_id, text), waiter in batch:
            if not waiter.done():
                waiter.set_result(found.shelves[kind].find(tenant_id, text))

    async def _find(self, wanted: set[Name]) -> State:
        with translated():
            async with self._pool.connection() as connection:
                return State(await objects.load(connection, wanted))
