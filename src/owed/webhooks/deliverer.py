"""The deliverer: looks which endpoints have something to do, and has a pump for each of them.

Any number of processes run one on the same database. What each has claimed, no other sends.
"""

import asyncio
import logging
import os
import random
from collections.abc import Callable, Iterable
from contextlib import suppress

from owed.core.retries import Schedule
from owed.database.pool import Pool
from owed.engine.store import Conflict, Rejected, Unavailable
from owed.model.delivery import Attempt, Claimed
from owed.model.identifiers import IdSource
from owed.store.deliveries import Deliveries, EndpointKey
from owed.store.dispatch import Dispatch
from owed.webhooks.pump import POLL, Parts, Pump, Sends
from owed.webhooks.recorder import Recorder
from owed.webhooks.window import Room, Window

logger = logging.getLogger("owed.webhooks")

QUERIES = 6
"""Pumps that ask the database at the same time; the pool has room for the recorder and the look-out beside them."""

MOST_KNOWN = 10_000
"""Endpoints of which we remember how their receivers do."""


class Deliverer:
    """Delivers webhooks.

    Args:
        patience: Seconds that an attempt may take; a claim lasts for two, and some more.
        listener: The only endpoint to serve, which no other worker does (`owed listen`); None to serve all others.
        noted: Is told of every attempt.
    """

    def __init__(
        self,
        pool: Pool,
        sender: Sends,
        schedule: Schedule,
        *,
        patience: float = 15.0,
        listener: tuple[int, str] | None = None,
        noted: Callable[[Claimed, Attempt], None] = lambda delivery, attempt: None,
    ) -> None:
        self._deliveries = Deliveries(pool, 2 * patience + 5, EndpointKey(*listener) if listener else None)
        self._recorder = Recorder(self._deliveries, self._nudge)
        self._pumps: dict[EndpointKey, Pump] = {}
        self._windows: dict[EndpointKey, Window] = {}
        self._parts = Parts(
            self._deliveries,
            Dispatch(self._deliveries),
            self._recorder,
            sender,
            schedule,
            patience,
            IdSource(random.Random(os.urandom(32))),
            asyncio.Semaphore(QUERIES),
            Room(),
            noted,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until told to stop; then finish what is under way, and give back what is only claimed."""
        async with asyncio.TaskGroup() as beside:
            recording = beside.create_task(self._recorder.run())
            async with asyncio.TaskGroup() as pumping:
                await self._look_out(pumping, stop)
                for pump in self._pumps.values():
                    pump.close()
            await self._recorder.settled()
            recording.cancel()

    async def _look_out(self, pumping: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._look(pumping)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await stop.wait()

    async def _look(self, pumping: asyncio.TaskGroup) -> None:
        """Start a pump for each endpoint that has something to do and none yet."""
        try:
            ready = await self._deliveries.ready([endpoint.id for endpoint in self._pumps])
        except (Unavailable, Conflict) as error:
            logger.warning("the database cannot say what is to be delivered: %s", error)
            return
        if len(self._windows) > MOST_KNOWN:
            self._windows.clear()
        for endpoint in ready:
            window = self._windows.setdefault(endpoint, Window())
            self._pumps[endpoint] = Pump(endpoint, window, self._parts)
            pumping.create_task(self._serve(endpoint))

    async def _serve(self, endpoint: EndpointKey) -> None:
        try:
            await self._pumps[endpoint].run()
        except (Unavailable, Conflict, Rejected) as error:
            logger.warning("deliveries to %s pause: %s", endpoint.id, error)
        except Exception:  # whatever it is, the other endpoints must not suffer for it
            logger.exception("deliveries to %s have failed", endpoint.id)
        finally:
            del self._pumps[endpoint]

    def _nudge(self, endpoints: Iterable[EndpointKey]) -> None:
        for endpoint in endpoints:
            if pump := self._pumps.get(endpoint):
                pump.nudge()
