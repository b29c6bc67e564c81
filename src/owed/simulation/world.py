"""A world: merchants, clients and workers over one store, living through steps under the eyes of an audit."""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from owed.engine.store import Rejected, Writing
from owed.model.payment import Payment
from owed.simulation import loop
from owed.simulation.audit import Audit
from owed.simulation.clients import Client
from owed.simulation.clocks import Clock
from owed.simulation.diary import Diary
from owed.simulation.requests import command
from owed.simulation.steps import LONGEST, POISON, WORKERS, Again, Ask, Jump, Restart, Step, Strike
from owed.simulation.workers import Worker
from owed.store.memory import MemoryStore

REST = 3600.0
"""Seconds in which a world must come to rest once all harm is over."""


class WatchedStore(MemoryStore):
    """The store in memory, which cannot take poison, and tells when something was committed."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.on_commit: Callable[[], None] = lambda: None

    def save(self, writing: Writing) -> None:
        """Save, and tell."""
        if any(f'"{POISON}"'.encode() in event.body for event in writing.state.events):
            raise Rejected
        super().save(writing)
        self.on_commit()

    def holds_anything(self) -> bool:
        """Tell whether a key or a lock is held."""
        return bool(self._keys_held) or any(lock.locked() for lock in self._locks.values())


MakeStore = Callable[[Callable[[], datetime]], WatchedStore]


class Life(NamedTuple):
    """What became of a world.

    Attributes:
        taken: How many steps were taken: all, or as many as it took to find a fault.
        faults: What should not have been.
        diary: What happened.
        struck: How much harm was done.
    """

    taken: int
    faults: tuple[str, ...]
    diary: tuple[str, ...]
    requests: int
    struck: int
    payments: int


class World:
    """Everything there is.

    Args:
        seed: What ids and salts follow from.
    """

    def __init__(self, seed: str, make_store: MakeStore) -> None:
        self.diary = Diary()
        self._clock = Clock()
        self.store = store = make_store(self._clock.now)
        self.audit = Audit(store.tables, self._clock)
        store.on_commit = self.audit.look
        self.workers = [Worker(number, store, seed, self.diary.note) for number in range(WORKERS)]
        self._clients: dict[int, Client] = {}
        self._going_on: list[asyncio.Task[None]] = []
        self._harm = 0

    async def live(self, steps: Sequence[Step]) -> Life:
        """Take the steps, let everything come to rest, and tell what became of it all."""
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.audit.note(str(context)))
        taken = 0
        for taken, step in enumerate(steps, start=1):  # noqa: B007  (it is told when all is over)
            await asyncio.sleep(step.after)
            self.diary.note(step.line())
            self._take(step)
            self.audit.look()
            if self.audit.faults:
                break
        else:
            await self._rest()
        requests, struck = len(self._clients), self._harm + sum(worker.struck for worker in self.workers)
        faults = tuple(self.audit.faults)
        return Life(taken, faults, tuple(self.diary.lines), requests, struck, len(self.audit.payments))

    def _take(self, step: Step) -> None:
        match step:
            case Ask():
                self._ask(step)
            case Again():
                self._ask_again(step)
            case Strike():
                self.workers[step.worker].expect(step)
            case Restart():
                self._harm += 1
                self._go_on(self.workers[step.worker].restart())
            case Jump():
                self._harm += 1
                self._set_clocks(step)

    def _ask(self, ask: Ask) -> None:
        self.audit.effects.send(ask)
        named = msgspec.structs.replace(ask, name=self._named(ask.name), members=self._named(ask.members))
        asked = command(named, lambda place: self._application_id(named, place))
        client = self._clients[ask.number] = Client(ask, asked, self.workers, self.audit, self.diary)
        self._go_on(client.see_through(ask.worker, ask.lost))

    def _ask_again(self, again: Again) -> None:
        """Let a client send its request once more; one without a key would ask for something new."""
        client = self._clients.get(again.of)
        if client and client.ask.key is not None:
            self._go_on(client.see_through(again.worker))

    def _set_clocks(self, jump: Jump) -> None:
        """Set the clock of one worker, or all clocks there are."""
        for worker in self.workers if jump.worker is None else [self.workers[jump.worker]]:
            worker.clock.jump(jump.seconds)
        if jump.worker is None:
            self._clock.jump(jump.seconds)
            self.audit.effects.clock_was_set()

    def _go_on(self, work: Coroutine[None, None, None]) -> None:
        self._going_on.append(asyncio.get_running_loop().create_task(work))

    async def _rest(self) -> None:
        """Do no more harm, and wait until every client has its answer and every worker has shut down."""
        for worker in self.workers:
            worker.calm()
        try:
            async with asyncio.timeout(REST):
                await asyncio.gather(*self._going_on)
                for worker in self.workers:
                    await worker.engine.close()
                await asyncio.sleep(LONGEST)
        except TimeoutError:
            self.audit.note(f"the world has not come to rest after {REST:g} s")
        if self.store.holds_anything():
            self.audit.note("something is held when all is over")
        self.audit.look()

    def _named(self, thought: Any) -> Any:
        """Put names in place: for `#7`, the id of what request 7 has made."""
        match thought:
            case str() if thought.startswith("#"):
                return self.audit.effects.made.get(int(thought[1:]), "nobody")
            case dict():
                return {name: self._named(value) for name, value in thought.items()}
            case list():
                return [self._named(value) for value in thought]
        return thought

    def _application_id(self, ask: Ask, place: int) -> str:
        """Give the id of an application of the payment that a request names by its id."""
        payment = self.store.tables.objects.get((Payment.kind, ask.tenant, ask.name))
        applications = payment.applications if isinstance(payment, Payment) else ()
        return applications[place].id if place < len(applications) else "ob_none"


class Ears(logging.Handler):
    """Hears what the engine logs: a simulated world has no bugs to log, but for what it cannot save."""

    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        """Take it down, with the last line of what was raised."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, Rejected):
            self._heard.append(f"the engine logged: {record.getMessage()}: {error!r}")


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Hear what the engine logs, and keep it from everybody else."""
    logger = logging.getLogger("owed.engine")
    heard: list[str] = []
    ears, propagate = Ears(heard), logger.propagate
    logger.addHandler(ears)
    logger.propagate = False
    try:
        yield heard
    finally:
        logger.removeHandler(ears)
        logger.propagate = propagate


@contextmanager
def seeded(seed: str) -> Iterator[None]:
    """Let the engine's pauses follow from a seed."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def live(steps: Sequence[Step], seed: str, make_store: MakeStore = WatchedStore) -> Life:
    """Let a world live through steps; the same steps and the same seed always give the same life."""

    async def begin() -> Life:
        return await World(seed, make_store).live(steps)

    with overheard() as heard, seeded(seed):
        try:
            life = loop.run(begin())
        except loop.Standstill as standstill:
            return Life(len(steps), (str(standstill),), (), 0, 0, 0)
    return life._replace(faults=life.faults + tuple(heard))
