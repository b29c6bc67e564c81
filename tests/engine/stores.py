"""Stores that are slow, fail, or have a rival: the one in memory, doing what a test has put on its script."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from owed.core.state import Name, State
from owed.engine.store import LOCK_WAIT, NamesByKey, Rejected, Unknown, Writing
from owed.model.customer import Customer
from owed.store.memory import HeldInMemory, MemoryStore


def references(writing: Writing) -> set[str]:
    """Name the customers that a writing creates or changes."""
    customers = writing.state.customers
    return {
        customer.external_reference for customer in (*customers.created(), *(new for _, new in customers.changed()))
    }


def customers_in(store: MemoryStore) -> list[Customer]:
    """List the customers that stand in a store."""
    return [item for item in store.tables.objects.values() if isinstance(item, Customer)]


class GatedStore(MemoryStore):
    """Whatever comes to it waits at a gate, until a test opens that."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.waiting = 0
        self.arrivals = asyncio.Semaphore(0)

    async def arrived(self, count: int = 1) -> None:
        """Wait until further batches stand at the gate."""
        for _ in range(count):
            await self.arrivals.acquire()

    async def read(self, names: list[Name]) -> State:
        await self._wait()
        return await super().read(names)

    @asynccontextmanager
    async def held(
        self, names: list[Name], keys: NamesByKey, lock_wait: float = LOCK_WAIT
    ) -> AsyncIterator[HeldInMemory]:
        await self._wait()
        async with super().held(names, keys, lock_wait) as held:
            yield held

    async def _wait(self) -> None:
        self.arrivals.release()
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1


class ScriptedStore(MemoryStore):
    """Each saving first does what stands next on the script: an exception is raised, and anything else is called.

    Args:
        for_ever: What every saving does once the script is over.
    """

    def __init__(self, *script: Exception | Callable[[], None], for_ever: Exception | None = None) -> None:
        super().__init__()
        self.script = list(script)
        self.for_ever = for_ever
        self.tried: list[Writing] = []

    def save(self, writing: Writing) -> None:
        self.tried.append(writing)
        step = self.script.pop(0) if self.script else self.for_ever
        if isinstance(step, Exception):
            raise step
        if step is not None:
            step()
        super().save(writing)


class UnreadableStore(MemoryStore):
    """Raises what a test says when it is read, for as long as it says so."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = error

    async def read(self, names: list[Name]) -> State:
        if self.error:
            raise self.error
        return await super().read(names)


class SqueamishStore(MemoryStore):
    """Cannot take some customers, as PostgreSQL cannot take some texts."""

    def __init__(self, *unsavoury: str) -> None:
        super().__init__()
        self.unsavoury = set(unsavoury)
        self.tried = 0

    def save(self, writing: Writing) -> None:
        self.tried += 1
        if references(writing) & self.unsavoury:
            raise Rejected
        super().save(writing)


class ForgetfulStore(MemoryStore):
    """Saves the first writing, and cannot say whether it did."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = False

    def save(self, writing: Writing) -> None:
        super().save(writing)
        if not self.asked:
            self.asked = True
            raise Unknown


class CountingStore(MemoryStore):
    """Counts how many transactions are open at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.open = 0
        self.most = 0

    @asynccontextmanager
    async def held(
        self, names: list[Name], keys: NamesByKey, lock_wait: float = LOCK_WAIT
    ) -> AsyncIterator[HeldInMemory]:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            async with super().held(names, keys, lock_wait) as held:
                yield held
        finally:
            self.open -= 1
