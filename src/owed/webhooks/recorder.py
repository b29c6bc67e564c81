"""The recorder: what became of deliveries, written in batches. While one is being written, the next gathers."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from owed.engine.store import Conflict, Rejected, Unavailable
from owed.model.delivery import EndpointKey, Outcome
from owed.store.deliveries import Deliveries, endpoints_of

logger = logging.getLogger("owed.webhooks")

MOST = 1_000
"""Outcomes from which on a batch is full."""

PAUSE = 0.2
"""Seconds between two attempts to write a batch."""

Batch = list[Sequence[Outcome]]
"""Outcomes, those of a lane together."""


class Recorder:
    """Writes outcomes in the order in which they come.

    Args:
        recorded: Is told of the endpoints that something was recorded of.
    """

    def __init__(self, deliveries: Deliveries, recorded: Callable[[Iterable[EndpointKey]], None]) -> None:
        self._deliveries = deliveries
        self._recorded = recorded
        self._waiting: deque[Sequence[Outcome]] = deque()
        self._changed = asyncio.Condition()
        self._added = self._written = 0

    async def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes, to be written soon, and together."""
        if not outcomes:
            return
        async with self._changed:
            self._waiting.append(outcomes)
            self._added += len(outcomes)
            self._changed.notify_all()

    async def settled(self) -> None:
        """Wait until all that was added so far is written, or given up."""
        target = self._added
        async with self._changed:
            await self._changed.wait_for(lambda: self._written >= target)

    async def run(self) -> None:
        """Write, for ever."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._waiting))
                batch = self._next_batch()
            await self._write(batch)
            async with self._changed:
                self._written += sum(map(len, batch))
                self._changed.notify_all()
            self._recorded(endpoints_of(chain.from_iterable(batch)))

    def _next_batch(self) -> Batch:
        batch: Batch = []
        size = 0
        while self._waiting and size < MOST:
            batch.append(self._waiting.popleft())
            size += len(batch[-1])
        return batch

    async def _write(self, batch: Batch) -> None:
        """Write a batch, for as long as its claims can stand. After that others will attempt it again."""
        deadline = asyncio.get_running_loop().time() + self._deliveries.lease
        while asyncio.get_running_loop().time() < deadline:
            try:
                return await self._record(batch)
            except (Unavailable, Conflict) as error:
                logger.warning("outcomes of deliveries cannot be recorded yet: %s", error)
            except Rejected:
                return await self._write_one_by_one(batch)
            await asyncio.sleep(PAUSE)
        return None

    async def _write_one_by_one(self, batch: Batch) -> None:
        """Write the parts of a batch by themselves. One that is refused is attempted again when its claim ends."""
        if len(batch) == 1:
            logger.error("an outcome of %s cannot be recorded", batch[0][0].delivery.event_id)
            return
        for part in batch:
            await self._write([part])

    async def _record(self, batch: Batch) -> None:
        for endpoint, reason in await self._deliveries.record(list(chain.from_iterable(batch))):
            logger.warning("webhook endpoint %s is disabled: %s", endpoint.id, reason)
