"""Retention: what is kept for a time only, and forgotten in small steps that hold no long lock.

Rows are found by their ids, which hold the time of their creation: no index on times is needed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

import asyncpg
import msgspec

from owed.database.pool import Pool
from owed.model.identifiers import ATTEMPT, EVENT, REPLAY, id_at, milliseconds
from owed.store.deliveries import PROMOTE
from owed.store.failures import translated
from owed.store.listeners import delete_unseen
from owed.store.maintenance import regularly
from owed.store.postgres import transaction
from owed.store.tables import arrays

FORGET_EVERY = 60.0
"""Seconds between two rounds; a round takes steps until one finds nothing."""

STEP = 1_000
"""Rows that a step deletes at most."""

PAUSE = 0.05
"""Seconds between two steps, for everybody else."""

LOCK_WAIT = 0.25
"""Seconds to wait for an endpoint: who has it is done in milliseconds, or it is left for the next time."""

Place = TypeVar("Place")


class IdPlace(NamedTuple):
    """A tenant, and one of its ids: all up to it is done."""

    tenant_id: int = 0
    id: str = ""


class LanePlace(NamedTuple):
    """A place in the lanes of an endpoint: all up to it is done."""

    lane: str = ""
    position: int = 0
    sequence: int = 0


class Waiting(NamedTuple):
    """An endpoint with deliveries. Those of events from before an id are to go."""

    tenant_id: int
    id: str
    before: str


OLD = """
    -- The oldest rows from before an id, tenant by tenant, after a place in that order.
      WITH old AS MATERIALIZED (
    SELECT found.tenant_id, found.id
      FROM tenant
     CROSS JOIN LATERAL (
           SELECT tenant_id, id
             FROM {table}
            WHERE tenant_id = tenant.id AND id < $1 AND id > CASE WHEN tenant.id = $2 THEN $3 ELSE '' END
              AND {condition}
            ORDER BY id
            LIMIT $4
              FOR UPDATE SKIP LOCKED) AS found
     WHERE tenant.id >= $2
     ORDER BY tenant.id
     LIMIT $4
         )
    DELETE FROM {table}
     USING old
     WHERE {table}.tenant_id = old.tenant_id AND {table}.id = old.id
 RETURNING {table}.tenant_id, {table}.id
"""

EVENTS = OLD.format(table="event", condition="true")
ATTEMPTS = OLD.format(table="delivery_attempt", condition="true")
REPLAYS = OLD.format(
    table="replay",
    condition="""(finished_at IS NOT NULL
                   OR NOT EXISTS (SELECT FROM webhook_endpoint AS endpoint
                                   WHERE endpoint.tenant_id = replay.tenant_id AND endpoint.id = replay.endpoint_id
                                     AND deleted_at IS NULL))""",
)

WITH_DELIVERIES = """
    -- The endpoints that have deliveries, each with the id of an event: deliveries of those before it are to go. Of an
    -- endpoint that is deleted, all are.
    SELECT tenant_id, id, CASE WHEN deleted_at IS NULL THEN $1 ELSE '~' END AS before
      FROM webhook_endpoint AS endpoint
     WHERE EXISTS (SELECT FROM delivery
                    WHERE delivery.tenant_id = endpoint.tenant_id AND delivery.endpoint_id = endpoint.id)
"""

HOLD = """
    -- As all do who add deliveries to an endpoint or take them away. One that somebody else holds has its next turn.
    SELECT FROM webhook_endpoint WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE SKIP LOCKED
"""

DELIVERIES = """
    -- A step through the deliveries of an endpoint, lane by lane, which is the only way through them: it deletes those
    -- of events from before an id, and tells how far it has come and which lanes have lost their first. What a worker
    -- has claimed is left to it, but where the endpoint is gone.
      WITH examined AS MATERIALIZED (
    SELECT ctid AS row, lane, position, sequence, event_id
      FROM delivery
     WHERE tenant_id = $1 AND endpoint_id = $2 AND (lane, position, sequence) > ($4, $5, $6)
     ORDER BY lane, position, sequence
     LIMIT $7
         ), deleted AS (
    DELETE FROM delivery
     USING examined
     WHERE delivery.ctid = examined.row AND examined.event_id < $3 AND (delivery.claim IS NULL OR $3 = '~')
 RETURNING delivery.lane, delivery.due_at
         )
    SELECT examined.lane, examined.position, examined.sequence,
           ARRAY(SELECT lane FROM deleted WHERE due_at IS NOT NULL) AS bereft
      FROM examined
     ORDER BY lane DESC, position DESC, sequence DESC
     LIMIT 1
"""

ENDPOINTS = """
    DELETE FROM webhook_endpoint AS endpoint
     WHERE deleted_at < $1
       AND NOT EXISTS (SELECT FROM delivery
                        WHERE delivery.tenant_id = endpoint.tenant_id AND delivery.endpoint_id = endpoint.id)
"""


class Retention(msgspec.Struct, frozen=True):
    """How long is kept what is not kept for ever."""

    events: timedelta
    attempts: timedelta


async def forget(pool: Pool, retention: Retention) -> None:
    """Forget what is old enough, for ever."""
    await regularly(FORGET_EVERY, lambda: forget_due(pool, retention, datetime.now(UTC)))


async def forget_due(pool: Pool, retention: Retention, now: datetime) -> None:
    """Forget all that is old enough at a moment, step by step.

    Deliveries go before their events, and endpoints after their deliveries.
    """
    forgetting = Forgetting(pool)
    last_event, last_attempt = now - retention.events, now - retention.attempts
    await delete_unseen(pool)
    for endpoint in await forgetting.endpoints_with_deliveries(id_before(EVENT, last_event)):
        await in_steps(partial(forgetting.deliveries, endpoint), LanePlace())
    for statement, prefix, last in (
        (EVENTS, EVENT, last_event),
        (ATTEMPTS, ATTEMPT, last_attempt),
        (REPLAYS, REPLAY, last_attempt),
    ):
        await in_steps(partial(forgetting.rows, statement, id_before(prefix, last)), IdPlace())
    await forgetting.endpoints(last_attempt)


async def in_steps(step: Callable[[Place], Awaitable[Place | None]], start: Place) -> None:
    """Take steps, each from the place where the last one ended, until there is nothing left."""
    place = await step(start)
    while place is not None:
        await asyncio.sleep(PAUSE)
        place = await step(place)


def id_before(prefix: str, moment: datetime) -> str:
    """Give the id that those from before a moment are smaller than."""
    return id_at(prefix, milliseconds(moment))


class Forgetting:
    """The steps, each a transaction of its own; a worker that takes the same one at the same time is no harm."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def rows(self, statement: str, before: str, place: IdPlace) -> IdPlace | None:
        """Delete rows from before an id, and tell how far this has come; None: to the end."""
        deleted = await self._fetch(statement, before, *place, STEP)
        return max(IdPlace(*row) for row in deleted) if deleted else None

    async def endpoints_with_deliveries(self, before: str) -> list[Waiting]:
        """List the endpoints that have deliveries, where those of events from before an id are to go."""
        return [Waiting(*row) for row in await self._fetch(WITH_DELIVERIES, before)]

    async def deliveries(self, endpoint: Waiting, place: LanePlace) -> LanePlace | None:
        """Delete what an endpoint has of old among its next deliveries; those behind them no longer wait."""
        tenant_id, endpoint_id, before = endpoint
        with translated():
            async with self._pool.connection() as connection, transaction(connection, LOCK_WAIT):
                if not await connection.fetch(HOLD, tenant_id, endpoint_id):
                    return None
                found = await connection.fetch(DELIVERIES, tenant_id, endpoint_id, before, *place, STEP)
                if not found:
                    return None
                *reached, bereft = found[0]
                lanes = [(tenant_id, endpoint_id, lane, None) for lane in bereft]
                await connection.fetch(PROMOTE, *arrays(lanes, 4))
                await connection.execute("COMMIT")
        return LanePlace(*reached)

    async def endpoints(self, before: datetime) -> None:
        """Delete the endpoints that were deleted long ago and have no delivery left."""
        await self._fetch(ENDPOINTS, before)

    async def _fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        with translated():
            async with self._pool.connection() as connection:
                return await connection.fetch(statement, *values)
