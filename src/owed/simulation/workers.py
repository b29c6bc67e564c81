"""Workers: engines over one store, which come to harm between any two steps of a batch."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from owed.core.state import Name, State
from owed.engine.engine import Engine, Limits
from owed.engine.store import (
    LOCK_WAIT,
    Blocked,
    Conflict,
    Held,
    NamesByKey,
    Store,
    Unavailable,
    Unknown,
    Writing,
)
from owed.simulation.clocks import Clock, Stamps
from owed.simulation.steps import Harm, Point, Strike

ERRORS: dict[Harm, type[Exception]] = {
    Harm.UNAVAILABLE: Unavailable,
    Harm.UNKNOWN: Unknown,
    Harm.CONFLICT: Conflict,
    Harm.BLOCKED: Blocked,
}

LIMITS = (Limits(), Limits(batch=3), Limits(batch=2, in_flight=1, waiting=4, patience=1.0))
"""The bounds of each worker's engine: one of them is soon full, and soon late."""

DOWN = 0.5
"""Seconds until a worker that has crashed is there again."""


class Worker:
    """One worker, through all its lives.

    Args:
        note: Takes a line for the diary.
    """

    def __init__(self, number: int, store: Store, seed: str, note: Callable[[str], None]) -> None:
        self.number = number
        self.struck = 0
        self.clock = Clock()
        self._store, self._seed, self._note = store, seed, note
        self._strikes: dict[Point, Strike] = {}
        self._lives = 0
        self.start()

    def start(self) -> None:
        """Begin a life."""
        self._lives += 1
        self.died: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        stamps = Stamps(self.clock, f"{self._seed}/{self.number}/{self._lives}")
        self.engine = Engine(Line(self, self._store, self.died), stamps, LIMITS[self.number])

    @property
    def is_up(self) -> bool:
        """Tell whether it takes requests."""
        return not self.died.done()

    def expect(self, strike: Strike) -> None:
        """Come to harm, the next time at the point."""
        self._strikes[strike.point] = strike

    def calm(self) -> None:
        """Expect no harm any more."""
        self._strikes.clear()

    def strike_at(self, point: Point) -> Strike | None:
        """Give what goes wrong at a point, once."""
        strike = self._strikes.pop(point, None)
        if strike:
            self.struck += 1
            self._note(f"worker {self.number} {strike.harm}, {point}")
        return strike

    def crash(self) -> None:
        """Die: nobody who waits for this worker hears from it again. A new life begins soon."""
        if self.is_up:
            self.died.set_result(None)
            asyncio.get_running_loop().call_later(DOWN, self.start)

    async def restart(self) -> None:
        """Answer whoever waits, and begin a new life."""
        engine, died = self.engine, self.died
        await engine.close()
        if engine is self.engine and not died.done():
            died.set_result(None)
            self.start()


class Line:
    """The line of one life of a worker to the store, on which the harm is done."""

    def __init__(self, worker: Worker, store: Store, died: "asyncio.Future[None]") -> None:
        self._worker, self._store, self._died = worker, store, died
        self._pace = 0.001 + 0.0003 * worker.number  # or all would be at the same point at the same moment

    async def read(self, names: list[Name]) -> State:
        """Load the objects as they stand, held by nobody."""
        await self._at(Point.BEFORE_READING)
        state = await self._store.read(names)
        await self._at(Point.AFTER_READING)
        return state

    async def write(self, writing: Writing) -> None:
        """Save it all, or nothing and raise."""
        await self._at(Point.BEFORE_WRITING)
        await self._store.write(writing)
        await self._at(Point.AFTER_WRITING)

    @asynccontextmanager
    async def held(self, names: list[Name], keys: NamesByKey, lock_wait: float = LOCK_WAIT) -> AsyncIterator[Held]:
        """Hold keys and objects in a transaction, saved when it is left."""
        await self._at(Point.BEFORE_LOCKING)
        async with self._store.held(names, keys, lock_wait) as held:
            await self._at(Point.HOLDING)
            yield held
            await self._at(Point.BEFORE_COMMIT)
        await self._at(Point.AFTER_COMMIT)

    async def _at(self, point: Point) -> None:
        """Pass a point, or come to harm there."""
        await asyncio.sleep(self._pace)
        self._refuse_the_dead()
        if strike := self._worker.strike_at(point):
            await self._suffer(strike)
            self._refuse_the_dead()

    async def _suffer(self, strike: Strike) -> None:
        if strike.harm is Harm.CRASH:
            self._worker.crash()
        elif strike.harm is not Harm.STALL:
            raise ERRORS[strike.harm]
        await asyncio.sleep(strike.seconds)

    def _refuse_the_dead(self) -> None:
        """Let nothing go on that belongs to a life that has ended."""
        if self._died.done():
            raise asyncio.CancelledError
