"""Attempts: carrying out a batch in spite of races, locks, bugs and a database that goes away.

The first attempt holds nothing: it reads, decides, and saves in one guarded statement that fails as a whole where
anything it was decided on has changed. A batch that loses such a race is done again in a transaction that holds its
keys and objects from the start, so that it cannot lose for ever.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from owed.core.outcomes import Code, Refused
from owed.core.stamp import Stamp
from owed.core.state import Unread
from owed.engine.deciding import BUG, Decided, decide
from owed.engine.keys import IN_USE, PATIENCE, replay
from owed.engine.pending import Pending
from owed.engine.store import LOCK_WAIT, Blocked, Conflict, Held, Rejected, Store, Unavailable, Unknown

logger = logging.getLogger("owed.engine")

UNREACHABLE = Refused(
    Code.UNAVAILABLE, "The database cannot be reached, or takes too long. Nothing was done; try again shortly."
)
UNKNOWN = Refused(
    Code.UNAVAILABLE,
    "The database went away while this was being saved, so the outcome is unknown. Retry with the same "
    "Idempotency-Key: it happens once in all.",
)
LATE = Refused(Code.UNAVAILABLE, "The request waited too long for its turn. Nothing was done; try again.")

PAUSES = (0.0, 0.005, 0.02, 0.05, 0.1)
"""Seconds, jittered, before each further attempt of a batch that keeps losing races."""

BRIEFLY = 0.002
"""Seconds that the parts of a blocked batch wait for a lock: only to find out whose it is."""

RETRY_ASIDE = 0.02
"""Seconds between the attempts of a command that was set aside."""

BLOCKED_AT_ONCE, BUSY_AT_ONCE = 3, 2
"""Commands set aside that may be tried at the same time, each on a connection: those that wait for a lock in a
transaction that keeps their key, and those that only look whether their key is free by now."""


class Attempts:
    """Carries out batches against a store."""

    def __init__(self, store: Store, stamp: Callable[[], Stamp]) -> None:
        self._store = store
        self._stamp = stamp
        self._room_for_blocked = asyncio.Semaphore(BLOCKED_AT_ONCE)
        self._room_for_busy = asyncio.Semaphore(BUSY_AT_ONCE)

    async def carry_out(self, batch: list[Pending]) -> list[Pending]:
        """Carry out a batch, and answer it.

        Returns:
            The commands that somebody else holds up, and those for which there was no room. They are not answered yet;
            `persist` sees each through.
        """
        try:
            return await self._at_once(batch)
        except Blocked:
            return batch if len(batch) == 1 else await self._holding(batch)
        except (Conflict, Rejected, Unread):
            return await self._holding(batch)

    async def persist(self, pending: Pending) -> None:
        """Try one command again and again until it is answered or has waited too long."""
        loop = asyncio.get_running_loop()
        while not pending.reply.done():
            if pending.key_is_busy:
                async with self._room_for_busy:
                    await self._holding([pending])
            else:
                async with self._room_for_blocked:
                    await self._holding([pending], lock_wait=max(LOCK_WAIT, pending.deadline - loop.time()))
            if pending.key_is_busy and loop.time() > pending.arrived_at + PATIENCE:
                pending.refuse(IN_USE)
            elif loop.time() > pending.deadline:
                pending.refuse(LATE)
            await asyncio.sleep(RETRY_ASIDE)

    async def _at_once(self, batch: list[Pending]) -> list[Pending]:
        with refusing(batch):
            state = await self._store.read(sorted({name for pending in batch for name in pending.reads}))
            decided, writing = decide(batch, state, self._stamp())
            if any(pending.answer_key and not reply.kept for pending, reply in decided):
                raise Conflict  # its key may hold an answer, and no row that this writes would tell
            if not writing.is_empty():
                await self._store.write(writing)
            settle(decided)
        return [pending for pending in batch if not pending.reply.done()]

    async def _holding(self, batch: list[Pending], lock_wait: float = LOCK_WAIT) -> list[Pending]:
        """Carry out a batch in transactions that hold what it touches; split it where that does not succeed."""
        for pause in PAUSES:
            await asyncio.sleep(random.uniform(0, pause))
            try:
                return await self._held(batch, lock_wait)
            except Blocked:
                lock_wait = BRIEFLY  # or each of its parts would wait as long again, one after the other
                break
            except Conflict:
                continue
            except Rejected:
                if len(batch) == 1:
                    logger.exception("a command cannot be saved", extra={"request_id": batch[0].request_id})
                    batch[0].refuse(BUG)
                break
        if len(batch) == 1:
            return batch
        middle = len(batch) // 2
        return [*await self._holding(batch[:middle], lock_wait), *await self._holding(batch[middle:], lock_wait)]

    async def _held(self, batch: list[Pending], lock_wait: float) -> list[Pending]:
        names = [name for pending in batch if not pending.answer_key for name in pending.names]
        keys = {pending.answer_key: pending.names for pending in batch if pending.answer_key}
        with refusing(batch):
            async with self._store.held(names, keys, lock_wait) as held:
                decided, still_open = replayed(batch, held)
                newly_decided, writing = decide(still_open, held.state, self._stamp())
                if not writing.is_empty():
                    await held.write(writing)
            settle(decided + newly_decided)
        return [pending for pending in batch if not pending.reply.done()]


def replayed(batch: list[Pending], held: Held) -> tuple[Decided, list[Pending]]:
    """Sort out the commands whose keys have an answer or are busy; give the replies of those, and what is left."""
    decided: Decided = []
    still_open = []
    for pending in batch:
        pending.key_is_busy = pending.answer_key in held.busy
        if pending.answer_key in held.answers:
            decided.append((pending, replay(pending, held.answers[pending.answer_key])))
        elif not pending.key_is_busy:
            still_open.append(pending)
    return decided, still_open


def settle(decided: Decided) -> None:
    """Give every waiting request its reply: what it tells is saved now."""
    for pending, reply in decided:
        pending.settle(reply)


@contextmanager
def refusing(batch: list[Pending]) -> Iterator[None]:
    """Refuse the whole batch where the store cannot be reached, saying whether anything may have been done."""
    try:
        yield
    except Unavailable:
        for pending in batch:
            pending.refuse(UNREACHABLE)
    except Unknown:
        for pending in batch:
            pending.refuse(UNKNOWN)
