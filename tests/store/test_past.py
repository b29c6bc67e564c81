"""The past: what was owed at a time is what the object showed then, and a look-up finds it (contract, 6, `as_of`)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from owed.core.create import Create
from owed.core.payments import Pay
from owed.core.taking_back import RefundPayment, ReversePayment
from owed.core.update import Update
from owed.model.billing_object import BillingObject
from owed.model.customer import Customer
from owed.model.obligation import Obligation
from owed.model.payment_rules import PaymentRules
from owed.store.past import Past
from tests.core.samples import (
    NOW,
    SECOND,
    Stamps,
    create,
    create_account,
    create_bill,
    pay,
    refund,
    reverse,
    update,
    update_bill,
    void,
)
from tests.engine.desk import DONE
from tests.store.metering import Meter
from tests.store.reading import read_object, read_transfers
from tests.store.workers import pooled, session, worker

ANY = PaymentRules(1, 99_999, underpayment_allowed=True, overpayment_allowed=True)
MONEY = ("currency", "balance", "status", "amount_paid", "amount_remaining")
TICK = timedelta(microseconds=1)

HISTORIES: dict[str, Sequence[Create | Pay | RefundPayment | ReversePayment | Update]] = {
    "customer": [
        create("x", currency="ZAR", payment_rules=ANY),
        pay("x", 300, kind="customer"),  # while no balance is tracked
        update("x", name="Jane"),
        update("x", balance=1_000),
        pay("x", 400, kind="customer", external_reference="p"),
        refund("p", amount=100),
        update("x", balance=-50),
        reverse("p"),
    ],
    "account": [
        create_account("x", customer="c", currency="ZAR", balance=0, payment_rules=ANY),
        pay("x", 1, kind="account", external_reference="p"),
        refund("p"),
    ],
    "bill": [
        create_bill("x", customer="c", payment_rules=ANY),
        update_bill("x", currency="USD"),
        update_bill("x", currency="ZAR", amount_paid=100),
        pay("x", 900, external_reference="p"),
        pay("x", 50, external_reference="q"),
        reverse("q"),
        refund("p", amount=1),
        refund("p"),
        update_bill("x", amount_paid=0),
        update_bill("x", currency="EUR"),
        void("x"),
    ],
}
"""What happens to an object called `x`, of a customer called `c`."""


def money(item: BillingObject) -> dict[str, Any]:
    """Give the members of an object that are money, and the status."""
    return {name: value for name, value in item.shown().items() if name in MONEY}


@pytest.mark.parametrize("kind", HISTORIES)
async def test_an_object_shows_of_any_time_the_money_that_it_showed_then(dsn: str, tenant: int, kind: str) -> None:
    """A command a second; one that changes the currency takes a microsecond more."""
    stamps = Stamps()
    stood: dict[datetime, BillingObject] = {}
    async with worker(dsn, stamps=stamps) as desk, session(dsn) as psql, pooled(dsn, 1) as pool:
        await desk.say(create("c", tenant=tenant))
        for command in HISTORIES[kind]:
            stamps.now += SECOND
            assert await desk.say(msgspec.structs.replace(command, tenant_id=tenant)) == [DONE]
            stood[stamps.now] = await read_object(psql, kind, tenant, "x")

        now = stood[stamps.now]
        for later in (2 * TICK, SECOND - TICK):
            found = {moment: await Past(pool).at(moment + later, now) for moment in stood}
            assert {moment: money(then) for moment, then in found.items()} == {
                moment: money(then) for moment, then in stood.items()
            }


async def test_what_is_no_money_is_as_it_is_now(dsn: str, tenant: int) -> None:
    stamps = Stamps()
    async with worker(dsn, stamps=stamps) as desk, session(dsn) as psql, pooled(dsn, 1) as pool:
        await desk.say(create("x", tenant=tenant, name="Jane", currency="ZAR", balance=5))
        stamps.now += SECOND
        await desk.say(update("x", tenant=tenant, name="June", balance=7, metadata={"k": "v"}, payment_rules=ANY))
        now = await read_object(psql, "customer", tenant, "x")

        assert (await Past(pool).at(NOW, now)).shown() == {**now.shown(), "balance": 5}


async def test_a_transfer_counts_from_the_microsecond_in_which_it_was_recorded(dsn: str, tenant: int) -> None:
    """The clock stands still, so that the transfers of one customer are a microsecond apart."""
    async with worker(dsn) as desk, session(dsn) as psql, pooled(dsn, 1) as pool:
        await desk.say(create("x", tenant=tenant, currency="ZAR", balance=0))
        for balance in range(1, 40):
            await desk.say(update("x", tenant=tenant, balance=balance))
        now = await read_object(psql, "customer", tenant, "x")
        times = [transfer.recorded_at for transfer in await read_transfers(psql, tenant)]
        past = Past(pool)

        assert [(await past.at(moment, now)).obligation.balance for moment in times] == [*range(40)]
        assert (await past.at(times[0] - TICK, now)).obligation.balance is None


async def test_between_the_two_halves_of_a_change_of_currency_a_bill_is_as_unpaid_as_before(
    dsn: str, tenant: int
) -> None:
    stamps = Stamps()
    async with worker(dsn, stamps=stamps) as desk, session(dsn) as psql, pooled(dsn, 1) as pool:
        await desk.say(create("c", tenant=tenant), create_bill("x", customer="c", tenant=tenant))
        before = await read_object(psql, "bill", tenant, "x")
        stamps.now += SECOND
        await desk.say(update_bill("x", tenant=tenant, currency="USD"))
        now = await read_object(psql, "bill", tenant, "x")

        assert money(await Past(pool).at(stamps.now, now)) == money(before)


async def test_a_payment_of_long_ago_counts_from_when_it_was_recorded(dsn: str, tenant: int) -> None:
    stamps = Stamps()
    async with worker(dsn, stamps=stamps) as desk, session(dsn) as psql, pooled(dsn, 1) as pool:
        await desk.say(create("x", tenant=tenant, currency="ZAR", balance=500, payment_rules=ANY))
        stamps.now += SECOND
        await desk.say(pay("x", 200, kind="customer", tenant=tenant, paid_at=NOW - SECOND))
        now = await read_object(psql, "customer", tenant, "x")

        times = (NOW, stamps.now - TICK, stamps.now)
        assert [(await Past(pool).at(moment, now)).obligation.balance for moment in times] == [500, 500, 300]


async def test_any_time_of_a_long_past_takes_few_buffers(dsn: str, tenant: int) -> None:
    """A hundred thousand transfers, and the opening the 50,000th."""
    sql = """
        INSERT INTO transfer (tenant_id, obligation_id, version, id, amount, currency, total_after, debit, credit,
                              cause, key_id, occurred_at, recorded_at, hash)
        SELECT $1, 'bcus_x', n, 'tra_' || n, 1, 'ZAR', n, '', '', CASE n WHEN 50000 THEN 'opening' ELSE 'payment' END,
               '', $2, $2::timestamptz + n * interval '1 second', ''
          FROM generate_series(1, 100000) AS n
    """
    item = Customer(
        tenant_id=tenant,
        id="bcus_x",
        external_reference="x",
        created_at=NOW,
        updated_at=NOW,
        obligation=Obligation(currency="ZAR", total=100_000, tracked=True, version=100_000),
    )
    meter = Meter(dsn)
    async with session(dsn) as psql:
        await psql.execute(sql, tenant, NOW)
    try:
        await Past(meter).at(NOW, item)
        for number in (0, 1, 49_999, 50_000, 50_001, 99_999, 100_000, 200_000):
            meter.buffers = 0
            then = await Past(meter).at(NOW + number * SECOND, item)

            assert (then.obligation.total, then.obligation.tracked) == (min(number, 100_000), number >= 50_000)
            assert meter.buffers < 150
    finally:
        await meter.close()
