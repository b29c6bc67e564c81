"""A day of payments is a range of their ids, and just the payments of that day."""

import asyncio
from datetime import UTC, datetime, timedelta

from owed.model.identifiers import PAYMENT, REFUND, REVERSAL, id_at, milliseconds
from owed.store.control_totals import SLACK, Totals, added_up, by_currency
from owed.store.streams import Streams
from tests.database.places import value

MIDNIGHT = datetime(2026, 3, 5, tzinfo=UTC)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)

PAID = """
    INSERT INTO payment (tenant_id, id, channel, amount, currency, paid_at, created_at, applications, amount_refunded,
                         amount_reversed, version, updated_at)
    VALUES ({tenant}, '{id}', {channel}, {amount}, '{currency}', '{at}', '{at}', '[]', 0, 0, 1, '{at}')
"""

TAKEN_BACK = """
    INSERT INTO {table} (tenant_id, id, payment_id, amount, currency, applications, occurred_at, created_at)
    VALUES ({tenant}, '{id}', '{payment}', {amount}, 'ZAR', '[]', '{at}', '{at}')
"""

LEFT = """
    INSERT INTO transfer (tenant_id, obligation_id, version, id, amount, currency, total_after, debit, credit, cause,
                          key_id, occurred_at, recorded_at, hash)
    VALUES ({tenant}, '{payment}', {version}, 'tra_1', {amount}, 'ZAR', 0, 'clearing', 'unallocated', '{cause}',
            'key_1', '{at}', '{at}', '')
"""


def paid(dsn: str, tenant: int, at: datetime, amount: int, *, late: timedelta = timedelta(), **members: str) -> str:
    """Insert a payment of a time, whose id may be of a later one; return the id."""
    payment = id_at(PAYMENT, milliseconds(at + late) + amount % 7)  # no two have one id
    members = {"channel": "NULL", "currency": "ZAR", **members}
    value(dsn, PAID.format(tenant=tenant, id=payment, amount=amount, at=at.isoformat(), **members))
    return payment


def taken_back(dsn: str, tenant: int, table: str, payment: str, amount: int, at: datetime) -> None:
    prefix = REFUND if table == "refund" else REVERSAL
    members = {"table": table, "tenant": tenant, "id": id_at(prefix, milliseconds(at)), "payment": payment}
    value(dsn, TAKEN_BACK.format(amount=amount, at=at.isoformat(), **members))


def totals(dsn: str, tenant: int, since: datetime = MIDNIGHT) -> list[Totals]:
    """Add up the day that begins at a time."""

    async def read() -> list[Totals]:
        streams = Streams(dsn, 1)
        try:
            async with streams.reading() as reading:
                return await added_up(reading, tenant, since, since + DAY)
        finally:
            await streams.close()

    return asyncio.run(read())


def test_a_day_begins_at_midnight_and_ends_just_before_the_next(dsn: str, tenant: int) -> None:
    for number, at in enumerate((MIDNIGHT - TICK, MIDNIGHT, MIDNIGHT + DAY - TICK, MIDNIGHT + DAY)):
        paid(dsn, tenant, at, 10**number)

    assert totals(dsn, tenant) == [Totals(currency="ZAR", count=2, amount=110)]
    assert totals(dsn, tenant, MIDNIGHT - DAY) == [Totals(currency="ZAR", count=1, amount=1)]
    assert totals(dsn, tenant, MIDNIGHT + DAY) == [Totals(currency="ZAR", count=1, amount=1000)]


def test_an_id_may_be_of_a_later_time_than_its_payment(dsn: str, tenant: int) -> None:
    """As where two batches of a worker overlap at midnight: ids never go back."""
    paid(dsn, tenant, MIDNIGHT + DAY - TICK, 1, late=SLACK / 2)

    assert totals(dsn, tenant) == [Totals(currency="ZAR", count=1, amount=1)]
    assert totals(dsn, tenant, MIDNIGHT + DAY) == []


def test_what_is_taken_back_counts_on_the_day_on_which_it_is(dsn: str, tenant: int) -> None:
    payment = paid(dsn, tenant, MIDNIGHT - DAY, 100, channel="'eft'")
    taken_back(dsn, tenant, "refund", payment, 20, MIDNIGHT + DAY / 2)
    taken_back(dsn, tenant, "reversal", payment, 3, MIDNIGHT + DAY / 3)

    assert totals(dsn, tenant) == [Totals(channel="eft", currency="ZAR", refunded=20, reversed=3)]
    assert totals(dsn, tenant, MIDNIGHT - DAY) == [Totals(channel="eft", currency="ZAR", count=1, amount=100)]


def test_what_fitted_nothing_stays_told_of_when_it_is_allocated(dsn: str, tenant: int) -> None:
    """It is the first transfer of the payment's own; what was moved away later, and came back, is none."""
    received, moved = paid(dsn, tenant, MIDNIGHT, 100), paid(dsn, tenant, MIDNIGHT, 50)
    for payment, version, amount, cause in (
        (received, 1, -40, "payment"), (received, 2, 40, "allocation"), (moved, 1, -50, "move"),
    ):  # fmt: skip
        members = {"tenant": tenant, "payment": payment, "at": MIDNIGHT.isoformat()}
        value(dsn, LEFT.format(version=version, amount=amount, cause=cause, **members))

    assert totals(dsn, tenant) == [Totals(currency="ZAR", count=2, amount=150, unallocated=40)]


def test_another_tenants_payments_do_not_count(dsn: str, tenant: int) -> None:
    paid(dsn, tenant, MIDNIGHT, 1)

    assert totals(dsn, tenant + 1_000_000) == []


def test_lines_are_added_up_by_currency() -> None:
    lines = [
        Totals(channel="eft", currency="ZAR", count=1, amount=2**62, refunded=3),
        Totals(channel="card", currency="USD", count=1, amount=5),
        Totals(method="cash", currency="ZAR", count=2, amount=2**62, unallocated=1),
    ]

    assert by_currency(lines) == [
        Totals(currency="USD", count=1, amount=5),
        Totals(currency="ZAR", count=3, amount=2**63, refunded=3, unallocated=1),
    ]
