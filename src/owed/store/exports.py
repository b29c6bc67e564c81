"""Exports: whole tables as CSV. PostgreSQL writes the lines: it can while requests go on, and Python could not.

A text of a client's has an apostrophe before it where a spreadsheet would take it for a formula; one that may hold
anything is in quotes. All else is ours, and needs neither.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import NamedTuple

from owed.model.identifiers import ALLOCATION, CHARGE, CREDIT, MOVE, PAYMENT, REFUND, REVERSAL, id_at, milliseconds
from owed.store.control_totals import SLACK
from owed.store.streams import Reading

LINES = """
    -- A line of CSV for each row, in the order in which they are found: to sort millions takes longer than to send.
    SELECT concat({cells}, E'\\r\\n')
      FROM {rows}
"""


def moment(column: str) -> str:
    """Write a time as the API does."""
    return f"""to_char({column}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def guarded(column: str) -> str:
    """Write a text so that no spreadsheet takes it for a formula."""
    formula = f"left({column}, 1) IN ('=', '+', '-', '@', E'\\t', E'\\r', E'\\n')"
    return f"CASE WHEN {formula} THEN '''' || {column} ELSE {column} END"


def quoted(column: str) -> str:
    """Write a text that may hold anything."""
    doubled = f"""replace({guarded(column)}, '"', '""')"""
    return f"""'"' || {doubled} || '"'"""


def of_kind(column: str, prefix: str) -> str:
    """Write an id where it is of one kind, and else nothing."""
    return f"CASE WHEN starts_with({column}, '{prefix}') THEN {column} END"


class Export(NamedTuple):
    """A table to export.

    Attributes:
        columns: The names of the columns, and how each is written.
        rows: Where they come from: those of $1, from the time $2 on and before $3; ids may be bounded by $4 and $5.
        prefix: Of the ids, where they tell the time.
    """

    columns: Mapping[str, str]
    rows: str
    prefix: str = ""

    @property
    def sql(self) -> str:
        """Give the statement that reads it."""
        return LINES.format(cells=", ',', ".join(self.columns.values()), rows=self.rows)


ENTRIES = Export(
    {
        "obligation_id": "obligation_id",
        "number": "transfer.version",
        "id": "transfer.id",
        "amount": "amount",
        "total_after": "total_after",
        "currency": "currency",
        "cause": "cause",
        "debit": "debit",
        "credit": "credit",
        "payment_id": "payment_id",
        "refund_id": of_kind("taken_back_id", REFUND),
        "reversal_id": of_kind("taken_back_id", REVERSAL),
        "allocation_id": of_kind("document_id", ALLOCATION),
        "move_id": of_kind("document_id", MOVE),
        "charge_id": of_kind("document_id", CHARGE),
        "credit_id": of_kind("document_id", CREDIT),
        "key_id": "transfer.key_id",
        "actor": quoted("words.actor"),
        "reason": quoted("words.reason"),
        "occurred_at": moment("occurred_at"),
        "recorded_at": moment("transfer.recorded_at"),
    },
    """transfer
      LEFT JOIN LATERAL (SELECT actor, reason
                           FROM attribution
                          WHERE tenant_id = $1 AND attribution.id = transfer.attribution_id LIMIT 1) AS words ON true
     WHERE transfer.tenant_id = $1 AND transfer.recorded_at >= $2 AND transfer.recorded_at < $3""",
)

PAYMENTS = Export(
    {
        "id": "id",
        "external_reference": guarded("external_reference"),
        "channel": "channel",
        "method": "method",
        "provider_reference": quoted("provider_reference"),
        "amount": "amount",
        "amount_refunded": "amount_refunded",
        "amount_reversed": "amount_reversed",
        "amount_unallocated": "-unallocated_total",
        "unallocated_customer_id": "unallocated_customer_id",
        "currency": "currency",
        "paid_at": moment("paid_at"),
        "created_at": moment("created_at"),
    },
    """payment
     WHERE tenant_id = $1 AND created_at >= $2 AND created_at < $3 AND id >= $4 AND id < $5""",
    PAYMENT,
)


async def lines(
    reading: Reading, export: Export, tenant_id: int, since: datetime, until: datetime
) -> AsyncIterator[bytes]:
    """Yield the lines of what was recorded from one time on and before another, many at a time."""
    await reading.scanning()
    bounds = [id_at(export.prefix, milliseconds(each)) for each in (since, until + SLACK)] if export.prefix else []
    async for rows in reading.rows(export.sql, tenant_id, since, until, *bounds):
        yield "".join([row[0] for row in rows]).encode()
