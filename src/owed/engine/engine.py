"""The batch loop: group commit for commands (docs/architecture.md, "One idea" and "The hard cases")."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from itertools import chain

import msgspec

from owed.core.command import Command
from owed.core.journal import STARTING
from owed.core.outcomes import Code, Refused
from owed.core.stamp import Stamp
from owed.core.state import Name
from owed.engine.attempts import LATE, Attempts
from owed.engine.deciding import BUG
from owed.engine.keys import RunningKeys
from owed.engine.pending import Idempotency, Pending, Render, Reply
from owed.engine.queue import TenantQueues
from owed.engine.store import Store
from owed.model.tenant_settings import TenantSettings

logger = logging.getLogger("owed.engine")

FULL = Refused(Code.UNAVAILABLE, "Too many requests are waiting. Nothing was done; try again shortly.")
CLOSING = Refused(Code.UNAVAILABLE, "The server is shutting down. Nothing was done; try again.")


SWEEP_EVERY = 1.0
"""Seconds between two looks for commands that have waited too long."""


class Limits(msgspec.Struct, frozen=True):
    """The bounds of the engine.

    Attributes:
        batch: Commands in a batch at most; each may take an advisory lock, and the lock table is finite.
        batch_bytes: Of request bodies in a batch.
        in_flight: Batches at the same time: while one commits, the other is decided.
        waiting: Commands that wait for a batch; the next is refused at once. One tenant may take half of the places.
        patience: Seconds a command may wait before its batch begins.
    """

    batch: int = 256
    batch_bytes: int = 8 * 2**20
    in_flight: int = 2
    waiting: int = 5_000
    patience: float = 10.0


class Engine:
    """Carries out commands, many in one transaction, each with an outcome of its own."""

    def __init__(self, store: Store, stamp: Callable[[], Stamp], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.queue = TenantQueues()
        self.batch_sizes: Callable[[int], None] = lambda size: None
        self.stamp = stamp
        self._attempts = Attempts(store, stamp)
        self._keys = RunningKeys()
        self._touched: dict[Name, int] = {}
        self._batches: set[asyncio.Task[None]] = set()
        self._aside: set[asyncio.Task[None]] = set()
        self._start_is_due = False
        self._sweep_is_due = False
        self._closing = False

    async def submit(
        self,
        command: Command,
        render: Render,
        idempotency: Idempotency | None = None,
        request_id: str = "",
        size: int = 0,
        settings: TenantSettings = STARTING,
    ) -> Reply:
        """Carry out a command, exactly once for its key, and give the reply of it.

        A caller that goes away cancels nothing: the command is carried out all the same.

        Args:
            command: What to do.
            render: Makes the answer of an outcome; the answer is kept beside the effects, in their transaction.
            idempotency: The client's key for the request, if it gave one.
            request_id: What a fault is logged under.
            size: Bytes of the request's body.
            settings: What the merchant has decided, as the caller knows it.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.limits.patience
        pending = Pending(command, render, idempotency, request_id, size, deadline, settings)
        if early := await self._keys.enter(pending):
            return early
        if refusal := self._refusal(command.tenant_id):
            pending.refuse(refusal)
        else:
            self.queue.put(pending)
            self._start_soon()
            self._sweep_later()
        return await asyncio.shield(pending.reply)

    async def close(self) -> None:
        """Refuse what comes from now on, and wait until everything before it has its answer."""
        self._closing = True
        self._start()
        while running := self._batches | self._aside:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)

    def _refusal(self, tenant_id: int) -> Refused | None:
        if self._closing:
            return CLOSING
        most = self.limits.waiting
        return FULL if len(self.queue) >= most or self.queue.length_of(tenant_id) >= most / 2 else None

    def _sweep_later(self) -> None:
        if not self._sweep_is_due:
            self._sweep_is_due = True
            asyncio.get_running_loop().call_later(SWEEP_EVERY, self._sweep)

    def _sweep(self) -> None:
        """Refuse what has waited too long, even while no batch can begin."""
        self._sweep_is_due = False
        for pending in self.queue.overdue(asyncio.get_running_loop().time()):
            pending.refuse(LATE)
        if self.queue:
            self._sweep_later()

    def _start_soon(self) -> None:
        """Start a batch when this turn of the loop is over, with all the requests that arrived in it."""
        if not self._start_is_due and len(self._batches) < self.limits.in_flight:
            self._start_is_due = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._start_is_due = False
        while self.queue and len(self._batches) < self.limits.in_flight:
            batch = self.queue.take(self.limits.batch, self.limits.batch_bytes, self._touched)
            if not batch:
                return
            for name in chain.from_iterable(pending.names for pending in batch):
                self._touched[name] = self._touched.get(name, 0) + 1
            self._begin(self._run(batch), self._batches)

    def _begin(self, work: Coroutine[None, None, None], running: set[asyncio.Task[None]]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        running.add(task)
        task.add_done_callback(running.discard)
        task.add_done_callback(lambda _: self._start())

    async def _run(self, batch: list[Pending]) -> None:
        """See a batch through: whatever happens, every command of it is answered or set aside."""
        self.batch_sizes(len(batch))
        aside: list[Pending] = []
        try:
            aside = await self._attempts.carry_out(self._punctual(batch))
        except Exception:
            logger.exception("a batch failed", extra={"request_ids": [pending.request_id for pending in batch]})
        for pending in batch:
            if pending not in aside:
                self._release(pending)
        for pending in aside:
            self._begin(self._persist(pending), self._aside)

    async def _persist(self, pending: Pending) -> None:
        """See a command through that somebody else holds up, without holding up anybody."""
        try:
            await self._attempts.persist(pending)
        except Exception:
            logger.exception("a command that was set aside failed", extra={"request_id": pending.request_id})
        self._release(pending)

    def _release(self, pending: Pending) -> None:
        pending.refuse(BUG)
        for name in pending.names:
            self._touched[name] -= 1
            if not self._touched[name]:
                del self._touched[name]

    def _punctual(self, batch: list[Pending]) -> list[Pending]:
        """Refuse what has waited too long before it is begun, and give the rest."""
        now = asyncio.get_running_loop().time()
        for pending in batch:
            if pending.deadline < now:
                pending.refuse(LATE)
        return [pending for pending in batch if not pending.reply.done()]
