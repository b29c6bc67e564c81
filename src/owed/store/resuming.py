"""Resuming: an endpoint that was enabled again comes to the state that was asked for, step by step.

Either its backlog is forgotten, or all of it is due, each lane in its order, however a worker left it.
"""

from datetime import datetime
from typing import NamedTuple

import asyncpg

from owed.database.pool import Connection
from owed.model.delivery import EndpointKey
from owed.model.identifiers import EVENT

STEP = 2_000
"""Deliveries that are changed in one step."""

FORGET = """
    -- A step of what an endpoint was told to skip.
    DELETE FROM delivery
     WHERE ctid = ANY(ARRAY(SELECT ctid FROM delivery WHERE tenant_id = $1 AND endpoint_id = $2 LIMIT $3 FOR UPDATE))
 RETURNING 1
"""

END_REPLAYS = """
    -- What it had asked for again is part of what it skips.
    UPDATE replay
       SET finished_at = now()
     WHERE tenant_id = $1 AND endpoint_id = $2 AND finished_at IS NULL AND created_at < $3
"""

AFRESH = "attempts = 0, first_attempt_at = NULL, retry_at = NULL, failed_at = NULL"
"""What makes a delivery one that was never attempted, as far as its retries go."""

PUT_BACK = f"""
    -- A step of what an endpoint was told to resume: what went out of order, or has failed, goes back to its place in
    -- the lane of its object. Where it is the first there, it is due in place of what was; only a worker that has that
    -- keeps it. So each lane has one that is due after each step, whatever else happens between two.
      WITH found AS MATERIALIZED (
    SELECT delivery.ctid AS row, event.object_id AS lane, position, sequence
      FROM delivery
     CROSS JOIN LATERAL (
           SELECT object_id FROM event WHERE event.tenant_id = $1 AND event.id = delivery.event_id) AS event
     WHERE tenant_id = $1 AND endpoint_id = $2 AND lane >= '{EVENT}' AND claim IS NULL
     LIMIT $3
         ), back AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY lane ORDER BY position, sequence) = 1 AS is_first FROM found
         ), head AS MATERIALIZED (
    SELECT due.row, back.row AS first,
           due.claim IS NULL AND (due.position, due.sequence) > (back.position, back.sequence) AS gives_way
      FROM back
     CROSS JOIN LATERAL (
           SELECT ctid AS row, position, sequence, claim
             FROM delivery
            WHERE tenant_id = $1 AND endpoint_id = $2 AND delivery.lane = back.lane AND due_at IS NOT NULL
            ORDER BY position, sequence
            LIMIT 1) AS due
     WHERE is_first
         ), given_way AS (
    UPDATE delivery SET due_at = NULL FROM head WHERE delivery.ctid = head.row AND gives_way
         )
    UPDATE delivery
       SET lane = back.lane, {AFRESH}, due_at = CASE WHEN is_first AND coalesce(gives_way, true) THEN now() END
      FROM back
      LEFT JOIN head ON head.first = back.row
     WHERE delivery.ctid = back.row
 RETURNING 1
"""

HASTEN = f"""
    -- Another step: along the lanes of objects. What is due at any time is due now, and is begun afresh.
      WITH step AS MATERIALIZED (
    SELECT ctid AS row, lane, position, sequence
      FROM delivery
     WHERE tenant_id = $1 AND endpoint_id = $2 AND lane < '{EVENT}' AND (lane, position, sequence) > ($3, $4, $5)
     ORDER BY lane, position, sequence
     LIMIT $6
         ), hastened AS (
    UPDATE delivery
       SET {AFRESH}, due_at = CASE WHEN due_at IS NOT NULL THEN now() END
      FROM step
     WHERE delivery.ctid = step.row AND claim IS NULL AND (due_at IS NOT NULL OR attempts > 0)
         )
    SELECT lane, position, sequence FROM step ORDER BY lane DESC, position DESC, sequence DESC LIMIT 1
"""


class LanePlace(NamedTuple):
    """A place in the lanes of an endpoint: all up to it is done."""

    lane: str = ""
    position: int = 0
    sequence: int = 0


BEFORE_ALL_LANES = LanePlace()

RESUMED = """
    -- Whoever enables an endpoint again wants it to be sent something now, and may do so once more meanwhile.
    UPDATE webhook_endpoint
       SET resumed_to = $3, rests_until = NULL
     WHERE tenant_id = $1 AND id = $2
"""


class Resuming:
    """Takes the steps of endpoints that resume, and knows how far each has come."""

    def __init__(self) -> None:
        self._places: dict[EndpointKey, tuple[datetime, LanePlace]] = {}
        """Who does not know the place of an endpoint, or has that of an earlier time, begins anew: it does no harm."""

    async def step(self, connection: Connection, key: EndpointKey, endpoint: asyncpg.Record) -> None:
        """Take a step towards the state that an endpoint was enabled in: without its backlog, or with all of it due."""
        if endpoint["is_skipped"]:
            is_done = await forget(connection, key, endpoint["starts_at"])
        else:
            is_done = await self._begin_afresh(connection, key, endpoint["resumed_at"])
        if is_done:
            await connection.fetch(RESUMED, *key, endpoint["resumed_at"])

    async def _begin_afresh(self, connection: Connection, key: EndpointKey, resumed_at: datetime) -> bool:
        """Take a step in making all due, and tell whether that was the last."""
        if await connection.fetch(PUT_BACK, *key, STEP):
            return False
        begun_at, place = self._places.pop(key, (resumed_at, BEFORE_ALL_LANES))
        further = await connection.fetch(HASTEN, *key, *(place if begun_at == resumed_at else BEFORE_ALL_LANES), STEP)
        if further:
            self._places[key] = resumed_at, LanePlace(*further[0])
        return not further


async def forget(connection: Connection, key: EndpointKey, starts_at: datetime) -> bool:
    """Take a step in forgetting what is from before a time, and tell whether that was the last."""
    await connection.fetch(END_REPLAYS, *key, starts_at)
    return not await connection.fetch(FORGET, *key, STEP)
