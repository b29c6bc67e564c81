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
from owed.model.delivery import Attempt, Claimed, EndpointKey
from owed.model.identifiers import IdSource
from owed.store.deliveries import Deliveries
from owed.store.dispatch import Dispatch
from owed.store.receivers import Receivers
from owed.webhooks.pump import Parts, Pump, Sends
from owed.webhooks.recorder import Recorder
from owed.webhooks.window import Room, Share, Window

logger = logging.getLogger("owed.webhooks")

POLL = 0.1
"""Seconds between two looks for something to do."""

PAUSE = 1.0
"""Seconds in which an endpoint is left alone whose deliveries could not go on."""

QUERIES, OF_ONE = 6, 3
"""Pumps that ask the database at the same time, and those of one merchant; the pool has room for the recorder and the
look-out beside them."""

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
        listener: EndpointKey | None = None,
        noted: Callable[[Claimed, Attempt], None] = lambda delivery, attempt: None,
    ) -> None:
        deliveries = Deliveries(pool, 2 * patience + 5)
        self._receivers = Receivers(pool, listener)
        self._recorder = Recorder(deliveries, self._nudge)
        self._pumps: dict[EndpointKey, Pump] = {}
        self._windows: dict[EndpointKey, Window] = {}
        self._parts = Parts(
            receivers=self._receivers,
            deliveries=deliveries,
            dispatch=Dispatch(pool),
            recorder=self._recorder,
            sender=sender,
            schedule=schedule,
            patience=patience,
            ids=IdSource(random.Random(os.urandom(32))),
            queries=Share(QUERIES, OF_ONE),
            room=Room(),
            noted=noted,
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
        """Have a pump for each endpoint that has something to do, and let it know of that and of every change."""
        try:
            found = await self._receivers.look(self._pumps)
        except (Unavailable, Conflict) as error:
            logger.warning("the database cannot say what is to be delivered: %s", error)
            return
        for endpoint, pump in self._pumps.items():
            pump.heed(found.pop(endpoint, None))
        for endpoint, standing in found.items():
            self._pumps[endpoint] = Pump(endpoint, self._window(endpoint), self._parts, standing.redacted_at)
            pumping.create_task(self._serve(endpoint))

    def _window(self, endpoint: EndpointKey) -> Window:
        """Give what is known of a receiver, for as long as there is room to remember it."""
        if len(self._windows) > MOST_KNOWN:
            self._windows.clear()
        return self._windows.setdefault(endpoint, Window())

    async def _serve(self, endpoint: EndpointKey) -> None:
        """Serve an endpoint; where that fails, leave it alone for a while."""
        try:
            await self._pumps[endpoint].run()
        except (Unavailable, Conflict, Rejected) as error:
            logger.warning("deliveries to %s pause: %s", endpoint.id, error)
            await asyncio.sleep(PAUSE)
        except Exception:  # whatever it is, the other endpoints must not suffer for it
            logger.exception("deliveries to %s have failed", endpoint.id)
            await asyncio.sleep(PAUSE)
        finally:
            del self._pumps[endpoint]

    def _nudge(self, endpoints: Iterable[EndpointKey]) -> None:
        for endpoint in endpoints:
            if pump := self._pumps.get(endpoint):
                pump.nudge()
