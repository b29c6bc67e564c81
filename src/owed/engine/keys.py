"""Idempotency keys on their way through this process: the same key twice waits for the first (contract, 1.4)."""

import asyncio

from owed.core.outcomes import Code, Refused
from owed.engine.pending import Pending, Reply
from owed.engine.store import AnswerKey
from owed.model.answer import KeptAnswer

PATIENCE = 5.0
"""Seconds that a request waits for an earlier one with its key."""

IN_USE = Refused(
    Code.IDEMPOTENCY_KEY_IN_USE, "An earlier request with this Idempotency-Key is still running; try again shortly."
)
REUSED = Refused(
    Code.IDEMPOTENCY_KEY_REUSED,
    "This Idempotency-Key was used for another request. Nothing was done; send a fresh key for a fresh request.",
)


class RunningKeys:
    """The keys whose first request has not been answered yet."""

    def __init__(self) -> None:
        self._running: dict[AnswerKey, Pending] = {}

    async def enter(self, pending: Pending) -> Reply | None:
        """Enter with a key, waiting for an earlier request that has it.

        Returns:
            None where the key is free, and held from now until the request is answered; otherwise the reply that the
            request gets at once.
        """
        key = pending.answer_key
        if key is None:
            return None
        loop = asyncio.get_running_loop()
        deadline = pending.arrived_at + PATIENCE
        while first := self._running.get(key):
            await asyncio.wait({first.reply}, timeout=max(deadline - loop.time(), 0))
            if not first.reply.done():
                return pending.refusal(IN_USE)
            if first.reply.result().kept:
                return replay(pending, first.kept(first.reply.result().answer))
        self._running[key] = pending
        pending.reply.add_done_callback(lambda _: self._running.pop(key))  # before any who waits for it goes on
        return None


def replay(pending: Pending, kept: KeptAnswer) -> Reply:
    """Give the kept answer again, if it was the same request that it answered."""
    if kept.fingerprint != pending.fingerprint:
        return pending.refusal(REUSED)
    return Reply(kept.answer, kept=True, replayed=True)
