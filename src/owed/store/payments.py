"""Payments in PostgreSQL: they go by ids, by references, and by references in a channel."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import asyncpg
import msgspec

from owed.core.state import Name, is_name
from owed.database.pool import Connection
from owed.model.identifiers import PAYMENT
from owed.model.obligation import Obligation
from owed.model.payment import Application, Payment, RuleBreach
from owed.store.tables import Table, arrays, metadata_of, to_json

WANTED = """
    -- By id; by external reference, the newest of several channels; by external reference in a channel.
      WITH wanted AS (
    SELECT wanted.tenant_id, payment.id
      FROM unnest($1::int[], $2::text[]) AS wanted (tenant_id, id)
      JOIN payment USING (tenant_id, id)
     UNION
    SELECT wanted.tenant_id, max(payment.id)
      FROM unnest($3::int[], $4::text[]) AS wanted (tenant_id, external_reference)
      JOIN payment USING (tenant_id, external_reference)
     GROUP BY wanted.tenant_id, wanted.external_reference
     UNION
    SELECT wanted.tenant_id, payment.id
      FROM unnest($5::int[], $6::text[], $7::text[]) AS wanted (tenant_id, channel, external_reference)
      JOIN payment ON payment.tenant_id = wanted.tenant_id
                  AND payment.external_reference = wanted.external_reference
                  AND coalesce(payment.channel, '') = wanted.channel
         )
    SELECT {columns}
      FROM payment
      JOIN wanted USING (tenant_id, id)
"""

HELD = "{load} ORDER BY payment.tenant_id, payment.id FOR NO KEY UPDATE OF payment"

APPLICATIONS = msgspec.json.Decoder(tuple[Application, ...])
BREACHES = msgspec.json.Decoder(tuple[RuleBreach, ...])

FIXED = {
    "tenant_id": "int",
    "id": "text",
    "external_reference": "text",
    "channel": "text",
    "method": "text",
    "provider_reference": "text",
    "amount": "bigint",
    "currency": "text",
    "paid_at": "timestamptz",
    "created_at": "timestamptz",
    "is_received": "bool",
    "possible_duplicate_of": "text",
}

CHANGING = {
    "amount_refunded": "bigint",
    "amount_reversed": "bigint",
    "last_taken_back": "text",
    "unallocated_customer_id": "text",
    "version": "bigint",
    "updated_at": "timestamptz",
}

UNALLOCATED = {
    "unallocated_total": "bigint",
    "unallocated_version": "bigint",
    "unallocated_hash": "bytea",
    "unallocated_transferred_at": "timestamptz",
}
"""The columns of the obligation that is what of a payment is applied to nothing."""

plain_fixed, plain_changing = attrgetter(*FIXED), attrgetter(*CHANGING)


def read(row: asyncpg.Record) -> Payment:
    """Make the payment that a row holds."""
    return Payment(
        **{name: row[name] for name in (*FIXED, *CHANGING)},
        metadata=metadata_of(row["metadata"]),
        applications=APPLICATIONS.decode(row["applications"]),
        unallocated=unallocated_of(row),
        rule_breaches=BREACHES.decode(breaches) if (breaches := row["rule_breaches"]) else (),
    )


def unallocated_of(row: asyncpg.Record) -> Obligation:
    """Make the obligation that is what of a payment is applied to nothing."""
    total, version, seal, recorded_at = (row[name] for name in UNALLOCATED)
    if not version:
        return Obligation()
    return Obligation(row["currency"], total, version=version, hash=seal, recorded_at=recorded_at)


def values(payment: Payment) -> tuple[Any, ...]:
    """Give the values of a payment: what never changes, and what may."""
    aside = payment.unallocated
    return (
        *plain_fixed(payment),
        to_json(payment.metadata),
        to_json(payment.rule_breaches),
        *plain_changing(payment),
        *(aside.total, aside.version, aside.hash, aside.recorded_at),
        msgspec.json.encode(payment.applications).decode(),
    )


class PaymentTable(Table[Payment]):
    """The table of payments."""

    def __init__(self) -> None:
        fixed = {**FIXED, "metadata": "json", "rule_breaches": "json"}
        changing = {**CHANGING, **UNALLOCATED, "applications": "json"}
        super().__init__(Payment.kind, PAYMENT, fixed, changing, read, values)
        self._load = WANTED.format(columns=self.columns)
        self._hold = HELD.format(load=self._load)

    async def load(self, connection: Connection, names: Iterable[Name]) -> list[Payment]:
        """Load payments by id, by external reference, or by external reference in a channel, held by nobody."""
        return list(map(read, await connection.fetch(self._load, *wanted(names))))

    async def hold(self, connection: Connection, names: Iterable[Name]) -> list[Payment]:
        """Load payments as `load` does, and hold them to the end of the transaction."""
        return list(map(read, await connection.fetch(self._hold, *wanted(names))))


def wanted(names: Iterable[Name]) -> tuple[list[Any], ...]:
    """Give names as the arrays that the statements take; some texts can be an id and a reference, others neither."""
    ids, references, in_channel = [], [], []
    for _, tenant_id, text in names:
        channel, colon, reference = text.rpartition(":")
        if not is_name(reference) or (channel and not is_name(channel)):
            continue
        if colon:
            in_channel.append((tenant_id, channel, reference))
            continue
        references.append((tenant_id, reference))
        if reference.startswith(PAYMENT):
            ids.append((tenant_id, reference))
    return (*arrays(ids, 2), *arrays(references, 2), *arrays(in_channel, 3))


PAYMENTS = PaymentTable()
