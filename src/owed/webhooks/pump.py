"""The pump of one endpoint: claims what is due for it, sends it, and hands on what became of it."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import msgspec

from owed.core.retries import Schedule, rest, retry
from owed.model.delivery import Attempt, Claimed, EndpointKey, Fate, Outcome, Receiver
from owed.model.identifiers import ATTEMPT, IdSource, milliseconds
from owed.store.deliveries import Deliveries, Lane
from owed.store.dispatch import Dispatch
from owed.store.receivers import Receivers, Standing
from owed.webhooks.recorder import Recorder
from owed.webhooks.sender import Message
from owed.webhooks.window import Room, Share, Window

logger = logging.getLogger("owed.webhooks")

LONGEST_STAY = 2.0
"""Seconds after which a lane is recorded as far as it has come, and claimed anew."""


class Sends(Protocol):
    """What sends a message."""

    async def send(self, message: Message) -> Attempt:
        """Send it, and say what became of that."""


class Parts(NamedTuple):
    """What all pumps of a worker share.

    Attributes:
        patience: Seconds that an attempt may take.
        queries: Bounds the pumps that ask the database at the same time.
        room: Bounds the requests to all receivers at the same time.
        noted: Is told of every attempt.
    """

    receivers: Receivers
    deliveries: Deliveries
    dispatch: Dispatch
    recorder: Recorder
    sender: Sends
    schedule: Schedule
    patience: float
    ids: IdSource
    queries: Share
    room: Room
    noted: Callable[[Claimed, Attempt], None]


class Run(NamedTuple):
    """A lane that was claimed.

    Attributes:
        claimed_at: The time of the monotonic clock.
        begun_by: The time after which no attempt may begin: the claim might end before it does.
    """

    lane: Lane
    claimed_at: float
    begun_by: float


class Pump:
    """Serves one endpoint for as long as there is something to do for it.

    Args:
        redacted_at: When events of its tenant were redacted last.
    """

    def __init__(self, endpoint: EndpointKey, window: Window, parts: Parts, redacted_at: datetime | None) -> None:
        self._endpoint, self._window, self._parts = endpoint, window, parts
        self._redacted_at, self._recalled_at = redacted_at, 0.0
        self._queue: deque[Run] = deque()
        self._runners: set[asyncio.Task[None]] = set()
        self._nudged = asyncio.Event()
        self._closing = False
        self._receiver: Receiver | None = None

    def nudge(self) -> None:
        """Look again: there may be something to do."""
        self._nudged.set()

    def heed(self, standing: Standing | None) -> None:
        """Look again where the endpoint has changed or has something to do; begin nothing where it is not open.

        Where events were redacted, what is claimed is given back, to be claimed as it is now.
        """
        if standing is None:
            self.close()
            return
        if standing.redacted_at != self._redacted_at:
            self._redacted_at, self._recalled_at = standing.redacted_at, time.monotonic()
        if standing.has_work or self._receiver is None or standing.version != self._receiver.version:
            self.nudge()

    def close(self) -> None:
        """Begin nothing new."""
        self._closing = True
        self._nudged.set()

    async def run(self) -> None:
        """Serve the endpoint; what was claimed and not attempted is released at the end."""
        try:
            while not self._closing:
                has_more = await self._fill()
                self._start_runners()
                if not has_more and not self._runners:
                    break
                if not has_more or self._room() == 0:
                    await self._wait()
        finally:
            await self._parts.recorder.add([released(each) for run in self._queue for each in run.lane])
            self._queue.clear()
            await asyncio.gather(*self._runners, return_exceptions=True)
            await self._parts.recorder.settled()

    def _room(self) -> int:
        """Count the lanes to claim: none while a good half of what the window wants ahead is there."""
        room = 2 * self._window.size - len(self._queue) - len(self._runners)
        return room if 2 * room > self._window.size else 0

    async def _fill(self) -> bool:
        """Claim lanes as far as there is room, for the endpoint as it stands, and tell whether there may be more."""
        parts = self._parts
        async with parts.queries.one(self._endpoint.tenant_id):
            self._receiver = await parts.receivers.find(self._endpoint, datetime.now(UTC))
            if self._receiver is None:
                self._closing = True
                return False
            if self._receiver.is_resuming:
                return await parts.dispatch.step(self._endpoint)
            room = self._room()
            room -= await self._claim(room)
            if room and not await parts.dispatch.step(self._endpoint):
                return False
            # What is due is more urgent than what waits behind it, of which there may be any amount.
            return room == 0 or bool(await self._claim(room)) or not self._runners

    async def _claim(self, room: int) -> int:
        if room == 0:
            return 0
        deliveries = self._parts.deliveries
        now = time.monotonic()
        begun_by = now + deliveries.lease - self._parts.patience - 1
        lanes = await deliveries.claim(self._endpoint, room, random.getrandbits(63))
        self._queue.extend(Run(lane, now, begun_by) for lane in lanes)
        return len(lanes)

    async def _wait(self) -> None:
        await self._nudged.wait()
        self._nudged.clear()

    def _start_runners(self) -> None:
        for _ in range(min(len(self._queue), self._window.size - len(self._runners))):
            runner = asyncio.create_task(self._work())
            self._runners.add(runner)
            runner.add_done_callback(self._ended)

    def _ended(self, runner: asyncio.Task[None]) -> None:
        self._runners.discard(runner)
        self._nudged.set()
        if not runner.cancelled() and (error := runner.exception()):
            logger.error("a delivery to %s has failed", self._endpoint.id, exc_info=error)

    async def _work(self) -> None:
        """Serve lanes of the queue, one after another, while the window has room for it."""
        while self._queue and len(self._runners) <= self._window.size:
            await self._serve(self._queue.popleft())
            if self._room():
                self._nudged.set()

    async def _serve(self, run: Run) -> None:
        """Attempt the deliveries of a lane in their order, up to the first that fails."""
        outcomes: list[Outcome] = []
        begun_by = min(run.begun_by, time.monotonic() + LONGEST_STAY)
        for delivery in run.lane:
            async with self._parts.room.one(self._endpoint.tenant_id, self._window):
                receiver = self._receiver
                is_over = time.monotonic() > begun_by or run.claimed_at <= self._recalled_at
                if self._closing or receiver is None or is_over:
                    break
                outcome = await self._deliver(receiver, delivery)
                outcomes.append(msgspec.structs.replace(outcome, resumed_at=receiver.resumed_at))
            if outcomes[-1].fate is not Fate.DELIVERED:
                break
        outcomes += map(released, run.lane[len(outcomes) :])
        await self._parts.recorder.add(outcomes)

    async def _deliver(self, receiver: Receiver, delivery: Claimed) -> Outcome:
        if delivery.body is None:  # the event is forgotten: there is nothing left to deliver
            return Outcome(delivery, Fate.DELIVERED)
        if delivery.is_late:
            when = delivery.retry_at
            return Outcome(delivery, Fate.RETRIED, due_at=when, retry_at=when, out_of_order=True)
        message = Message(receiver.url, delivery.event_id, delivery.body, receiver.secrets, receiver.mode)
        attempt = await self._parts.sender.send(message)
        self._learn(delivery, attempt)
        return self._outcome(delivery, attempt)

    def _learn(self, delivery: Claimed, attempt: Attempt) -> None:
        self._window.note(succeeded=attempt.succeeded, seconds=attempt.duration_ms / 1000)
        self._parts.noted(delivery, attempt)
        if attempt.is_gone or attempt.retry_after is not None:
            self.close()

    def _outcome(self, delivery: Claimed, attempt: Attempt) -> Outcome:
        """Say what becomes of a delivery after an attempt."""
        now = datetime.now(UTC)
        attempt_id = self._parts.ids.new(ATTEMPT, milliseconds(now))
        if attempt.succeeded:
            return Outcome(delivery, Fate.DELIVERED, attempt, attempt_id, out_of_order=delivery.out_of_order)
        again = retry(
            self._parts.schedule,
            attempts=delivery.attempts + 1,
            first_attempt_at=delivery.first_attempt_at or attempt.attempted_at,
            out_of_order=delivery.out_of_order,
            now=now,
            chance=random.random(),
            retry_after=attempt.retry_after,
        )
        asked = None if attempt.retry_after is None else rest(attempt.retry_after)
        if again is None:
            return Outcome(delivery, Fate.FAILED, attempt, attempt_id, out_of_order=True, rest=asked)
        times = again.due_at, again.retry_at
        return Outcome(delivery, Fate.RETRIED, attempt, attempt_id, *times, again.out_of_order, asked)


def released(delivery: Claimed) -> Outcome:
    """Give a delivery back as it was claimed: it is due at once, or behind the first of its lane."""
    return Outcome(delivery, Fate.RELEASED)
