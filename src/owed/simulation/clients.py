"""Clients: they lose answers, hang up and try again, always with the same key, until they have an answer."""

import asyncio
from typing import Any

from owed.core.command import Command
from owed.engine.pending import Reply
from owed.simulation.audit import Audit
from owed.simulation.diary import Diary
from owed.simulation.requests import idempotency, render
from owed.simulation.steps import PATIENCE, Ask
from owed.simulation.workers import Worker

MOST_TRIES = 20
"""How often a client tries: long after all harm is over."""

PAUSE = 0.4
"""Seconds before the second try; each further pause is longer."""

WIDEST = 150
"""Characters of an answer that the diary shows."""


class Client:
    """Whoever sends one request."""

    def __init__(self, ask: Ask, command: Command, workers: list[Worker], audit: Audit, diary: Diary) -> None:
        self.ask = ask
        self._command = command
        self._workers, self._audit, self._diary = workers, audit, diary

    async def see_through(self, worker: int, lost: int = 0) -> None:
        """Send the request until it is answered. Without a key, who has lost an answer does not dare to try again.

        Args:
            worker: The one to begin with; each further try goes to the next.
            lost: How many answers are lost on the way.
        """
        for tries in range(MOST_TRIES):
            patience = min(self.ask.patience * 2**tries, PATIENCE)
            reply = await self._try(self._workers[(worker + tries) % len(self._workers)], patience)
            if reply is not None and lost:
                self._note("the answer is lost")
                reply, lost = None, lost - 1
            if reply is not None:
                self._audit.answered(self.ask, reply)
                if not reply.passing:
                    return
            if self.ask.key is None:
                return
            await asyncio.sleep(PAUSE * (tries + 1))
        self._audit.note(f"request {self.ask.number} was tried {MOST_TRIES} times, and never answered")

    async def _try(self, worker: Worker, patience: float) -> Reply | None:
        """Send the request once; None where no answer comes back."""
        if not worker.is_up:
            return None
        sent = worker.engine.submit(self._command, render, idempotency(self.ask), str(self.ask.number))
        answer, died = asyncio.ensure_future(sent), worker.died
        first: set[asyncio.Future[Any]] = {answer, died}
        await asyncio.wait(first, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            self._note("the connection is lost" if died.done() else "the client hangs up")
            answer.cancel()
            return None
        if error := answer.exception():
            self._audit.note(f"request {self.ask.number} raised {error!r}")
            return None
        reply = answer.result()
        how, body = " again" if reply.replayed else "", reply.answer.body.decode()
        self._note(f"worker {worker.number} answers {reply.answer.status}{how}: {body[:WIDEST]}")
        return reply

    def _note(self, line: str) -> None:
        self._diary.note(f"request {self.ask.number}: {line}")
