"""The store in memory: the same promises as PostgreSQL's, on dictionaries, for tests and simulation."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import msgspec

from owed.core.reapplying import added_up
from owed.core.state import MOVEMENT, Name, State, brought_by, moved_object
from owed.engine.store import LOCK_WAIT, AnswerKey, Blocked, Conflict, NamesByKey, Writing
from owed.model.answer import KeptAnswer
from owed.model.attribution import Attribution
from owed.model.billing_object import BillingObject
from owed.model.event import Event
from owed.model.named import Named
from owed.model.tenant_settings import SettingsRecord, TenantSettings
from owed.model.transfer import Transfer

KEPT_FOR = timedelta(hours=24)

UNIQUE = ("claimed", "transfers", "events", "attributions")
"""The tables that take a row only where its key is free."""

ObjectKey = tuple[str, int, str]
"""An object's kind, tenant and id."""


class Tables(msgspec.Struct):
    """What is kept, each row under its unique key.

    Attributes:
        claimed: Whose the first name of each object is, which no other has.
        names: What each name stands for; where several objects share one, the newest of them.
    """

    objects: dict[ObjectKey, Named] = {}
    claimed: dict[tuple[str, int, str], ObjectKey] = {}
    names: dict[tuple[str, int, str], ObjectKey] = {}
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
        self._locks: dict[ObjectKey, asyncio.Lock] = {}

    async def read(self, names: list[Name]) -> State:
        """Load the objects as they stand, held by nobody."""
        await asyncio.sleep(0)
        return self._state(names, knows_claims=False)

    async def write(self, writing: Writing) -> None:
        """Save it all, or nothing and raise."""
        async with self._holding(key_of(before) for before, _ in changed(writing.state)):
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
            async with self._holding(self._brought(wanted), lock_wait):
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
    async def _holding(self, objects: Iterable[ObjectKey], lock_wait: float = LOCK_WAIT) -> AsyncIterator[None]:
        """Lock objects in the order of their keys, so that two writers never wait for each other."""
        async with AsyncExitStack() as locked:
            try:
                async with asyncio.timeout(lock_wait):
                    await asyncio.sleep(0)
                    for key in sorted(set(objects)):
                        await locked.enter_async_context(self._locks.setdefault(key, asyncio.Lock()))
            except TimeoutError as error:
                raise Blocked from error
            yield

    def _keys(self, names: Iterable[Name]) -> Iterator[ObjectKey]:
        """Yield the keys of all that names may stand for: what has the id, and what has the external reference."""
        for name in names:
            if name.kind == SettingsRecord.kind:
                self._start_settings(name.tenant_id)
            if name in self.tables.objects:
                yield name
            if name in self.tables.names:
                yield self.tables.names[name]

    def _start_settings(self, tenant_id: int) -> None:
        """Give a tenant the settings that a new merchant starts with: here a tenant exists as soon as it is named."""
        settings = SettingsRecord(tenant_id=tenant_id, settings=TenantSettings(), updated_at=self._now())
        self.tables.objects.setdefault(key_of(settings), settings)

    def _state(self, names: Iterable[Name], *, knows_claims: bool = True) -> State:
        state = State((self.tables.objects[key] for key in self._brought(names)), knows_claims=knows_claims)
        for movement in (name for name in names if name.kind == MOVEMENT):
            (kind, tenant_id, text), since = moved_object(movement)
            if item := state.shelves[kind].find(tenant_id, text):
                state.movements[tenant_id, item.id, since] = added_up(self._transfers(item), since)
        return state

    def _transfers(self, item: BillingObject) -> Iterator[Transfer]:
        versions = range(1, item.obligation.version + 1)
        return (self.tables.transfers[item.tenant_id, item.id, version] for version in versions)

    def _brought(self, names: Iterable[Name]) -> set[ObjectKey]:
        """Give the keys of all that names may stand for, and of what changes with it."""
        keys = set(self._keys(names))
        return keys | brought_by(self.tables.objects[key] for key in keys)

    def _answers(self, keys: Iterable[AnswerKey]) -> dict[AnswerKey, KeptAnswer]:
        return {key: kept for key in keys if (kept := self.kept(key))}

    def save(self, writing: Writing) -> None:
        """Check everything first, then keep everything."""
        new = rows_of(writing, self._now())
        self._refuse_stale(writing)
        freed = freed_names(writing.state)
        for table in UNIQUE:
            if getattr(self.tables, table).keys() & getattr(new, table).keys() - freed:
                raise Conflict
        for name in freed:
            self.tables.claimed.pop(name, None)
            self.tables.names.pop(name, None)
        new.names = {name: max(key, self.tables.names.get(name, key)) for name, key in new.names.items()}
        for table in Tables.__struct_fields__:
            getattr(self.tables, table).update(getattr(new, table))

    def _refuse_stale(self, writing: Writing) -> None:
        """Refuse to write over what has changed since it was read, and over an answer that is kept."""
        for before, _ in changed(writing.state):
            if self.tables.objects[key_of(before)].version != before.version:
                raise Conflict
        if any(self.kept(key) for key in writing.answers):
            raise Conflict


def key_of(item: Named) -> ObjectKey:
    """Give the key of an object."""
    return item.kind, item.tenant_id, item.id


def changed(state: State) -> Iterator[tuple[Any, Any]]:
    """Yield every changed object of a state, as it was loaded and as it stands."""
    return chain.from_iterable(shelf.changed() for shelf in state.shelves.values())


def freed_names(state: State) -> set[tuple[str, int, str]]:
    """Give the names that objects go by no longer."""
    return {
        (before.kind, before.tenant_id, name)
        for before, after in changed(state)
        for name in {*before.names}.difference(after.names)
    }


def rows_of(writing: Writing, now: datetime) -> Tables:
    """Give the rows of a writing, as they stand in the tables."""
    state = writing.state
    created = [item for shelf in state.shelves.values() for item in shelf.created()]
    renamed = [after for before, after in changed(state) if before.names != after.names]
    by_age = sorted([*created, *renamed], key=lambda item: item.id)
    return Tables(
        objects={key_of(row): row for row in (*created, *(after for _, after in changed(state)))},
        claimed={(row.kind, row.tenant_id, name): key_of(row) for row in by_age for name in row.names[:1]},
        names={(row.kind, row.tenant_id, name): key_of(row) for row in by_age for name in row.names},
        transfers={(row.tenant_id, row.obligation_id, row.version): row for row in state.transfers},
        events={(row.tenant_id, row.object_id, row.sequence): row for row in state.events},
        attributions={(row.tenant_id, row.id): row for row in state.attributions},
        answers={key: (now, kept) for key, kept in writing.answers.items()},
    )
