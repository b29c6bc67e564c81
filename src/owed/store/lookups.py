"""Look-ups by id or reference: those that wait at the same moment become one query."""

import asyncio
from collections.abc import Callable

from owed.core.state import Name
from owed.database.pool import Pool
from owed.model.customer import Customer
from owed.store import customers
from owed.store.failures import translated

IN_FLIGHT = 2
"""Queries at the same time: while one runs, the next gathers."""

MOST = 500
"""Names in a query."""

Waiter = tuple[int, str, asyncio.Future[Customer | None]]


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

    def customer(self, tenant_id: int, name: str) -> asyncio.Future[Customer | None]:
        """Promise the customer with this id or external reference, None where there is none."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Customer | None] = loop.create_future()
        self._waiting.append((tenant_id, name, found))
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
            found = await self._find({(tenant_id, name) for tenant_id, name, _ in batch})
        except Exception as error:  # whatever it is, every request that waits must hear of it
            for _, _, waiter in batch:
                if not waiter.done():
                    waiter.set_exception(error)
            return
        for tenant_id, name, waiter in batch:
            if not waiter.done():
                waiter.set_result(found.get((tenant_id, name)))

    async def _find(self, wanted: set[tuple[int, str]]) -> dict[tuple[int, str], Customer]:
        names = [Name("customer", tenant_id, name) for tenant_id, name in wanted]
        with translated():
            async with self._pool.connection() as connection:
                rows = await customers.load(connection, names)
        found = {(customer.tenant_id, customer.id): customer for customer in rows}
        found.update(((customer.tenant_id, customer.external_reference), customer) for customer in rows)
        return found
