"""The books of one tenant, read page by page in short statements."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from owed.core.verification.adjustments import AdjustmentRow
from owed.core.verification.broken import Broken
from owed.core.verification.chain import Head
from owed.core.verification.rows import DocumentRow, PaymentRow
from owed.core.verification.words import Words
from owed.database.pool import Pool
from owed.model.adjustment import Charge, Credit
from owed.model.identifiers import ALLOCATION, CHARGE, CREDIT, MOVE, PAYMENT, REFUND, REVERSAL, id_at, milliseconds
from owed.model.payment import Application
from owed.model.payment_document import Share
from owed.model.transfer import Transfer
from owed.store.failures import translated

PAGE = 2_000
"""Rows of one statement: a few milliseconds, and a megabyte or so."""

HEADS = """
    -- All kinds in the order of ids, which is that of their transfers; of payments those that have any of their own.
    SELECT id, currency, total, transfer_version, transfer_hash,
           CASE WHEN transferred_at BETWEEN '0001-01-02Z' AND '9999-12-30Z' THEN transferred_at END,
           tracked, amount_due, amount_paid, amount_received, amount_credited, status
      FROM ((SELECT id, currency, total, transfer_version, transfer_hash, transferred_at, tracked,
                    NULL::int AS amount_due, NULL::int AS amount_paid, NULL::int AS amount_received,
                    NULL::int AS amount_credited, NULL AS status
               FROM account WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3)
            UNION ALL
            (SELECT id, currency, total, transfer_version, transfer_hash, transferred_at, tracked,
                    NULL, NULL, NULL, NULL, NULL
               FROM customer WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3)
            UNION ALL
            (SELECT id, currency, total, transfer_version, transfer_hash, transferred_at, NULL,
                    amount_due, amount_paid, amount_received, amount_credited, status
               FROM bill WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3)
            UNION ALL
            (SELECT id, currency, unallocated_total, unallocated_version, unallocated_hash,
                    unallocated_transferred_at, NULL, NULL, NULL, NULL, NULL, NULL
               FROM payment WHERE tenant_id = $1 AND id > $2 AND unallocated_version > 0 ORDER BY id LIMIT $3)
           ) AS head
     ORDER BY id
     LIMIT $3
"""

COUNTED = """
    -- How many transfers an object counts now.
    SELECT transfer_version FROM account WHERE tenant_id = $1 AND id = $2
     UNION ALL
    SELECT transfer_version FROM customer WHERE tenant_id = $1 AND id = $2
     UNION ALL
    SELECT transfer_version FROM bill WHERE tenant_id = $1 AND id = $2
     UNION ALL
    SELECT unallocated_version FROM payment WHERE tenant_id = $1 AND id = $2
"""

TRANSFERS = """
    -- Times that nobody can have written are brought within what Python knows; their seals break all the same.
    SELECT tenant_id, obligation_id, version, id, amount, currency, total_after, debit, credit, cause, key_id,
           attribution_id, attribution_digest,
           least(greatest(occurred_at, '0001-01-02Z'), '9999-12-30Z'),
           least(greatest(recorded_at, '0001-01-02Z'), '9999-12-30Z'),
           payment_id, taken_back_id, document_id, hash
      FROM transfer
     WHERE tenant_id = $1 AND (obligation_id, version) > ($2, $3) AND obligation_id <= $4
     ORDER BY tenant_id, obligation_id, version
     LIMIT $5
"""

WORDS = """
    -- Those that nobody has erased.
    SELECT id, actor, reason, salt
      FROM attribution
     WHERE tenant_id = $1 AND id = ANY($2::text[]) AND (actor IS NOT NULL OR reason IS NOT NULL)
"""

PAYMENTS = """
    -- With what changed one since the time up to which payments are compared: its amounts count that too.
    SELECT id, amount, currency, channel, least(greatest(paid_at, '0001-01-02Z'), '9999-12-30Z'),
           applications, amount_refunded, amount_reversed, unallocated_total,
           CASE WHEN updated_at >= $4 THEN (
                SELECT json_agg(json_build_array(
                           id, kind, payment_id, amount, currency, applications, amount_unallocated, origin))
                  FROM ((SELECT 'refund' AS kind, id, payment_id, amount, currency, applications,
                                amount_unallocated, NULL::json AS origin
                           FROM refund WHERE tenant_id = $1 AND id >= $5 ORDER BY id)
                         UNION ALL
                        (SELECT 'reversal', id, payment_id, amount, currency, applications, amount_unallocated, NULL
                           FROM reversal WHERE tenant_id = $1 AND id >= $6 ORDER BY id)
                         UNION ALL
                        (SELECT 'allocation', id, payment_id, amount, currency, applications, 0, NULL
                           FROM allocation WHERE tenant_id = $1 AND id >= $7 ORDER BY id)
                         UNION ALL
                        (SELECT 'move', id, payment_id, amount, currency, applications, 0, origin
                           FROM move WHERE tenant_id = $1 AND id >= $8 ORDER BY id)
                       ) AS later
                 WHERE later.payment_id = payment.id
           ) END AS later
      FROM payment
     WHERE tenant_id = $1 AND id > $2 AND id < $3
     ORDER BY id
     LIMIT $9
"""

DOCUMENTS = """
    SELECT {kind}.id, '{kind}' AS kind, payment_id, {kind}.amount, {kind}.currency, {kind}.applications,
           {amount_unallocated} AS amount_unallocated, {origin} AS origin, channel,
           least(greatest({kind}.{occurred_at}, '0001-01-02Z'), '9999-12-30Z')
      FROM {kind}
      LEFT JOIN payment ON payment.tenant_id = {kind}.tenant_id AND payment.id = {kind}.payment_id
     WHERE {kind}.tenant_id = $1 AND {kind}.id > $2 AND {kind}.id < $3
     ORDER BY {kind}.id
     LIMIT $4
"""

ADJUSTMENTS = """
    SELECT id, {cause} AS cause, object_id, amount, currency, total_after,
           least(greatest(occurred_at, '0001-01-02Z'), '9999-12-30Z'),
           CASE WHEN reversed_at IS NOT NULL THEN least(greatest(reversed_at, '0001-01-02Z'), '9999-12-30Z') END
      FROM {kind}
     WHERE tenant_id = $1 AND id > $2 AND id < $3
     ORDER BY id
     LIMIT $4
"""

CAUSES = {Charge.kind: "'charge'", Credit.kind: "coalesce(type, 'credit')"}
"""The cause of the transfers of a charge or a credit, in SQL."""


def taking_back(kind: str) -> str:
    """Give the statement that reads refunds, or reversals."""
    own = {"amount_unallocated": f"{kind}.amount_unallocated", "origin": "NULL::text", "occurred_at": "occurred_at"}
    return DOCUMENTS.format(kind=kind, **own)


def reallocating(kind: str, origin: str) -> str:
    """Give the statement that reads allocations, or moves."""
    return DOCUMENTS.format(kind=kind, amount_unallocated="0::bigint", origin=origin, occurred_at="created_at")


OF_PAYMENTS = (
    (REFUND, taking_back("refund")),
    (REVERSAL, taking_back("reversal")),
    (ALLOCATION, reallocating("allocation", "NULL::text")),
    (MOVE, reallocating("move", "move.origin")),
)
"""The prefix of what changes payments, and the statement that reads it, for each kind."""

APPLICATIONS = msgspec.json.Decoder(tuple[Application, ...])
SHARES = msgspec.json.Decoder(tuple[Share, ...])
ORIGIN = msgspec.json.Decoder(Share)
LATER = msgspec.json.Decoder(tuple[DocumentRow, ...])

Page = Sequence[asyncpg.Record]


class Books:
    """The books of one tenant. Each page is a statement of its own, and may be newer than the one before it."""

    def __init__(self, pool: Pool, tenant_id: int = 0) -> None:
        self._pool = pool
        self._tenant_id = tenant_id

    async def fetch(self, sql: str, *values: Any) -> Page:
        """Run one statement, which is a transaction of its own."""
        with translated():
            async with self._pool.connection() as connection:
                return await connection.fetch(sql, *values)

    async def heads(self, after: str) -> list[Head]:
        """Read what the objects with the next ids say of their obligations."""
        return [Head(*row) for row in await self.fetch(HEADS, self._tenant_id, after, PAGE)]

    async def counted(self, obligation_id: str) -> int | None:
        """Read how many transfers an object counts now; None where there is no such object."""
        rows = await self.fetch(COUNTED, self._tenant_id, obligation_id)
        return rows[0][0] if rows else None

    async def transfers(self, after: str, until: str) -> AsyncIterator[list[Transfer]]:
        """Yield the transfers of a range of obligations, page by page."""
        last: tuple[str, int] = (after, 2**63 - 1 if after else 0)
        while page := await self.fetch(TRANSFERS, self._tenant_id, *last, until, PAGE):
            yield [Transfer(*row) for row in page]
            if len(page) < PAGE:
                return
            last = page[-1][1], page[-1][2]

    async def words(self, transfers: Iterable[Transfer]) -> dict[str, Words]:
        """Read the words that are kept for transfers, by the id of their record."""
        ids = {transfer.attribution_id for transfer in transfers if transfer.attribution_id is not None}
        rows = await self.fetch(WORDS, self._tenant_id, ids) if ids else ()
        return {row[0]: Words(*row[1:]) for row in rows}

    async def payments(self, before: datetime) -> AsyncIterator[list[PaymentRow]]:
        """Yield the payments that were made before a time, page by page."""
        first_ids = [id_at(prefix, milliseconds(before)) for prefix, _ in OF_PAYMENTS]
        async for page in self._pages(PAYMENTS, id_at(PAYMENT, milliseconds(before)), before, *first_ids):
            yield list(map(payment_of, page))

    async def documents(self, before: datetime) -> AsyncIterator[list[DocumentRow]]:
        """Yield the refunds, reversals, allocations and moves that were made before a time, page by page."""
        for prefix, sql in OF_PAYMENTS:
            async for page in self._pages(sql, id_at(prefix, milliseconds(before))):
                yield list(map(document_of, page))

    async def adjustments(self, before: datetime) -> AsyncIterator[list[AdjustmentRow]]:
        """Yield the charges and credits that were made before a time, page by page."""
        for kind, prefix in ((Charge.kind, CHARGE), (Credit.kind, CREDIT)):
            sql = ADJUSTMENTS.format(kind=kind, cause=CAUSES[kind])
            async for page in self._pages(sql, id_at(prefix, milliseconds(before))):
                yield [AdjustmentRow(*row) for row in page]

    async def _pages(self, sql: str, *values: Any) -> AsyncIterator[Page]:
        """Yield the pages of a statement that gives the rows after an id."""
        last = ""
        while page := await self.fetch(sql, self._tenant_id, last, *values, PAGE):
            yield page
            last = page[-1]["id"]


def payment_of(row: asyncpg.Record) -> PaymentRow:
    """Give what the row of a payment says."""
    payment_id, amount, currency, channel, paid_at, _, refunded, reversed_, unallocated, later = row
    applications = decoded(APPLICATIONS, row, "applications")
    changed = LATER.decode(later) if later else ()
    return PaymentRow(
        payment_id, amount, currency, channel, paid_at, applications, refunded, reversed_, -unallocated, changed
    )


def document_of(row: asyncpg.Record) -> DocumentRow:
    """Give what the row of a refund, a reversal, an allocation or a move says."""
    document_id, kind, payment_id, amount, currency, _, unallocated, origin, channel, occurred_at = row
    shares = decoded(SHARES, row, "applications")
    taken = None if origin is None else decoded(ORIGIN, row, "origin")
    return DocumentRow(
        document_id, kind, payment_id, amount, currency, shares, unallocated, taken, channel, occurred_at
    )


def decoded(decoder: "msgspec.json.Decoder[Any]", row: asyncpg.Record, column: str) -> Any:
    """Read a column of a row that holds JSON.

    Raises:
        Broken: It holds something else.
    """
    try:
        return decoder.decode(row[column])
    except msgspec.DecodeError as error:
        raise Broken(f"its {column} cannot be read: {error}", row["id"]) from error
