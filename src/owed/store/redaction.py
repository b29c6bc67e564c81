"""Redaction: what was told of a person before the erasure, taken out of events and stored answers step by step.

Each step is a transaction of its own, and says how far it has come. Whoever comes after a crash goes on from there; two
who are at it at once only do some of it twice.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import asyncpg

from owed.core.redacting import names_any, redacted_event, redacted_problem
from owed.core.state import Name
from owed.database.pool import Connection, Pool
from owed.model.account import Account
from owed.model.answer import Answer
from owed.model.billing_object import BillingObject
from owed.model.customer import Customer
from owed.model.identifiers import ACCOUNT, CUSTOMER
from owed.model.search import owner_term
from owed.store import objects
from owed.store.failures import translated
from owed.store.tables import arrays

EVENTS_STEP = 500
"""Events that a step redacts at most."""

ANSWERS_STEP = 5_000
"""Answers that a step looks at."""

RECALLED_AFTER = 0.25
"""Seconds until every delivery worker has heard that it must not send what it had claimed before."""

ACCOUNTS_OF = """
    SELECT object_id
      FROM search_term
     WHERE tenant_id = $1 AND term = $2 AND object_id > $3 AND object_id < 'bacc_~'
     ORDER BY object_id
"""

UNFINISHED = """
    -- The erasures of a customer and of its accounts of which something is left.
    SELECT tenant_id, id, version, reference, up_to, redacted_to
      FROM erasure
     WHERE tenant_id = $1 AND finished_version < version
       AND (id = $2 OR EXISTS (SELECT FROM search_term
                                WHERE search_term.tenant_id = $1 AND term = $3 AND object_id = erasure.id))
     ORDER BY id
"""

LEFT = """
    -- All of which something is left, of a tenant that is found first.
    SELECT tenant_id, id, version, reference, up_to, redacted_to
      FROM erasure
     WHERE tenant_id = (SELECT tenant_id FROM erasure WHERE finished_version < version LIMIT 1)
       AND finished_version < version
     ORDER BY id
     LIMIT 1000
"""

IS_TOLD = """
    SELECT FROM webhook_endpoint WHERE tenant_id = $1 AND enabled AND deleted_at IS NULL LIMIT 1
"""

EVENTS = """
    -- The next events of an object that may tell of the person.
    SELECT sequence, id, body
      FROM event
     WHERE tenant_id = $1 AND object_id = $2 AND sequence > $3 AND sequence <= $4
     ORDER BY sequence
     LIMIT $5
"""

REDACT = """
    -- Put redacted events in place, forget what receivers have answered to them, and say how far this has come.
      WITH given AS MATERIALIZED (
    SELECT * FROM unnest($3::text[], $4::bytea[]) AS given (id, body)
         ), redacted AS (
    UPDATE event
       SET body = given.body
      FROM given
     WHERE event.tenant_id = $1 AND event.id = given.id
         ), forgotten AS (
    UPDATE delivery_attempt
       SET answer = NULL
      FROM given
     WHERE delivery_attempt.tenant_id = $1 AND delivery_attempt.event_id = given.id AND answer IS NOT NULL
         )
    UPDATE erasure
       SET redacted_to = greatest(redacted_to, $5), redacted_at = CASE WHEN $5 >= up_to THEN now() ELSE redacted_at END
     WHERE tenant_id = $1 AND id = $2
"""

ANSWERS = """
    -- A step through the stored answers of a tenant: those that show one of some objects, which then begin with its id,
    -- all refusals, and the last that it looked at.
      WITH examined AS MATERIALIZED (
    SELECT key, status, body, recorded_at FROM answer WHERE tenant_id = $1 AND key > $2 ORDER BY key LIMIT $4
         )
    SELECT key, status, body, recorded_at
      FROM examined
     WHERE status >= 400 OR substring(body FROM 8 FOR 27) = ANY($3::bytea[])
        OR key = (SELECT max(key) FROM examined)
     ORDER BY key
"""

REPLACE = """
    UPDATE answer
       SET body = given.body, etag = given.etag, last_modified = given.last_modified
      FROM unnest($2::text[], $3::timestamptz[], $4::bytea[], $5::text[], $6::text[])
        AS given (key, recorded_at, body, etag, last_modified)
     WHERE answer.tenant_id = $1 AND answer.key = given.key AND answer.recorded_at = given.recorded_at
"""

FINISHED = """
    UPDATE erasure
       SET finished_version = erasure.version, reference = NULL
      FROM unnest($2::text[], $3::bigint[]) AS done (id, version)
     WHERE erasure.tenant_id = $1 AND erasure.id = done.id AND erasure.version = done.version
"""

KINDS = {CUSTOMER: Customer.kind, ACCOUNT: Account.kind}
"""The kinds of what can be erased, by the prefixes of their ids."""

Shown = Callable[[BillingObject], Answer]
"""Makes the answer that shows an object as it stands."""


class Left(NamedTuple):
    """An erasure of which something is left."""

    tenant_id: int
    id: str
    version: int
    reference: str | None
    up_to: int
    redacted_to: int


class Redaction:
    """Redacts what was told of those who were erased.

    Args:
        shown: Makes what stands in the place of an answer that showed an object.
    """

    def __init__(self, pool: Pool, shown: Shown) -> None:
        self._pool = pool
        self._shown = shown

    async def accounts_of(self, tenant_id: int, customer_id: str) -> list[str]:
        """List the ids of the accounts of a customer."""
        rows = await self._fetch(ACCOUNTS_OF, tenant_id, owner_term(customer_id), ACCOUNT)
        return [row["object_id"] for row in rows]

    async def finish(self, tenant_id: int, customer_id: str) -> None:
        """Redact all that was told of a customer and its accounts before they were erased."""
        rows = await self._fetch(UNFINISHED, tenant_id, customer_id, owner_term(customer_id))
        await self._redact([Left(*row) for row in rows])

    async def finish_left(self) -> None:
        """Redact what others have left undone, tenant by tenant."""
        while rows := await self._fetch(LEFT):
            await self._redact([Left(*row) for row in rows])

    async def _redact(self, erasures: list[Left]) -> None:
        """Redact what is left of some erasures of one tenant: events first, for they go out."""
        if not erasures:
            return
        tenant_id = erasures[0].tenant_id
        standing = await self._standing(tenant_id, erasures)
        for erasure in erasures:
            await self._redact_events(erasure, standing[erasure.id].external_reference)
        if await self._fetch(IS_TOLD, tenant_id):
            await asyncio.sleep(RECALLED_AFTER)
        place: str | None = ""
        while place is not None:
            place = await self._redact_answers(tenant_id, erasures, standing, place)
        done = [(erasure.id, erasure.version) for erasure in erasures]
        await self._fetch(FINISHED, tenant_id, *arrays(done, 2))

    async def _standing(self, tenant_id: int, erasures: Iterable[Left]) -> dict[str, BillingObject]:
        """Read the objects as they stand, by id."""
        names = [Name(kind_of(erasure.id), tenant_id, erasure.id) for erasure in erasures]
        with translated():
            async with self._pool.connection() as connection:
                found = await objects.load(connection, names)
        return {item.id: item for item in found if isinstance(item, BillingObject)}

    async def _redact_events(self, erasure: Left, reference: str) -> None:
        """Redact the events of an object, step by step."""
        place = erasure.redacted_to
        while place < erasure.up_to:
            rows = await self._fetch(EVENTS, erasure.tenant_id, erasure.id, place, erasure.up_to, EVENTS_STEP)
            place = rows[-1]["sequence"] if len(rows) == EVENTS_STEP else erasure.up_to
            bodies = [(row["id"], redacted_event(row["body"], reference)) for row in rows]
            await self._fetch(REDACT, erasure.tenant_id, erasure.id, *arrays(bodies, 2), place)

    async def _redact_answers(
        self, tenant_id: int, erasures: list[Left], standing: Mapping[str, BillingObject], place: str
    ) -> str | None:
        """Redact the next stored answers after a key, and tell how far this has come; None: to the end."""
        ids = [each.encode() for each in standing]
        with translated():
            async with self._pool.connection() as connection:
                rows = await connection.fetch(ANSWERS, tenant_id, place, ids, ANSWERS_STEP)
                await self._replace(connection, tenant_id, erasures, standing, rows)
        return rows[-1]["key"] if rows else None

    async def _replace(
        self,
        connection: Connection,
        tenant_id: int,
        erasures: Iterable[Left],
        standing: Mapping[str, BillingObject],
        rows: list[asyncpg.Record],
    ) -> None:
        """Put in the place of answers that tell of the person what may be told now."""
        references = {erasure.reference for erasure in erasures if erasure.reference}
        replaced = []
        for row in rows:
            now = self._answer(row["status"], row["body"], references, standing)
            if now is not None:
                replaced.append((row["key"], row["recorded_at"], now.body, now.etag, now.last_modified))
        await connection.fetch(REPLACE, tenant_id, *arrays(replaced, 5))

    def _answer(
        self, status: int, body: bytes, references: set[str], standing: Mapping[str, BillingObject]
    ) -> Answer | None:
        """Give what stands in the place of an answer, None where it tells nothing of the person."""
        if status >= 400:
            return Answer(status, redacted_problem(body, references)) if names_any(body, references) else None
        item = standing.get(body[7:34].decode(errors="replace"))
        return self._shown(item) if item else None

    async def _fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        with translated():
            async with self._pool.connection() as connection:
                return await connection.fetch(statement, *values)


def kind_of(object_id: str) -> str:
    """Tell what kind of object an id is of."""
    return KINDS[object_id[: object_id.index("_") + 1]]
