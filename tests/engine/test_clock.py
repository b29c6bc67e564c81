"""Order: the time and the ids of a batch (docs/architecture.md, "order")."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from owed.core.command import Refuse
from owed.core.outcomes import Fault, invalid
from owed.core.state import Name, State
from owed.engine.clock import BatchStamp, Clock
from owed.engine.engine import Limits
from owed.engine.store import LOCK_WAIT, NamesByKey
from owed.model.identifiers import IdSource, id_at
from owed.store.memory import HeldInMemory, MemoryStore
from tests.core.samples import KEY, NOW, SeededStamp, Stamps, create
from tests.engine.desk import Desk


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A machine's clock, in nanoseconds, that a test sets."""
    told = [0]
    monkeypatch.setattr(time, "time_ns", lambda: told[0])
    return told


def test_the_clock_tells_utc_to_the_microsecond(machine: list[int]) -> None:
    machine[0] = 1_772_600_767_890_123_999

    assert Clock().now() == datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)


def test_the_clock_never_steps_back(machine: list[int]) -> None:
    clock, told = Clock(), []
    for machine[0] in (5_000, 9_000, 1_000, 8_999, 10_000):
        told.append(clock.now())

    assert told == sorted(told)
    assert told[-1] - told[0] == timedelta(microseconds=5)


def test_ids_of_later_batches_sort_later_even_where_time_stands_still() -> None:
    ids = IdSource(Random(8))
    stamps = [BatchStamp(NOW + timedelta(milliseconds=step), ids) for step in (0, 0, 1, 0, 5)]
    given = [stamp.new_id("bcus_") for stamp in stamps for _ in range(100)]

    assert given == sorted(set(given))


def test_an_id_tells_the_millisecond_of_its_batch() -> None:
    made = BatchStamp(NOW, IdSource(Random(8))).new_id("bcus_")
    milliseconds = int(NOW.timestamp() * 1000)

    assert id_at("bcus_", milliseconds) < made < id_at("bcus_", milliseconds + 1)


def test_salts_differ() -> None:
    stamp = BatchStamp(NOW, IdSource(Random(8)))

    assert (len(stamp.new_salt()), stamp.new_salt() == stamp.new_salt()) == (16, False)


class Diary(MemoryStore):
    """Notes what happens in which order."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[str] = []

    async def read(self, names: list[Name]) -> State:
        state = await super().read(names)
        self.entries.append("read")
        return state

    @asynccontextmanager
    async def held(
        self, names: list[Name], keys: NamesByKey, lock_wait: float = LOCK_WAIT
    ) -> AsyncIterator[HeldInMemory]:
        async with super().held(names, keys, lock_wait) as held:
            self.entries.append("held")
            yield held

    def stamp(self) -> SeededStamp:
        self.entries.append("stamped")
        return Stamps()()


async def test_time_and_ids_are_given_after_the_objects_are_read_and_after_they_are_held() -> None:
    """Else a batch that waited for a lock would be recorded before the one that it waited for."""
    store = Diary()
    desk = Desk(store, Limits(), store.stamp)
    await desk.ask(create("a"))
    assert store.entries == ["read", "stamped"]

    store.entries.clear()
    await desk.ask(Refuse(1, KEY, invalid([Fault("/name", "no")])), "k")
    assert store.entries == ["read", "stamped", "held", "stamped"]
