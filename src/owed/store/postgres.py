"""The store on PostgreSQL: what the engine reads, holds and writes (docs/architecture.md, "The hard cases")."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from owed.core.state import Name, State
from owed.database.pool import Connection, Pool, connect
from owed.engine.store import LOCK_WAIT, AnswerKey, NamesByKey, Unavailable, Unknown, Writing
from owed.model.answer import KeptAnswer
from owed.store import objects, readings, records, search
from owed.store.failures import LOST, translated
from owed.store.statements import Part, Rows, prepared

logger = logging.getLogger("owed.store")

ASK_AGAIN = 0.1
"""Seconds between questions about a writing of unknown outcome."""

ASK_FOR = 8.0
"""Seconds to go on asking: long enough for a server that restarts."""


class HeldByPostgres:
    """An open transaction, with what it holds."""

    def __init__(self, connection: Connection) -> None:
        self.state = State()
        self.answers: dict[AnswerKey, KeptAnswer] = {}
        self.busy: set[AnswerKey] = set()
        self.writing: Writing | None = None
        self._connection = connection

    async def hold(self, names: list[Name], keys: NamesByKey) -> None:
        """Take the keys that are free, then the objects, in one order for all workers.

        What a busy key names is left alone: to wait for it would be to wait for whoever has the key.
        """
        for row in await self._connection.fetch(records.CLAIM_KEYS, *columns(sorted(keys), 2)):
            key = AnswerKey(row["tenant_id"], row["key"])
            if not row["free"]:
                self.busy.add(key)
            elif row["status"] is not None:
                self.answers[key] = records.kept_answer(row)
        wanted = {*names, *(name for key in keys if key not in self.busy for name in keys[key])}
        if wanted:
            self.state = State(await objects.hold(self._connection, wanted))
            await readings.add(self._connection, wanted, self.state)

    async def write(self, writing: Writing) -> None:
        """Save it all; it counts once the transaction is left."""
        self.writing = writing
        with translated():
            await save(self._connection, writing)


class PostgresStore:
    """A store on a pool of connections."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        self._pool = pool
        self._dsn = dsn

    async def read(self, names: list[Name]) -> State:
        """Load the objects as they stand, held by nobody."""
        if not names:
            return State(knows_claims=False)
        with translated():
            async with self._pool.connection() as connection:
                state = State(await objects.load_to_change(connection, names), knows_claims=False)
                await readings.add(connection, names, state)
                return state

    async def write(self, writing: Writing) -> None:
        """Save it all in one guarded statement, which is its own transaction."""
        with translated():
            async with self._pool.connection() as connection, self._certain(connection, writing):
                await save(connection, writing)

    @asynccontextmanager
    async def held(
        self, names: list[Name], keys: NamesByKey, lock_wait: float = LOCK_WAIT
    ) -> AsyncIterator[HeldByPostgres]:
        """Hold keys and objects in a transaction, saved when it is left."""
        with translated():
            async with self._pool.connection() as connection, transaction(connection, lock_wait):
                held = HeldByPostgres(connection)
                await held.hold(names, keys)
                yield held
                async with self._certain(connection, held.writing):
                    await connection.execute("COMMIT")

    @asynccontextmanager
    async def _certain(self, connection: Connection, writing: Writing | None) -> AsyncIterator[None]:
        """Where the connection dies while something is saved, find out whether it was: a failure says it was not."""
        try:
            with translated():
                yield
        except Unavailable:
            if writing is None or not await self._was_written(connection, writing):
                raise

    async def _was_written(self, connection: Connection, writing: Writing) -> bool:
        connection.raw.terminate()
        deadline = asyncio.get_running_loop().time() + ASK_FOR
        while asyncio.get_running_loop().time() < deadline:
            with suppress(Unavailable), translated():
                return await ask_whether_written(self._dsn, connection, writing)
            await asyncio.sleep(ASK_AGAIN)
        raise Unknown


@asynccontextmanager
async def transaction(connection: Connection, lock_wait: float, *, durable: bool = True) -> AsyncIterator[None]:
    """Begin a transaction that waits so long for a lock; whoever leaves without a commit rolls it back.

    Args:
        durable: Whether its commit waits for the disk. One that does not may be lost where PostgreSQL crashes, with all
            that committed after it.
    """
    # What is held is held in the order of its keys: to be sorted, and not found by a walk along the whole index.
    settings = f"SET LOCAL lock_timeout = {round(lock_wait * 1000)}; SET LOCAL enable_sort = on"
    if not durable:
        settings += "; SET LOCAL synchronous_commit = off"
    await connection.execute(f"BEGIN; {settings}")
    try:
        yield
    finally:
        if not connection.raw.is_closed() and connection.raw.is_in_transaction():
            with suppress(*LOST):
                await connection.execute("ROLLBACK")


async def save(connection: Connection, writing: Writing) -> None:
    """Write the rows of a batch. All workers write what is guarded in one order; the rest hangs on an object."""
    state = writing.state
    new_terms, old_terms = search.term_changes(state)
    parts: tuple[tuple[Part, Rows], ...] = (
        (records.KEEP_ANSWERS, [records.answer_row(key, writing.answers[key]) for key in sorted(writing.answers)]),
        *objects.work(state),
        (search.INSERT_TERMS, new_terms),
        (search.DELETE_TERMS, old_terms),
        (records.INSERT_TRANSFERS, [records.transfer_row(transfer) for transfer in state.transfers]),
        (records.INSERT_EVENTS, [records.event_row(event) for event in state.events]),
        (records.INSERT_ATTRIBUTIONS, [records.attribution_row(words) for words in state.attributions]),
    )
    work = [(part, rows) for part, rows in parts if rows]
    sql, values = prepared(work)
    await connection.fetch(sql, *values)


async def ask_whether_written(dsn: str, lost: Connection, writing: Writing) -> bool:
    """Ask, over a connection of its own, whether the writing that a lost connection was at has been saved.

    Its backend is ended first: while it runs, it may still commit.
    """
    asking = await connect(dsn)
    try:
        if await asking.fetch(records.END_BACKEND, lost.pid, lost.backend_start):
            raise Unavailable
        return bool((await asking.fetch(records.WAS_WRITTEN, *records.evidence(writing)))[0][0])
    finally:
        asking.raw.terminate()


def columns(rows: list[AnswerKey], width: int) -> list[tuple[object, ...]]:
    """Turn rows into columns, as `unnest` takes them."""
    return list(zip(*rows, strict=True)) or [()] * width
