"""Deliveries in PostgreSQL: the claims on what is due, and what became of it.

A claim is a lease with a token. The first delivery of a lane carries the lease; until that ends nobody else takes it.
An outcome is recorded only where the token still stands.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import asyncpg

from owed.database.pool import Pool
from owed.model.delivery import Claimed, EndpointKey, Outcome
from owed.store.failures import translated
from owed.store.postgres import transaction
from owed.store.tables import arrays

LONGEST_LANE = 100
"""Deliveries of one lane in one claim."""

MOST_BEHIND = 500
"""Deliveries in one claim that are not the first of their lane: all are kept in memory until they are sent."""

LOCK_WAIT = 5.0
"""Seconds to wait for an endpoint that another worker is at: each takes milliseconds."""

CLAIM = """
    -- The lanes that are due, each with the deliveries that wait behind its first one.
      WITH head AS MATERIALIZED (
    SELECT ctid AS row, lane, position, sequence
      FROM delivery
     WHERE tenant_id = $1 AND endpoint_id = $2 AND due_at <= now()
     ORDER BY due_at
     LIMIT $3
       FOR UPDATE SKIP LOCKED
         ), claimed AS (
    UPDATE delivery
       SET claim = $5, due_at = CASE WHEN due_at IS NOT NULL THEN now() + make_interval(secs => $6) END
     WHERE ctid = ANY(ARRAY(
           SELECT row FROM head
            UNION ALL
           SELECT waiting.row
             FROM head
            CROSS JOIN LATERAL (
                  SELECT ctid AS row
                    FROM delivery
                   WHERE tenant_id = $1 AND endpoint_id = $2 AND delivery.lane = head.lane
                     AND (delivery.position, delivery.sequence) > (head.position, head.sequence)
                     AND failed_at IS NULL
                   ORDER BY delivery.position, delivery.sequence
                   LIMIT $4) AS waiting
            LIMIT (SELECT count(*) FROM head) + $7))
 RETURNING delivery.*
         )
    SELECT claimed.tenant_id, claimed.endpoint_id, claimed.event_id, claimed.claim, claimed.lane, claimed.position,
           claimed.sequence, claimed.tried, claimed.attempts, claimed.first_attempt_at, claimed.retry_at,
           coalesce(claimed.retry_at > now(), false) AS is_late, event.body, event.recorded_at
      FROM claimed
      LEFT JOIN LATERAL (
           SELECT body, recorded_at FROM event WHERE tenant_id = claimed.tenant_id AND id = claimed.event_id) AS event
        ON true
"""

HOLD = """
    -- Whoever adds deliveries to an endpoint or takes them away holds it: a lane that is emptied while one is added
    -- behind its last would never be due again.
    SELECT FROM unnest($1::int[], $2::text[]) AS wanted (tenant_id, id)
      JOIN webhook_endpoint AS endpoint USING (tenant_id, id)
     ORDER BY endpoint.tenant_id, endpoint.id
       FOR NO KEY UPDATE OF endpoint
"""

RECORD = """
    -- What became of claimed deliveries, those alone whose claims still stand.
      WITH outcome AS MATERIALIZED (
    SELECT *
      FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::text[],
                  $9::timestamptz[], $10::timestamptz[], $11::bool[], $12::text[], $13::timestamptz[], $14::int[],
                  $15::text[], $16::smallint[], $17::bytea[], $18::text[], $19::bool[], $20::bool[], $21::float8[],
                  $22::timestamptz[])
        AS given (tenant_id, endpoint_id, lane, position, sequence, event_id, claim, fate, due_at, retry_at,
                  out_of_order, attempt_id, attempted_at, duration_ms, address, status, answer, error, succeeded,
                  is_gone, rest, resumed_at)
         ), mine AS MATERIALIZED (
    SELECT outcome.*, stands.row, stands.tried + 1 AS number,
           coalesce(stands.first_attempt_at, outcome.attempted_at) AS first_attempt_at,
           fate IN ('retried', 'failed') AND outcome.resumed_at < endpoint.resumed_at AS is_stale
      FROM outcome
      JOIN webhook_endpoint AS endpoint ON endpoint.tenant_id = outcome.tenant_id AND endpoint.id = outcome.endpoint_id
     CROSS JOIN LATERAL (
           SELECT ctid AS row, tried, first_attempt_at
             FROM delivery
            WHERE delivery.tenant_id = outcome.tenant_id AND delivery.endpoint_id = outcome.endpoint_id
              AND delivery.lane = outcome.lane AND delivery.position = outcome.position
              AND delivery.sequence = outcome.sequence AND delivery.claim = outcome.claim
              FOR UPDATE) AS stands
         ), delivered AS (
    DELETE FROM delivery
     WHERE ctid = ANY(ARRAY(SELECT row FROM mine WHERE fate = 'delivered'))
         ), kept AS (
    UPDATE delivery
       SET claim = NULL,
           due_at = CASE WHEN mine.out_of_order THEN mine.due_at END,
           retry_at = CASE mine.fate WHEN 'released' THEN delivery.retry_at ELSE mine.retry_at END,
           lane = CASE WHEN mine.out_of_order THEN mine.event_id ELSE delivery.lane END,
           tried = CASE WHEN mine.attempt_id IS NULL THEN tried ELSE tried + 1 END,
           attempts = CASE WHEN mine.attempt_id IS NULL THEN attempts ELSE attempts + 1 END,
           first_attempt_at = mine.first_attempt_at,
           failed_at = CASE mine.fate WHEN 'failed' THEN now() END
      FROM mine
     WHERE delivery.ctid = mine.row AND mine.fate <> 'delivered'
         ), noted AS (
    INSERT INTO delivery_attempt (tenant_id, id, event_id, endpoint_id, number, attempted_at, duration_ms, address,
                                  status, answer, error, succeeded, out_of_order, next_attempt_at)
    SELECT tenant_id, attempt_id, event_id, endpoint_id, number, attempted_at, duration_ms, address, status,
           answer, error, succeeded, lane = event_id, retry_at
      FROM mine
     WHERE attempt_id IS NOT NULL
         ), summed AS (
    SELECT tenant_id, endpoint_id,
           max(attempted_at) FILTER (WHERE succeeded) AS succeeded_at,
           max(attempted_at) FILTER (WHERE NOT succeeded) AS failed_at,
           max(first_attempt_at) FILTER (WHERE fate = 'failed' AND is_stale IS NOT TRUE) AS given_up_since,
           now() + make_interval(secs => max(rest) FILTER (WHERE is_stale IS NOT TRUE)) AS rests_until,
           bool_or(is_gone AND is_stale IS NOT TRUE) AS is_gone,
           bool_or(is_stale) AS is_stale
      FROM mine
     WHERE attempt_id IS NOT NULL OR is_stale
     GROUP BY tenant_id, endpoint_id
         ), endpoint AS (
    SELECT summed.*,
           CASE WHEN is_gone THEN 'gone'
                WHEN given_up_since > coalesce(greatest(last_success_at, succeeded_at), '-infinity') THEN 'failing'
           END AS reason
      FROM summed
      JOIN webhook_endpoint AS stands ON stands.tenant_id = summed.tenant_id AND stands.id = summed.endpoint_id
         ), told AS (
    UPDATE webhook_endpoint
       SET last_success_at = greatest(last_success_at, endpoint.succeeded_at),
           last_failure_at = greatest(last_failure_at, endpoint.failed_at),
           rests_until = greatest(webhook_endpoint.rests_until, endpoint.rests_until),
           -- What failed before it was enabled again, or had another URL, is to be sent now like the rest: once more.
           resumed_to = CASE WHEN is_stale AND starts_at < resumed_at
                             THEN least(resumed_to, resumed_at - interval '1 microsecond')
                             ELSE resumed_to END,
           enabled = enabled AND reason IS NULL,
           disabled_reason = coalesce(disabled_reason, reason),
           version = version + CASE WHEN enabled AND reason IS NOT NULL THEN 1 ELSE 0 END,
           updated_at = CASE WHEN enabled AND reason IS NOT NULL THEN now() ELSE updated_at END
      FROM endpoint
     WHERE webhook_endpoint.tenant_id = endpoint.tenant_id AND webhook_endpoint.id = endpoint.endpoint_id
         )
    SELECT mine.tenant_id, mine.endpoint_id, mine.lane,
           max(due_at) FILTER (WHERE NOT out_of_order) AS due_at,
           max(CASE WHEN stands.enabled THEN endpoint.reason END) AS disabled_for
      FROM mine
      LEFT JOIN endpoint USING (tenant_id, endpoint_id)
      LEFT JOIN webhook_endpoint AS stands ON stands.tenant_id = mine.tenant_id AND stands.id = mine.endpoint_id
     GROUP BY mine.tenant_id, mine.endpoint_id, mine.lane
"""

PROMOTE = """
    -- The first of each of these lanes is due, at once or when it is to be retried.
    UPDATE delivery
       SET due_at = coalesce(first.due_at, now())
      FROM (SELECT waiting.row, touched.due_at
              FROM unnest($1::int[], $2::text[], $3::text[], $4::timestamptz[])
                AS touched (tenant_id, endpoint_id, lane, due_at)
             CROSS JOIN LATERAL (
                   SELECT ctid AS row
                     FROM delivery
                    WHERE tenant_id = touched.tenant_id AND endpoint_id = touched.endpoint_id AND lane = touched.lane
                      AND due_at IS NULL AND failed_at IS NULL
                    ORDER BY position, sequence
                    LIMIT 1) AS waiting) AS first
     WHERE delivery.ctid = first.row
"""


class Disabled(NamedTuple):
    """An endpoint that was disabled just now, and why."""

    endpoint: EndpointKey
    reason: str


Lane = list[Claimed]
"""Deliveries that go one after another, in their order."""


class Deliveries:
    """What the workers do with deliveries.

    Args:
        lease: Seconds that a claim lasts.
    """

    def __init__(self, pool: Pool, lease: float) -> None:
        self.pool, self.lease = pool, lease

    async def claim(self, endpoint: EndpointKey, lanes: int, token: int) -> list[Lane]:
        """Claim up to so many lanes that are due."""
        with translated():
            async with self.pool.connection() as connection:
                rows = await connection.fetch(CLAIM, *endpoint, lanes, LONGEST_LANE - 1, token, self.lease, MOST_BEHIND)
        claimed = sorted((Claimed(**row) for row in rows), key=attrgetter("lane", "position", "sequence"))
        return [list(lane) for _, lane in groupby(claimed, attrgetter("lane"))]

    async def record(self, outcomes: Sequence[Outcome]) -> list[Disabled]:
        """Record what became of claimed deliveries, and give the endpoints that this disabled.

        Args:
            outcomes: Of all deliveries of each lane that were claimed together.
        """
        with translated():
            async with self.pool.connection() as connection, transaction(connection, LOCK_WAIT, durable=False):
                await connection.fetch(HOLD, *arrays(sorted(endpoints_of(outcomes)), 2))
                touched = await connection.fetch(RECORD, *arrays([outcome_row(outcome) for outcome in outcomes], 22))
                lanes = [(row["tenant_id"], row["endpoint_id"], row["lane"], row["due_at"]) for row in touched]
                await connection.fetch(PROMOTE, *arrays(lanes, 4))
                await connection.execute("COMMIT")
        return newly_disabled(touched)


def endpoints_of(outcomes: Iterable[Outcome]) -> set[EndpointKey]:
    """Name the endpoints of some outcomes."""
    return {EndpointKey(outcome.delivery.tenant_id, outcome.delivery.endpoint_id) for outcome in outcomes}


def outcome_row(outcome: Outcome) -> tuple[Any, ...]:
    """Give the values of an outcome, in the order of RECORD."""
    delivery, attempt = outcome.delivery, outcome.attempt
    told: tuple[Any, ...] = (None,) * 9
    if attempt:
        told = (
            attempt.attempted_at, attempt.duration_ms, attempt.address, attempt.status, attempt.answer, attempt.error,
            attempt.succeeded, attempt.is_gone, outcome.rest,
        )  # fmt: skip
    return (
        delivery.tenant_id, delivery.endpoint_id, delivery.lane, delivery.position, delivery.sequence,
        delivery.event_id, delivery.claim, outcome.fate, outcome.due_at, outcome.retry_at, outcome.out_of_order,
        outcome.attempt_id, *told, outcome.resumed_at,
    )  # fmt: skip


def newly_disabled(touched: Iterable[asyncpg.Record]) -> list[Disabled]:
    """List the endpoints that were disabled by what was recorded, each once."""
    found = {
        EndpointKey(row["tenant_id"], row["endpoint_id"]): row["disabled_for"] for row in touched if row["disabled_for"]
    }
    return [Disabled(endpoint, reason) for endpoint, reason in found.items()]
