"""Webhook endpoints as they are read: page by page, which and how many there are, and how delivery to one goes."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from owed.database.pool import Connection
from owed.model.webhook_endpoint import WebhookEndpoint
from owed.store.failures import translated
from owed.store.list_queries import Cursor
from owed.store.lists import Page, read_page
from owed.store.slow_lane import Connections
from owed.store.webhook_endpoints import WEBHOOK_ENDPOINTS

PAGE = """
    -- A page of the endpoints between two ids.
    SELECT {columns}
      FROM webhook_endpoint
     WHERE tenant_id = $1 AND id > $2 AND id < $3 AND deleted_at IS NULL
     ORDER BY id {direction}
     LIMIT $4
"""

FIRST, LAST = "", "we_~"
"""No id is before the one, and none after the other."""

IDS = """
    SELECT id FROM webhook_endpoint WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id
"""

COUNT = """
    SELECT count(*) AS number
      FROM webhook_endpoint
     WHERE tenant_id = $1 AND deleted_at IS NULL AND NOT is_listener
"""

STATUS = """
    -- How delivery comes along. What waits is counted among so many deliveries, and among so many events that lie
    -- before the endpoint in the feed. The deliveries are met along their key, backwards: what has failed has a lane of
    -- its own, and those come last. The next attempt is that of the first few that are due.
    SELECT enabled, last_success_at, last_failure_at,
           CASE WHEN rests_until > now() THEN rests_until END AS resting_until,
           least($3, delivered_later.pending + missed.pending) AS pending,
           least($3, delivered_later.failed) AS failed,
           CASE WHEN enabled AND next.attempt_at IS NOT NULL THEN greatest(next.attempt_at, rests_until) END
               AS next_attempt_at
      FROM webhook_endpoint AS endpoint
     CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE failed_at IS NULL) AS pending, count(failed_at) AS failed
             FROM (SELECT failed_at
                     FROM delivery
                    WHERE delivery.tenant_id = endpoint.tenant_id AND delivery.endpoint_id = endpoint.id
                    ORDER BY delivery.lane DESC, delivery.position DESC, delivery.sequence DESC
                    LIMIT $4) AS examined) AS delivered_later
     CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE recorded_at > starts_at
                                     AND ('*' = ANY(wanted.types) OR type = ANY(wanted.types))) AS pending
             FROM (SELECT string_to_array(endpoint.types, ' ') AS types) AS wanted
             LEFT JOIN LATERAL (
                  SELECT event.recorded_at, event.type
                    FROM event
                   WHERE event.tenant_id = endpoint.tenant_id AND event.position < (SELECT feed_end())
                     AND (event.position, event.sequence, event.id)
                         > (endpoint.position, endpoint.sequence, endpoint.event_id)
                   ORDER BY event.position, event.sequence, event.id
                   LIMIT $4) AS examined ON true) AS missed
     CROSS JOIN LATERAL (
           SELECT min(attempt_at) AS attempt_at
             FROM (SELECT coalesce(retry_at, due_at) AS attempt_at
                     FROM delivery
                    WHERE delivery.tenant_id = endpoint.tenant_id AND delivery.endpoint_id = endpoint.id
                      AND due_at IS NOT NULL AND (claim IS NULL OR due_at <= now())
                    ORDER BY due_at
                    LIMIT $5) AS due) AS next
     WHERE endpoint.tenant_id = $1 AND endpoint.id = $2
"""

COUNTED = 10_000
"""What an operator is told of: beyond it, more is just many."""

EXAMINED = 50_000
"""Deliveries, and events of the feed, that are looked at to count them."""

DUE = 100
"""Deliveries among which the one is sought that is attempted first."""


class EndpointStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """How delivery to an endpoint comes along.

    Attributes:
        pending: What it has yet to get; while it is disabled, also what it would get if it were not.
        failed: What it was sent until the last retry was used up.
        resting_until: When the receiver wants to hear of us again.
    """

    enabled: bool
    pending: int
    failed: int
    next_attempt_at: datetime | None = None
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    resting_until: datetime | None = None


class EndpointReads:
    """Reads endpoints."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def page(self, tenant_id: int, limit: int, cursor: Cursor | None) -> Page[WebhookEndpoint]:
        """Read a page of the endpoints of a tenant."""
        with translated():
            async with self._connections.connection() as connection:
                return await read_page(Walk(connection, tenant_id), cursor, limit)

    async def ids(self, tenant_id: int) -> list[str]:
        """List the ids of the endpoints of a tenant, the oldest first."""
        with translated():
            async with self._connections.connection() as connection:
                return [row["id"] for row in await connection.fetch(IDS, tenant_id)]

    async def count(self, tenant_id: int) -> int:
        """Count the endpoints of a tenant; one of `owed listen` comes and goes, and does not count."""
        with translated():
            async with self._connections.connection() as connection:
                number: int = (await connection.fetch(COUNT, tenant_id))[0]["number"]
                return number

    async def status(self, tenant_id: int, endpoint_id: str) -> EndpointStatus:
        """Tell how delivery to an endpoint comes along, counted no further than is good to know."""
        with translated():
            async with self._connections.connection() as connection:
                rows = await connection.fetch(STATUS, tenant_id, endpoint_id, COUNTED, EXAMINED, DUE)
                return EndpointStatus(**rows[0])


class Walk(NamedTuple):
    """A way through the endpoints of a tenant."""

    connection: Connection
    tenant_id: int

    async def rows(self, side: Cursor | None, most: int) -> list[WebhookEndpoint]:
        """Read up to `most` endpoints on one side of an id, the nearest first; without one, the newest."""
        is_newer = side is not None and side.newer
        sql = PAGE.format(columns=WEBHOOK_ENDPOINTS.columns, direction="ASC" if is_newer else "DESC")
        above, below = (side.id if side and is_newer else FIRST), (side.id if side and not is_newer else LAST)
        rows = await self.connection.fetch(sql, self.tenant_id, above, below, most)
        return [WEBHOOK_ENDPOINTS.from_row(row) for row in rows]
