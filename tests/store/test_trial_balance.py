"""The trial balance: every account of the ledger, proven against the objects (contract, section 6)."""

from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec

from owed.model.payment_rules import PaymentRules
from owed.store.objects import OBJECTS
from owed.store.trial_balance import Line, TrialBalances
from tests.core.samples import (
    NOW,
    SECOND,
    Stamps,
    create,
    create_account,
    create_bill,
    pay,
    pay_many,
    refund,
    reverse,
    update,
    update_bill,
    void,
)
from tests.engine.desk import DONE, Desk
from tests.store.reading import read_objects
from tests.store.workers import pooled, session, worker

ANY = PaymentRules(1, 99_999, underpayment_allowed=True, overpayment_allowed=True)
TICK = timedelta(microseconds=1)

EVERYTHING: list[Any] = [
    create("c", currency="ZAR", balance=500, payment_rules=ANY),
    create("d", currency="USD", balance=-40, payment_rules=ANY),
    create_account("e", customer="c", currency="ZAR", payment_rules=ANY),
    create_bill("f", customer="c", amount_due=1_000, payment_rules=ANY),
    create_bill("g", account="e", amount_due=70, currency="EUR", payment_rules=ANY),
    create_bill("h", customer="c", amount_due=30),
    pay_many(("customer", "c", 200), ("bill", "f", 300), ("account", "e", 10), channel="bank", external_reference="p"),
    pay("d", 5, kind="customer", currency="USD", external_reference="q"),
    pay("f", 800, channel="till", external_reference="r"),
    refund("p", amount=250),
    reverse("r", amount=100),
    refund("q"),
    update("c", balance=90),
    update_bill("f", amount_paid=1_000),
    update_bill("g", currency="USD"),
    void("h"),
]
"""Everything that can be posted: each cause, in three currencies, by two channels and none."""


async def carry_out(desk: Desk, stamps: Stamps, tenant: int) -> None:
    """Let it all happen, a second each."""
    for command in EVERYTHING:
        stamps.now += SECOND
        assert await desk.say(msgspec.structs.replace(command, tenant_id=tenant)) == [DONE]


def totals(lines: list[Line]) -> dict[tuple[str, str], int]:
    return {(line.account, line.currency): line.total for line in lines if line.total}


async def test_every_account_is_what_the_objects_say(dsn: str, tenant: int) -> None:
    """Receivables are all that is owed; clearing is what payments brought, less what was reversed."""
    stamps, expected = Stamps(), Counter[tuple[str, str]]()
    async with worker(dsn, stamps=stamps) as desk, session(dsn) as psql, pooled(dsn, 1) as pool:
        await carry_out(desk, stamps, tenant)
        objects = {kind: await read_objects(psql, kind, tenant) for kind in OBJECTS}
        lines = await TrialBalances(pool).draw_up(tenant)

    for item in (*objects["customer"], *objects["account"], *objects["bill"]):
        expected["receivable", item.obligation.currency] += item.obligation.total
    for payment in objects["payment"]:
        clearing = f"clearing:{payment.channel}" if payment.channel else "clearing"
        expected[clearing, payment.currency] += payment.amount - payment.amount_reversed
        expected["refunds_payable", payment.currency] -= payment.amount_refunded
    for bill in objects["bill"]:
        expected["billed", bill.currency] -= 0 if bill.is_voided else bill.amount_due
        expected["external_receipts", bill.currency] += bill.amount_paid - bill.amount_received - bill.amount_credited
    found = totals(lines)
    openings = {key: found.pop(key) for key in [*found] if key[0] in {"opening_equity", "balance_replacement"}}
    assert found == {key: total for key, total in expected.items() if total}
    assert openings == {
        ("opening_equity", "ZAR"): -500,
        ("opening_equity", "USD"): 40,
        ("balance_replacement", "ZAR"): 500 - 200 - 90,
    }


async def test_debits_and_credits_are_equal_in_every_currency_at_any_time(dsn: str, tenant: int) -> None:
    stamps = Stamps()
    async with worker(dsn, stamps=stamps) as desk, pooled(dsn, 1) as pool:
        await carry_out(desk, stamps, tenant)
        for number in range(len(EVERYTHING) + 1):
            lines = await TrialBalances(pool).draw_up(tenant, as_of=NOW + number * SECOND)

            sums = Counter[str]()
            for line in lines:
                sums[line.currency] += line.total
            assert set(sums.values()) <= {0}
            assert lines == sorted(lines)
    assert number > 10


async def test_a_transfer_counts_from_when_it_was_recorded(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, pooled(dsn, 1) as pool:
        await desk.say(create("a", tenant=tenant, currency="ZAR", balance=5))
        balances = TrialBalances(pool)

        assert await balances.draw_up(tenant, as_of=NOW - TICK) == []
        assert [line.shown() for line in await balances.draw_up(tenant, as_of=NOW)] == [
            {"account": "opening_equity", "currency": "ZAR", "debits": 0, "credits": 5, "total": -5},
            {"account": "receivable", "currency": "ZAR", "debits": 5, "credits": 0, "total": 5},
        ]


async def test_one_currency_is_as_it_is_among_all(dsn: str, tenant: int) -> None:
    stamps = Stamps()
    async with worker(dsn, stamps=stamps) as desk, pooled(dsn, 1) as pool:
        await carry_out(desk, stamps, tenant)
        balances = TrialBalances(pool)
        everything = await balances.draw_up(tenant)
        for currency in ("ZAR", "USD", "EUR", "XXX"):
            assert await balances.draw_up(tenant, currency) == [
                line for line in everything if line.currency == currency
            ]


async def test_each_tenant_has_books_of_its_own(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, pooled(dsn, 1) as pool:
        await desk.say(create("a", tenant=tenant, currency="ZAR", balance=5))

        assert await TrialBalances(pool).draw_up(tenant + 10_000) == []


async def test_sums_are_exact_however_large(dsn: str, tenant: int) -> None:
    sql = """
        INSERT INTO transfer (tenant_id, obligation_id, version, id, amount, currency, total_after, debit, credit,
                              cause, key_id, occurred_at, recorded_at, hash)
        SELECT $1, 'bcus_' || n, 1, 'tra_' || n, $2, 'ZAR', $2, 'receivable', 'opening_equity',
               'opening', '', $3, $3, ''
          FROM generate_series(1, 3000) AS n
    """
    largest = 2**53 - 1
    async with session(dsn) as psql, pooled(dsn, 1) as pool:
        await psql.execute(sql, tenant, largest, NOW)
        lines = await TrialBalances(pool).draw_up(tenant)

    exact = 3000 * largest
    assert exact > 2**63
    assert lines == [Line("opening_equity", "ZAR", 0, exact), Line("receivable", "ZAR", exact, 0)]
    assert msgspec.json.encode([line.debits for line in lines]) == f"[0,{exact}]".encode()
