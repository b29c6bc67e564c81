"""A desk: an engine, and a short way to hand commands in and to read what comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import msgspec

from owed.core.command import Command
from owed.core.outcomes import Done, Outcome
from owed.core.stamp import Stamp
from owed.engine.engine import Engine, Limits
from owed.engine.pending import Idempotency, Reply
from owed.engine.store import Store
from owed.model.answer import Answer
from tests.core.samples import Stamps

DONE = "done"


def render(outcome: Outcome) -> Answer:
    """Make an answer as plain as can be; a refusal's is its code and its detail."""
    if isinstance(outcome, Done):
        return Answer(201 if outcome.created else 200, msgspec.json.encode(outcome.object.shown()))
    return Answer(400, f"{outcome.code}: {outcome.detail}".encode())


def word(reply: Reply) -> str:
    """Say in a word what became of a command: done, or the code of the refusal."""
    return DONE if reply.answer.status < 400 else reply.answer.body.decode().partition(":")[0]


class Desk:
    """An engine on a store, that notes how large its batches are."""

    def __init__(self, store: Store, limits: Limits, stamps: Callable[[], Stamp]) -> None:
        self.engine = Engine(store, stamps, limits)
        self.batch_sizes: list[int] = []
        self.engine.batch_sizes = self.batch_sizes.append

    async def ask(self, command: Command, key: str | None = None, fingerprint: bytes = b"", size: int = 0) -> Reply:
        """Hand a command in, and wait for the reply."""
        return await self.engine.submit(command, render, Idempotency(key, fingerprint) if key else None, size=size)

    def hand_in(
        self, command: Command, key: str | None = None, fingerprint: bytes = b"", size: int = 0
    ) -> asyncio.Task[Reply]:
        """Hand a command in, and go on; the task has the reply."""
        return asyncio.create_task(self.ask(command, key, fingerprint, size))

    async def say(self, *commands: Command) -> list[str]:
        """Hand commands in at the same moment, and say in a word what became of each."""
        return words(await asyncio.gather(*map(self.ask, commands)))


def words(replies: Iterable[Reply]) -> list[str]:
    return [word(reply) for reply in replies]


@asynccontextmanager
async def opened(store: Store, limits: Limits | None = None, stamps: Stamps | None = None) -> AsyncIterator[Desk]:
    """Open a desk, and close its engine at the end."""
    desk = Desk(store, limits or Limits(), stamps or Stamps())
    yield desk
    await desk.engine.close()


async def turns(count: int = 20) -> None:
    """Let everything that can go on go on, for some turns of the event loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(it_is_so: Callable[[], bool]) -> None:
    """Let everything go on until something is so."""
    while not it_is_so():  # noqa: ASYNC110  (what it waits for has no event of its own)
        await asyncio.sleep(0.001)
