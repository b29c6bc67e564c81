"""Endpoints as the delivery workers see them: which have something to do, and where it goes."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import asyncpg

from owed.database.pool import Pool
from owed.model.delivery import EndpointKey, Receiver
from owed.store.failures import translated
from owed.store.webhook_endpoints import SECRETS

OPEN = """enabled AND deleted_at IS NULL
       AND (rests_until IS NULL OR rests_until <= now() OR resumed_to < resumed_at)"""
"""Whether an endpoint takes deliveries now: one that was enabled just now does, whatever its receiver has asked for."""

LOOK = f"""
    -- The endpoints that take deliveries, of those that are served and of those that have something to do: a delivery
    -- that is due, an event that they have not seen, a replay, or an enabling that was not acted on.
    SELECT tenant_id, id, version, has_work,
           (SELECT max(redacted_at) FROM erasure WHERE erasure.tenant_id = endpoint.tenant_id) AS redacted_at
      FROM webhook_endpoint AS endpoint
     CROSS JOIN LATERAL (
           SELECT resumed_to < resumed_at
               OR (SELECT min(due_at) FROM delivery
                    WHERE delivery.tenant_id = endpoint.tenant_id AND delivery.endpoint_id = endpoint.id) <= now()
               OR EXISTS (SELECT FROM event
                           WHERE event.tenant_id = endpoint.tenant_id AND event.position < (SELECT feed_end())
                             AND (event.position, event.sequence, event.id)
                                 > (endpoint.position, endpoint.sequence, endpoint.event_id))
               OR EXISTS (SELECT FROM replay
                           WHERE replay.tenant_id = endpoint.tenant_id AND replay.endpoint_id = endpoint.id
                             AND finished_at IS NULL) AS has_work) AS found
     WHERE {OPEN}
       AND CASE WHEN $1::text IS NULL THEN NOT is_listener ELSE id = $1 END
       AND (has_work OR id = ANY($2::text[]))
"""

RECEIVER = f"""
    SELECT endpoint.tenant_id, endpoint.id, tenant.mode, endpoint.version, endpoint.url, endpoint.secrets,
           endpoint.resumed_at, endpoint.resumed_to < endpoint.resumed_at AS is_resuming
      FROM webhook_endpoint AS endpoint
      JOIN tenant ON tenant.id = endpoint.tenant_id
     WHERE endpoint.tenant_id = $1 AND endpoint.id = $2 AND {OPEN}
"""


class Standing(NamedTuple):
    """How an endpoint stands that takes deliveries.

    Attributes:
        version: Of the endpoint, as its merchant and we have changed it.
        has_work: Whether there is something to do for it.
        redacted_at: When events of its tenant were redacted last: what was claimed before may not be sent as it is.
    """

    version: int
    has_work: bool
    redacted_at: datetime | None


class Receivers:
    """Reads endpoints.

    Args:
        listener: The endpoint of `owed listen` that is the only one to serve; None where all others are.
    """

    def __init__(self, pool: Pool, listener: EndpointKey | None = None) -> None:
        self._pool = pool
        self._listener = listener

    async def look(self, served: Iterable[EndpointKey]) -> dict[EndpointKey, Standing]:
        """Say how the endpoints stand that have something to do, and those that are served, as far as they are open."""
        listener = self._listener and self._listener.id
        with translated():
            async with self._pool.connection() as connection:
                rows = await connection.fetch(LOOK, listener, [endpoint.id for endpoint in served])
        return {EndpointKey(*row[:2]): Standing(*row[2:]) for row in rows}

    async def find(self, endpoint: EndpointKey, now: datetime) -> Receiver | None:
        """Give an endpoint as it stands; None where it takes nothing now."""
        with translated():
            async with self._pool.connection() as connection:
                rows = await connection.fetch(RECEIVER, *endpoint)
        return receiver_of(rows[0], now) if rows else None


def receiver_of(row: asyncpg.Record, now: datetime) -> Receiver:
    """Make the receiver that a row holds, with the secrets that are valid."""
    valid = tuple(secret.value for secret in SECRETS.decode(row["secrets"]) if secret.is_valid_at(now))
    plain = {name: row[name] for name in ("tenant_id", "id", "mode", "version", "url", "resumed_at", "is_resuming")}
    return Receiver(**plain, secrets=valid)
