"""An endpoint, events that happen, and a worker's steps on them, in a real database."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from owed.database.pool import Pool
from owed.model.delivery import Attempt, Claimed, EndpointKey, Fate, Outcome
from owed.model.identifiers import ATTEMPT, EVENT, IdSource, milliseconds
from owed.store.deliveries import Deliveries, Lane
from owed.store.dispatch import Dispatch
from owed.store.receivers import Receivers
from tests.store.workers import pooled, session

ADD_ENDPOINT = """
    INSERT INTO webhook_endpoint (tenant_id, id, url, types, enabled, secrets, is_listener, starts_at, resumed_at,
                                  version, created_at, updated_at)
    VALUES ($1, $2, 'https://example.com', $3, true, '[]', false, $4, $4, 1, $4, $4)
"""

ADD_EVENT = """
    INSERT INTO event (tenant_id, object_id, sequence, id, type, body, recorded_at)
    VALUES ($1, $2, $3, $4, $5, '{}', $6)
"""

BROKEN_LANES = """
    -- Lanes with two deliveries that are due, or with some that wait for none.
    SELECT lane
      FROM delivery
     WHERE tenant_id = $1
     GROUP BY endpoint_id, lane
    HAVING count(due_at) > 1 OR (count(due_at) = 0 AND count(*) > count(failed_at))
"""

PAST = datetime(2026, 1, 1, tzinfo=UTC)

ids = IdSource(random.Random(5))


class Queue:
    """One endpoint's deliveries."""

    def __init__(self, pool: Pool, watcher: "asyncpg.Connection[Any]", tenant: int, lease: float = 30.0) -> None:
        self.endpoint = EndpointKey(tenant, f"we_{tenant}")
        self.deliveries = Deliveries(pool, lease)
        self.receivers = Receivers(pool)
        self.dispatch = Dispatch(pool)
        self.watcher = watcher
        self._one_at_a_time = asyncio.Lock()
        self._sequences: dict[str, int] = {}

    async def happen(self, *objects: str, kind: str = "bill.updated") -> list[str]:
        """Let an event happen to each of some objects, and give the ids of the events."""
        made = []
        for name in objects:
            self._sequences[name] = sequence = self._sequences.get(name, 0) + 1
            now = datetime.now(UTC)
            made.append(ids.new(EVENT, milliseconds(now)))
            row = (self.endpoint.tenant_id, name, sequence, made[-1], kind, now)
            async with self._one_at_a_time:
                await self.watcher.execute(ADD_EVENT, *row)
        return made

    async def take_up(self) -> None:
        """Make deliveries of all that there is to deliver."""
        while await self.dispatch.step(self.endpoint):
            pass

    async def claim(self, lanes: int = 100, token: int = 1) -> list[Lane]:
        return await self.deliveries.claim(self.endpoint, lanes, token)

    async def record(self, *outcomes: Outcome) -> list[str]:
        """Record outcomes, and give why the endpoint was disabled, if it was."""
        return [reason for _, reason in await self.deliveries.record(outcomes)]

    async def change(self, assignments: str, *values: object) -> None:
        """Change the endpoint as a merchant would."""
        sql = f"UPDATE webhook_endpoint SET {assignments} WHERE tenant_id = $1 AND id = $2"
        await self.watcher.execute(sql, *self.endpoint, *values)

    async def redeliver(self, event: str) -> None:
        await self._replay("event_id, only_failed", "$3, false", event)

    async def replay(self, since: datetime, until: datetime, *, only_failed: bool = False) -> None:
        await self._replay("since, until, only_failed, types", "$3, $4, $5, '*'", since, until, only_failed)

    async def waiting(self) -> dict[str, asyncpg.Record]:
        """Give the deliveries that there are, by their events."""
        async with self._one_at_a_time:
            rows = await self.watcher.fetch("SELECT * FROM delivery WHERE tenant_id = $1", self.endpoint.tenant_id)
        return {row["event_id"]: row for row in rows}

    async def broken_lanes(self) -> list[str]:
        return [row["lane"] for row in await self.watcher.fetch(BROKEN_LANES, self.endpoint.tenant_id)]

    async def _replay(self, columns: str, values: str, *given: object) -> None:
        sql = f"""
            INSERT INTO replay (tenant_id, id, endpoint_id, created_at, {columns})
            VALUES ($1, '{ids.new("rep_", 0)}', $2, now(), {values})
        """
        await self.watcher.execute(sql, *self.endpoint, *given)


@asynccontextmanager
async def queue(dsn: str, tenant: int, *, types: str = "*", lease: float = 30.0) -> AsyncIterator[Queue]:
    """Open the queue of a new endpoint."""
    async with pooled(dsn) as pool, session(dsn) as watcher:
        opened = Queue(pool, watcher, tenant, lease)
        await watcher.execute(ADD_ENDPOINT, *opened.endpoint, types, PAST)
        yield opened


def attempt(status: int = 200, *, error: str | None = None, retry_after: float | None = None) -> Attempt:
    return Attempt(datetime.now(UTC), 12, "192.0.2.1", status, b"answer", error, retry_after)


def delivered(delivery: Claimed) -> Outcome:
    return Outcome(delivery, Fate.DELIVERED, attempt(), attempt_id())


def retried(delivery: Claimed, seconds: float = 60.0, *, out_of_order: bool = False) -> Outcome:
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return Outcome(delivery, Fate.RETRIED, attempt(500), attempt_id(), at, at, out_of_order=out_of_order)


def failed(delivery: Claimed, status: int = 500) -> Outcome:
    return Outcome(delivery, Fate.FAILED, attempt(status), attempt_id(), out_of_order=True)


def released(delivery: Claimed) -> Outcome:
    return Outcome(delivery, Fate.RELEASED)


def attempt_id() -> str:
    return ids.new(ATTEMPT, milliseconds(datetime.now(UTC)))


def events_of(lanes: Iterable[Lane]) -> list[list[str]]:
    """Give the events of lanes, in the order of their first."""
    return sorted([delivery.event_id for delivery in lane] for lane in lanes)
