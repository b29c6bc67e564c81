"""The store in memory: the same promises as PostgreSQL's, on dictionaries, for tests and simulation."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec

from owed.core.state import Name, State
from owed.engine.store import LOCK_WAIT, AnswerKey, Blocked, Conflict, NamesByKey, Writing
from owed.model.answer import KeptAnswer
from owed.model.attribution import Attribution
from owed.model.customer import Customer
from owed.model.event import Event
from owed.model.transfer import Transfer

KEPT_FOR = timedelta(hours=24)

UNIQUE = ("references", "transfers", "events", "attributions")
"""The tables that take a row only where its key is free."""

CustomerKey = tuple[int, str]


class Tables(msgspec.Struct):
    """What is kept, each row under its unique key."""

    customers: dict[CustomerKey, Customer] = {}
    references: dict[tuple[int, str], CustomerKey] = {}
    transfers: dict[tuple[int, str, int], Transfer] = {}
    events: dict[tuple[int, str, int], Event] = {}
    attributions: dict[tuple[int, str], Attribution] = {}
    answers: dict[AnswerKey, tuple[datetime, KeptAnswer]] = {}


class HeldInMemory:
    """A transaction that is open."""

    def __init__(self, state: State, answers: dict[AnswerKey, KeptAnswer], busy: set[AnswerKey]) -> None:
        self.state = state
        self.answers = answers
        self.busy = busy
        self.writing: Writing | None = None

    async def write(self, writing: Writing) -> None:
        """Save it all; it counts once the transaction is left."""
        self.writing = writing


class MemoryStore:
    """A store that forgets all with its process.

    Args:
        now: Tells the age of kept answers. Where nobody gives one, time stands still and none is forgotten.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.min.replace(tzinfo=UTC)) -> None:
        self.tables = Tables()
        self._now = now
        self._keys_held: set[AnswerKey] = set()
        self._locks: dict[CustomerKey, asyncio.Lock] = {}

    async def read(self, names: list[Name]) -> State:
        """Load the objects as they stand, held by nobody."""
        await asyncio.sleep(0)
        return self._state(names)

    async def write(self, writing: Writing) -> None:
        """Save it all, or nothing and raise."""
        async with self._holding((after.tenant_id, after.id) for _, after in writing.state.customers.changed()):
            self.save(writing)

    @asynccontextmanager
    async def held(
        self, names: list[Name], keys: NamesByKey, lock_wait: float = LOCK_WAIT
    ) -> AsyncIterator[HeldInMemory]:
        """Hold keys and objects in a transaction, saved when it is left."""
        busy = self._keys_held.intersection(keys)
        ours = set(keys) - busy
        self._keys_held |= ours
        wanted = [*names, *(name for key in ours for name in keys[key])]
        try:
            async with self._holding((key for name in wanted if (key := self._key(name))), lock_wait):
                held = HeldInMemory(self._state(wanted), self._answers(ours), busy)
                yield held
                if held.writing is not None:
                    self.save(held.writing)
        finally:
            self._keys_held -= ours

    def kept(self, key: AnswerKey) -> KeptAnswer | None:
        """Give the answer that a key keeps."""
        recorded_at, kept = self.tables.answers.get(key, (None, None))
        return kept if recorded_at and self._now() - recorded_at <= KEPT_FOR else None

    @asynccontextmanager
    async def _holding(self, customers: Iterable[CustomerKey], lock_wait: float = LOCK_WAIT) -> AsyncIterator[None]:
        """Lock customers in the order of their keys, so that two writers never wait for each other."""
        async with AsyncExitStack() as locked:
            try:
                async with asyncio.timeout(lock_wait):
                    await asyncio.sleep(0)
                    for key in sorted(set(customers)):
                        await locked.enter_async_context(self._locks.setdefault(key, asyncio.Lock()))
            except TimeoutError as error:
                raise Blocked from error
            yield

    def _key(self, name: Name) -> CustomerKey | None:
        key = name.tenant_id, name.text
        return key if key in self.tables.customers else self.tables.references.get(key)

    def _state(self, names: Iterable[Name]) -> State:
        return State(self.tables.customers[key] for name in names if (key := self._key(name)))

    def _answers(self, keys: Iterable[AnswerKey]) -> dict[AnswerKey, KeptAnswer]:
        return {key: kept for key in keys if (kept := self.kept(key))}

    def save(self, writing: Writing) -> None:
        """Check everything first, then keep everything."""
        new = rows_of(writing, self._now())
        self._refuse_stale(writing)
        for table in UNIQUE:
            if not getattr(self.tables, table).keys().isdisjoint(getattr(new, table)):
                raise Conflict
        for table in Tables.__struct_fields__:
            getattr(self.tables, table).update(getattr(new, table))

    def _refuse_stale(self, writing: Writing) -> None:
        """Refuse to write over what has changed since it was read, and over an answer that is kept."""
        for before, _ in writing.state.customers.changed():
            if self.tables.customers[before.tenant_id, before.id].version != before.version:
                raise Conflict
        if any(self.kept(key) for key in writing.answers):
            raise Conflict


def rows_of(writing: Writing, now: datetime) -> Tables:
    """Give the rows of a writing, as they stand in the tables."""
    state, created = writing.state, writing.state.customers.created()
    changed = [after for _, after in state.customers.changed()]
    return Tables(
        customers={(row.tenant_id, row.id): row for row in created + changed},
        references={(row.tenant_id, row.external_reference): (row.tenant_id, row.id) for row in created},
        transfers={(row.tenant_id, row.obligation_id, row.version): row for row in state.transfers},
        events={(row.tenant_id, row.object_id, row.sequence): row for row in state.events},
        attributions={(row.tenant_id, row.id): row for row in state.attributions},
        answers={key: (now, kept) for key, kept in writing.answers.items()},
    )
