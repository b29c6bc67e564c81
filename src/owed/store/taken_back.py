"""Refunds and reversals in PostgreSQL: two tables of one shape, in which nothing ever changes."""

from operator import attrgetter
from typing import Any, TypeVar

import asyncpg
import msgspec

from owed.model.identifiers import REFUND, REVERSAL
from owed.model.taken_back import Refund, Reversal, Share, TakenBack
from owed.store.tables import Table, metadata_of, to_json

Kind = TypeVar("Kind", bound=TakenBack)

COLUMNS = {
    "tenant_id": "int",
    "id": "text",
    "payment_id": "text",
    "external_reference": "text",
    "amount": "bigint",
    "currency": "text",
    "reason": "text",
    "occurred_at": "timestamptz",
    "created_at": "timestamptz",
}
"""The columns that hold just what the members of their names are."""

SHARES = msgspec.json.Decoder(tuple[Share, ...])

plain = attrgetter(*COLUMNS)


def table(kind: type[Kind], prefix: str) -> Table[Kind]:
    """Make the table of one kind."""

    def read(row: asyncpg.Record) -> Kind:
        return kind(
            **{name: row[name] for name in COLUMNS},
            applications=SHARES.decode(row["applications"]),
            metadata=metadata_of(row["metadata"]),
        )

    columns = {**COLUMNS, "applications": "json", "metadata": "json"}
    return Table(kind.kind, prefix, fixed=columns, changing={}, read=read, values=values)


def values(taken_back: TakenBack) -> tuple[Any, ...]:
    """Give the values of a refund or a reversal, in the order of the columns."""
    return (*plain(taken_back), to_json(taken_back.applications), to_json(taken_back.metadata))


REFUNDS = table(Refund, REFUND)
REVERSALS = table(Reversal, REVERSAL)
