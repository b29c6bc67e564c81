"""What changes payments, in PostgreSQL: tables of one shape, in which nothing ever changes."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, TypeVar

import asyncpg
import msgspec

from owed.model.identifiers import ALLOCATION, MOVE, REFUND, REVERSAL
from owed.model.payment_document import PaymentDocument, Share
from owed.model.reallocation import Allocation, Move
from owed.model.taken_back import Refund, Reversal
from owed.store.tables import Table, metadata_of, to_json

Kind = TypeVar("Kind", bound=PaymentDocument)

COLUMNS = {
    "tenant_id": "int",
    "id": "text",
    "payment_id": "text",
    "external_reference": "text",
    "amount": "bigint",
    "currency": "text",
    "reason": "text",
    "created_at": "timestamptz",
}
"""The columns that hold just what the members of their names are."""

JSON: dict[str, "msgspec.json.Decoder[Any]"] = {
    "applications": msgspec.json.Decoder(tuple[Share, ...]),
    "origin": msgspec.json.Decoder(Share),
}
"""What is read of the columns that hold JSON."""

TAKEN_BACK = {"amount_unallocated": "bigint", "occurred_at": "timestamptz"}
"""The columns of what takes a payment back."""


def table(kind: type[Kind], prefix: str, own: Mapping[str, str], structured: tuple[str, ...]) -> Table[Kind]:
    """Make the table of one kind.

    Args:
        own: The columns that only this kind has and that hold just what its members are.
        structured: The columns that hold JSON, but for the metadata.
    """
    columns = {**COLUMNS, **own}
    plain = attrgetter(*columns)

    def read(row: asyncpg.Record) -> Kind:
        return kind(
            **{name: row[name] for name in columns},
            **{name: JSON[name].decode(row[name]) for name in structured},
            metadata=metadata_of(row["metadata"]),
        )

    def values(document: Kind) -> tuple[Any, ...]:
        shares = (msgspec.json.encode(getattr(document, name)).decode() for name in structured)
        return (*plain(document), *shares, to_json(document.metadata))

    fixed = {**columns, **dict.fromkeys(structured, "json"), "metadata": "json"}
    return Table(kind.kind, prefix, fixed=fixed, changing={}, read=read, values=values)


REFUNDS = table(Refund, REFUND, TAKEN_BACK, ("applications",))
REVERSALS = table(Reversal, REVERSAL, TAKEN_BACK, ("applications",))
ALLOCATIONS = table(Allocation, ALLOCATION, {}, ("applications",))
MOVES = table(Move, MOVE, {}, ("applications", "origin"))
