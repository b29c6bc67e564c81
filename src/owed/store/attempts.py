"""Attempts: what became of the deliveries of an event, what is still to come, and what a replay would send."""

from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from owed.database.pool import Connection
from owed.model.event import Event
from owed.model.identifiers import EVENT, id_at, milliseconds
from owed.model.webhook_endpoint import EVERY_TYPE
from owed.store.failures import translated
from owed.store.list_queries import Cursor
from owed.store.lists import Page, read_page
from owed.store.slow_lane import Connections, SlowLane

COUNTS_AT_ONCE = 1
"""Counts at the same time: one may read every event of its tenant, and lists must not wait for many."""

COUNT_PATIENCE = 3.0
"""Seconds in which a count must have been done, its waiting included."""

PAGE = """
    -- A page of the attempts to deliver an event, between two ids. An order of ids alone could lead the planner to walk
    -- all attempts of all events.
    SELECT id, endpoint_id, number, attempted_at, duration_ms, address, status, answer, error, succeeded, out_of_order,
           next_attempt_at
      FROM delivery_attempt
     WHERE tenant_id = $1 AND (event_id, id) > ($2, $3) AND (event_id, id) < ($2, $4)
     ORDER BY event_id {direction}, id {direction}
     LIMIT $5
"""

EVERY_ID = ("", "~")

PENDING = """
    -- The endpoints that have not got an event and are to: it waits for each of them, or they have not come to it yet.
    -- While an attempt is made nobody knows of the next one.
    SELECT endpoint.id AS endpoint_id,
           coalesce(delivery.attempts, 0) AS attempts,
           CASE WHEN endpoint.enabled AND delivery.due_at IS NOT NULL AND delivery.claim IS NULL
                THEN greatest(delivery.due_at, delivery.retry_at, endpoint.rests_until)
           END AS next_attempt_at,
           coalesce(delivery.lane = delivery.event_id, false) AS out_of_order,
           delivery.failed_at IS NOT NULL AS failed
      FROM event
      JOIN webhook_endpoint AS endpoint ON endpoint.tenant_id = $1 AND endpoint.deleted_at IS NULL
      LEFT JOIN LATERAL (
           SELECT delivery.*
             FROM delivery
            WHERE delivery.tenant_id = $1 AND delivery.endpoint_id = endpoint.id
              AND delivery.lane = ANY(ARRAY[event.object_id, event.id])
              AND delivery.position = event.position AND delivery.sequence = event.sequence
            LIMIT 1) AS delivery ON true
     WHERE event.tenant_id = $1 AND event.id = $2
       AND (delivery.event_id IS NOT NULL
            OR (event.position, event.sequence, event.id) > (endpoint.position, endpoint.sequence, endpoint.event_id)
           AND event.recorded_at > endpoint.starts_at
           AND (endpoint.types = '*' OR event.type = ANY(string_to_array(endpoint.types, ' '))))
     ORDER BY endpoint.id
"""

COUNT = """
    -- How many events were recorded from one time to another: a walk along the ids, which hold the time.
    SELECT count(*) AS number
      FROM event
     WHERE tenant_id = $1 AND id > $2 AND id < $3 AND recorded_at >= $4 AND recorded_at <= $5
       {further}
"""

OF_TYPES = "AND type = ANY($6::text[])"

NEVER_TAKEN = """
       AND (SELECT NOT bool_or(attempt.succeeded)
              FROM delivery_attempt AS attempt
             WHERE attempt.tenant_id = $1 AND attempt.event_id = event.id AND attempt.endpoint_id = {endpoint})
"""


class Attempted(msgspec.Struct, frozen=True):
    """An attempt to deliver an event, as it is kept.

    Attributes:
        number: Its place among the attempts at this endpoint.
        answer: What the receiver said, as far as it is kept.
        next_attempt_at: When it was to be attempted again.
    """

    id: str
    endpoint_id: str
    number: int
    attempted_at: datetime
    duration_ms: int
    address: str | None
    status: int | None
    answer: bytes | None
    error: str | None
    succeeded: bool
    out_of_order: bool
    next_attempt_at: datetime | None

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows; what is not set is absent."""
        answer = None if self.answer is None else self.answer.decode(errors="replace")
        members = {**msgspec.structs.asdict(self), "answer": answer}
        return {name: value for name, value in members.items() if value is not None}


class Pending(msgspec.Struct, frozen=True):
    """What an endpoint has not got of an event."""

    endpoint_id: str
    attempts: int
    next_attempt_at: datetime | None
    out_of_order: bool
    failed: bool

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows; what is not set is absent."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


class Period(msgspec.Struct, frozen=True):
    """The events that a replay is of.

    Attributes:
        endpoint_id: Of the one at which they were attempted and never taken; None where that is all one.
    """

    tenant_id: int
    since: datetime
    until: datetime
    types: tuple[str, ...]
    endpoint_id: str | None = None

    def statement(self) -> tuple[str, list[Any]]:
        """Give the statement that counts them, and its values."""
        ids = id_at(EVENT, milliseconds(self.since)), id_at(EVENT, milliseconds(self.until) + 1)
        values = [self.tenant_id, *ids, self.since, self.until]
        further = ""
        if EVERY_TYPE not in self.types:
            values.append(self.types)
            further = OF_TYPES
        if self.endpoint_id is not None:
            values.append(self.endpoint_id)
            further += NEVER_TAKEN.format(endpoint=f"${len(values)}")
        return COUNT.format(further=further), values


class Attempts:
    """Reads what became of deliveries.

    Args:
        patience: Seconds in which a count must have been done.
    """

    def __init__(self, connections: Connections, patience: float = COUNT_PATIENCE) -> None:
        self._connections = connections
        self._counting = SlowLane(connections, COUNTS_AT_ONCE, patience)

    async def page(self, event: Event, cursor: Cursor | None, limit: int) -> Page[Attempted]:
        """Read a page of the attempts to deliver an event, newest first."""
        with translated():
            async with self._connections.connection() as connection:
                return await read_page(Walk(connection, event), cursor, limit)

    async def pending(self, event: Event) -> list[Pending]:
        """List what endpoints have not got of an event."""
        with translated():
            async with self._connections.connection() as connection:
                return [Pending(**row) for row in await connection.fetch(PENDING, event.tenant_id, event.id)]

    async def count(self, period: Period) -> int | None:
        """Count the events that a replay would send; None where there are too many to be counted in time."""
        sql, values = period.statement()
        with translated(), suppress(TimeoutError):
            async with self._counting.connection() as connection:
                number: int = (await connection.fetch(sql, *values))[0]["number"]
                return number
        return None


class Walk(NamedTuple):
    """A way through the attempts to deliver an event."""

    connection: Connection
    event: Event

    async def rows(self, side: Cursor | None, most: int) -> list[Attempted]:
        """Read up to `most` attempts on one side of an id, the nearest first; without one, the newest."""
        above, below = EVERY_ID
        if side is not None:
            above, below = (side.id, below) if side.newer else (above, side.id)
        sql = PAGE.format(direction="ASC" if side and side.newer else "DESC")
        rows = await self.connection.fetch(sql, self.event.tenant_id, self.event.id, above, below, most)
        return [Attempted(**row) for row in rows]
