"""Dispatch: what an endpoint is to get becomes deliveries, step by step: events of the feed, and those of replays.

Each step is a short transaction that holds the endpoint, so that only one worker adds to its lanes at a time.
"""

from typing import Any

import asyncpg

from owed.database.pool import Connection, Pool
from owed.model.delivery import EndpointKey
from owed.model.identifiers import EVENT, id_at, milliseconds
from owed.store.deliveries import LOCK_WAIT
from owed.store.failures import translated
from owed.store.postgres import transaction
from owed.store.resuming import AFRESH, Resuming

CHUNK = 500
"""Events that are looked at in one step."""

HOLD = """
    SELECT tenant_id, id, string_to_array(types, ' ') AS types, starts_at, resumed_at,
           resumed_to < resumed_at AS is_resuming, starts_at > resumed_to AS is_skipped, position, sequence, event_id
      FROM webhook_endpoint
     WHERE tenant_id = $1 AND id = $2 AND enabled AND deleted_at IS NULL
       FOR NO KEY UPDATE
"""

FEED = """
    -- What follows the endpoint's place in the feed.
    SELECT position, sequence, id, object_id, type, recorded_at
      FROM event
     WHERE tenant_id = $1 AND (position, sequence, id) > ($3::bigint, $4::bigint, $5::text)
       AND position < (SELECT feed_end())
     ORDER BY position, sequence, id
     LIMIT $6
"""

ADD = """
    -- Add a delivery of each event of a chunk that is wanted and not there yet. The first of its lane is due.
      WITH chunk AS MATERIALIZED (
    {chunk}
         ), wanted AS MATERIALIZED (
    SELECT chunk.*, row_number() OVER (PARTITION BY object_id ORDER BY position, sequence, id) AS place
      FROM chunk
     WHERE {wanted}
       AND NOT EXISTS (SELECT FROM delivery
                        WHERE delivery.tenant_id = $1 AND delivery.endpoint_id = $2 AND delivery.lane = chunk.object_id
                          AND delivery.position = chunk.position AND delivery.sequence = chunk.sequence)
       AND NOT EXISTS (SELECT FROM delivery
                        WHERE delivery.tenant_id = $1 AND delivery.endpoint_id = $2 AND delivery.lane = chunk.id)
         ), added AS (
    INSERT INTO delivery (tenant_id, endpoint_id, lane, position, sequence, event_id, tried, due_at)
    SELECT $1, $2, object_id, position, sequence, id, {tried},
           CASE WHEN place = 1
                 AND NOT EXISTS (SELECT FROM delivery
                                  WHERE delivery.tenant_id = $1 AND delivery.endpoint_id = $2
                                    AND delivery.lane = wanted.object_id)
                THEN now() END
      FROM wanted
         )
"""

OF_TYPE = "('*' = ANY($8::text[]) OR type = ANY($8))"

TAKE_FEED = (
    ADD.format(tried=0, chunk=FEED, wanted=f"recorded_at > $7 AND {OF_TYPE}")
    + """
         , last AS (
    SELECT position, sequence, id FROM chunk ORDER BY position DESC, sequence DESC, id DESC LIMIT 1
         )
    UPDATE webhook_endpoint
       SET position = last.position, sequence = last.sequence, event_id = last.id
      FROM last
     WHERE webhook_endpoint.tenant_id = $1 AND webhook_endpoint.id = $2
 RETURNING 1
"""
)

NEXT_REPLAY = """
    -- The next replay: one event that is to be sent anyway goes before a period, and of several the oldest.
    SELECT id, event_id, since, until, string_to_array(types, ' ') AS types, only_failed, taken_up_to
      FROM replay
     WHERE tenant_id = $1 AND endpoint_id = $2 AND finished_at IS NULL
     ORDER BY event_id IS NULL, id
     LIMIT 1
"""

HURRY = f"""
    -- An event that is to be sent anyway: at once and whatever goes before it, unless a worker has it as the first of
    -- its lane and is sending it now. One that has it behind another has lost it.
    UPDATE delivery
       SET due_at = now(), claim = NULL, {AFRESH},
           lane = CASE WHEN delivery.due_at IS NULL THEN delivery.event_id ELSE delivery.lane END
      FROM event
     WHERE event.tenant_id = $1 AND event.id = $3
       AND delivery.tenant_id = $1 AND delivery.endpoint_id = $2 AND delivery.lane IN (event.object_id, event.id)
       AND delivery.position = event.position AND delivery.sequence = event.sequence
       AND (delivery.claim IS NULL OR delivery.due_at IS NULL)
"""

TRIED = """(
           SELECT count(*) FROM delivery_attempt AS attempt
            WHERE attempt.tenant_id = $1 AND attempt.event_id = {event} AND attempt.endpoint_id = $2)"""

REDELIVER = f"""
    -- An event that is not to be sent otherwise, in a lane of its own.
    INSERT INTO delivery (tenant_id, endpoint_id, lane, position, sequence, event_id, tried, due_at)
    SELECT tenant_id, $2, id, position, sequence, id, {TRIED.format(event="event.id")}, now()
      FROM event
     WHERE tenant_id = $1 AND id = $3
       AND NOT EXISTS (SELECT FROM delivery
                        WHERE delivery.tenant_id = $1 AND delivery.endpoint_id = $2
                          AND delivery.lane IN (event.object_id, event.id)
                          AND delivery.position = event.position AND delivery.sequence = event.sequence)
"""

PERIOD = """
    -- What happened in a time, from where the replay has come to.
    SELECT position, sequence, id, object_id, type, recorded_at
      FROM event
     WHERE tenant_id = $1 AND id > $3 AND id < $4
     ORDER BY id
     LIMIT $5
"""

NEVER_TAKEN = """
           (NOT $9::bool
            OR EXISTS (SELECT FROM delivery_attempt AS attempt
                        WHERE attempt.tenant_id = $1 AND attempt.event_id = chunk.id AND attempt.endpoint_id = $2)
           AND NOT EXISTS (SELECT FROM delivery_attempt AS attempt
                            WHERE attempt.tenant_id = $1 AND attempt.event_id = chunk.id AND attempt.endpoint_id = $2
                              AND attempt.succeeded))
"""

ASKED_FOR = f"""chunk.recorded_at >= $6 AND chunk.recorded_at <= $7 AND {OF_TYPE}
       -- What the feed has yet to bring comes with it, in its place.
       AND NOT ((chunk.position, chunk.sequence, chunk.id) > ($11::bigint, $12::bigint, $13::text)
                AND chunk.recorded_at > $14 AND ('*' = ANY($15::text[]) OR type = ANY($15)))"""

TAKE_PERIOD = (
    ADD.format(tried=TRIED.format(event="wanted.id"), chunk=PERIOD, wanted=f"{ASKED_FOR} AND {NEVER_TAKEN}")
    + f"""
         , revived AS (
    UPDATE delivery
       SET due_at = now(), {AFRESH}
      FROM chunk
     WHERE delivery.tenant_id = $1 AND delivery.endpoint_id = $2 AND delivery.lane = chunk.id
       AND delivery.position = chunk.position AND delivery.sequence = chunk.sequence
       AND delivery.failed_at IS NOT NULL
       AND {ASKED_FOR}
       AND {NEVER_TAKEN}
         )
    UPDATE replay
       SET taken_up_to = coalesce((SELECT max(id) FROM chunk), taken_up_to),
           finished_at = CASE WHEN (SELECT count(*) FROM chunk) < $5 THEN now() END
     WHERE tenant_id = $1 AND id = $10
"""
)

FINISH_REPLAY = "UPDATE replay SET finished_at = now() WHERE tenant_id = $1 AND id = $2"


class Dispatch:
    """Makes deliveries of what endpoints are to get."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._resuming = Resuming()

    async def step(self, endpoint: EndpointKey) -> bool:
        """Take one step for an endpoint, and tell whether there was one to take."""
        with translated():
            async with self._pool.connection() as connection, transaction(connection, LOCK_WAIT, durable=False):
                rows = await connection.fetch(HOLD, *endpoint)
                taken = bool(rows) and await self._take(connection, endpoint, rows[0])
                await connection.execute("COMMIT")
                return taken

    async def _take(self, connection: Connection, key: EndpointKey, endpoint: asyncpg.Record) -> bool:
        """Take the next events of the feed, and beside them those of a replay; before both, do what enabling asks."""
        if endpoint["is_resuming"]:
            await self._resuming.step(connection, key, endpoint)
            return True
        *place, starts_at, types = fed(endpoint)
        taken = await connection.fetch(TAKE_FEED, *key, *place, CHUNK, starts_at, types)
        replays = await connection.fetch(NEXT_REPLAY, *key)
        if replays:
            await replay(connection, key, endpoint, replays[0])
        return bool(taken or replays)


async def replay(connection: Connection, key: EndpointKey, endpoint: asyncpg.Record, asked: asyncpg.Record) -> None:
    """Take a step of a replay."""
    if asked["event_id"] is not None:
        await connection.fetch(HURRY, *key, asked["event_id"])
        await connection.fetch(REDELIVER, *key, asked["event_id"])
        await connection.fetch(FINISH_REPLAY, key.tenant_id, asked["id"])
        return
    replayed = (*period(asked), asked["types"], asked["only_failed"], asked["id"])
    await connection.fetch(TAKE_PERIOD, *key, *replayed, *fed(endpoint))


def fed(endpoint: asyncpg.Record) -> tuple[Any, ...]:
    """Give what tells which events the feed has yet to bring to an endpoint: its place, and what it takes."""
    return tuple(endpoint[name] for name in ("position", "sequence", "event_id", "starts_at", "types"))


def period(asked: asyncpg.Record) -> tuple[Any, ...]:
    """Give the ids and the times between which a replay has its next events."""
    start = id_at(EVENT, milliseconds(asked["since"]))
    end = id_at(EVENT, milliseconds(asked["until"]) + 1)
    return max(start, asked["taken_up_to"]), end, CHUNK, asked["since"], asked["until"]
