"""Statements: all that happened to what a customer owes in a period, each obligation by itself.

It is one walk through the rows of one query: for each obligation and currency first what it stood at before the period,
then its transfers, in the order of their time.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

import asyncpg
import msgspec

from owed.model.search import owner_term
from owed.store.entries import Entry
from owed.store.streams import Reading, Rows


class Basis(StrEnum):
    """Which time of a transfer decides whether it is in a period."""

    EFFECTIVE = "effective"
    RECORDED = "recorded"


LINES = """
    -- Nothing is recorded before it has happened. So what was recorded before the period had happened by then too, and
    -- comes to the total after the last of it; what was recorded since is read. A bill that was settled before the
    -- period and has rested since is left out at once, and so is money of a payment that was allocated by then.
      WITH obligation AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY kind <> 'customer', id) AS place, kind, id, external_reference,
           transfers_before($1, id, $3) AS before,
           {last} AS last
      FROM (SELECT 'customer' AS kind, id, external_reference FROM customer WHERE tenant_id = $1 AND id = $2
             UNION ALL
            SELECT 'account', account.id, account.external_reference
              FROM search_term
              JOIN account ON account.tenant_id = $1 AND account.id = search_term.object_id
             WHERE search_term.tenant_id = $1 AND term = $5 AND object_id LIKE 'bacc\\_%'
             UNION ALL
            SELECT 'bill', bill.id, bill.external_reference
              FROM search_term
              JOIN bill ON bill.tenant_id = $1 AND bill.id = search_term.object_id
             WHERE search_term.tenant_id = $1 AND term = $5 AND object_id LIKE 'bill\\_%'
               AND (bill.total <> 0 OR bill.transferred_at >= $3)
             UNION ALL
            SELECT 'payment', id, external_reference
              FROM payment
             WHERE tenant_id = $1 AND unallocated_customer_id = $2 AND unallocated_version > 0
               AND (unallocated_total <> 0 OR unallocated_transferred_at >= $3)) AS owing
         ), line AS (
    SELECT place, kind, obligation.id AS object_id, external_reference, transfer.currency,
           '-infinity'::timestamptz AS at, true AS is_before,
           0 AS version, NULL AS id, total_after AS amount, 0 AS total_after, NULL AS cause, NULL AS payment_id,
           NULL AS taken_back_id, NULL AS document_id, NULL AS attribution_id,
           NULL::timestamptz AS occurred_at, NULL::timestamptz AS recorded_at
      FROM obligation
      JOIN transfer ON transfer.tenant_id = $1 AND obligation_id = obligation.id AND version = before
     UNION ALL
    SELECT place, kind, obligation.id, external_reference, transfer.currency,
           {time}, {time} < $3,
           version, transfer.id, amount, total_after, cause, payment_id,
           taken_back_id, document_id, attribution_id, occurred_at, recorded_at
      FROM obligation
      JOIN transfer ON transfer.tenant_id = $1 AND obligation_id = obligation.id
     WHERE version > before AND version <= last AND {time} < $4
         )
    SELECT kind, object_id, external_reference, currency, is_before,
           version, line.id, amount, total_after, currency, cause, payment_id, taken_back_id, document_id,
           words.actor, words.reason, occurred_at, recorded_at
      FROM line
      LEFT JOIN LATERAL (SELECT actor, reason FROM attribution
                          WHERE tenant_id = $1 AND attribution.id = line.attribution_id LIMIT 1) AS words ON true
     ORDER BY place, currency, at, version
"""

STATEMENTS = {
    Basis.EFFECTIVE: LINES.format(time="occurred_at", last="9223372036854775807"),
    Basis.RECORDED: LINES.format(time="recorded_at", last="transfers_before($1, id, $4)"),
}


class Asked(NamedTuple):
    """What statement is asked for.

    Attributes:
        since: What is of this time is in it.
        until: What is of this time is not in it any more.
    """

    tenant_id: int
    customer_id: str
    basis: Basis
    since: datetime
    until: datetime


class Section(NamedTuple):
    """What a part of a statement is of: one obligation, in one currency.

    Attributes:
        kind: Of the object whose obligation it is.
    """

    kind: str
    object_id: str
    external_reference: str | None
    currency: str


IS_BEFORE = len(Section._fields)
"""Where a row says whether it is of before the period; its entry comes next."""


class Part(NamedTuple):
    """A part of a section.

    Attributes:
        opening: What was owed when the period began; there in the first part of a section.
        lines: Each with what was owed after it.
        closing: What was owed when the period had ended; there in the last part.
    """

    section: Section
    opening: int | None
    lines: list[Entry]
    closing: int | None


class Teller:
    """Adds up one section, as its rows come in."""

    def __init__(self, section: Section) -> None:
        self.section = section
        self._total = 0
        self._is_open = False

    def take(self, rows: list[asyncpg.Record]) -> Iterator[Part]:
        """Count what was before the period, and give the lines of it."""
        number = sum(row[IS_BEFORE] for row in rows)  # they come first
        self._total += sum(row["amount"] for row in rows[:number])
        if number < len(rows):
            opening, lines = self._opening(), [self._line(Entry(*row[IS_BEFORE + 1 :])) for row in rows[number:]]
            yield Part(self.section, opening, lines, None)

    def end(self) -> Iterator[Part]:
        """Close the section, unless there is nothing to tell of."""
        if self._is_open or self._total:
            yield Part(self.section, self._opening(), [], self._total)

    def _opening(self) -> int | None:
        was_open, self._is_open = self._is_open, True
        return None if was_open else self._total

    def _line(self, entry: Entry) -> Entry:
        self._total += entry.amount
        if entry.total_after == self._total:
            return entry
        return msgspec.structs.replace(entry, total_after=self._total)


async def parts(reading: Reading, asked: Asked) -> AsyncIterator[list[Part]]:
    """Yield the parts of a statement, as many at a time as come in together."""
    teller: Teller | None = None
    values = asked.tenant_id, asked.customer_id, asked.since, asked.until, owner_term(asked.customer_id)
    async for page in reading.rows(STATEMENTS[asked.basis], *values):
        found: list[Part] = []
        for section, rows in sections(page):
            if teller is None or teller.section != section:
                found += teller.end() if teller else ()
                teller = Teller(section)
            found += teller.take(rows)
        yield found
    if teller:
        yield list(teller.end())


def sections(page: Rows) -> Iterator[tuple[Section, list[asyncpg.Record]]]:
    """Part rows by what they are of."""
    for key, rows in groupby(page, key=lambda row: row[:IS_BEFORE]):
        yield Section(*key), list(rows)
