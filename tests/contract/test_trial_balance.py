"""6: GET /billing/ledger/trial-balance: what the ledger's accounts add up to, proven against the objects."""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    LARGEST,
    REFUND,
    REVERSAL,
    RULES,
    a_bill,
    a_customer,
    a_payment,
    an_account,
    at,
    entries,
    iso,
    moment,
    on,
    pay,
    refused,
)
from tests.contract.service import Database, Service

PATH: Final = "/billing/ledger/trial-balance"
OVER: Final = RULES | {"min_amount": 1, "overpayment_allowed": True}
Totals = dict[tuple[str, str], int]


def asked(client: Client, **query: str) -> Answer:
    return client.get(f"{PATH}?{urlencode(query)}" if query else PATH)


def balance(client: Client, **query: str) -> Json:
    answer = asked(client, **query)
    assert answer.status == 200, answer.body
    shown: Json = answer.json()
    assert set(shown) == {"as_of", "data"}
    return shown


def lines(client: Client, **query: str) -> list[tuple[str, str, int, int, int]]:
    """Return account, currency, debits, credits and total of each line."""
    members = ["account", "currency", "debits", "credits", "total"]
    data = balance(client, **query)["data"]
    assert all(set(line) == set(members) for line in data)
    return [tuple(line[member] for member in members) for line in data]


def totals(client: Client, **query: str) -> Totals:
    """Return the total of each account and currency where it is not zero; debits less credits, and balanced."""
    found = lines(client, **query)
    assert all(line[2] - line[3] == line[4] for line in found)
    for currency in {line[1] for line in found}:
        of_currency = [line for line in found if line[1] == currency]
        assert sum(line[2] for line in of_currency) == sum(line[3] for line in of_currency)
    return {line[:2]: line[4] for line in found if line[4]}


@pytest.fixture(scope="module")
def ledgers(service: Service) -> Iterator[Client]:
    """Callers with a ledger of their own each: those of both modes of a merchant, one merchant after another."""

    def callers() -> Iterator[Client]:
        while True:
            keys = service.merchant("Ledger").keys
            yield from (service.client(keys[kind]) for kind in ("sk_test", "sk"))

    return callers()


@pytest.fixture
def fresh(ledgers: Iterator[Client]) -> Client:
    """A caller whose ledger has nothing in it yet."""
    return next(ledgers)


@pytest.fixture(scope="module")
def shared(ledgers: Iterator[Client]) -> Client:
    """A caller to a ledger in which each test has a currency of its own."""
    return next(ledgers)


@pytest.fixture(scope="module")
def busy(ledgers: Iterator[Client]) -> Client:
    """A caller to whose ledger a little of everything has happened."""
    caller = next(ledgers)
    do_a_bit_of_everything(caller, Random(4))
    return caller


# A small ledger, by hand


def test_a_ledger_of_nothing_is_empty(shared: Client) -> None:
    a_customer(shared, currency="XOF")
    shown = balance(shared, currency="XOF")
    assert shown["data"] == []
    assert timedelta(seconds=-1) < datetime.now(UTC) - moment(shown["as_of"]) < timedelta(seconds=30)


def test_every_account_has_its_debits_its_credits_and_its_total(fresh: Client) -> None:
    """6, architecture 4: the chart of accounts; sorted by account and currency; total is debits less credits."""
    assert lines(fresh) == []
    customer = a_customer(fresh, currency="ZAR", balance=500, payment_rules=OVER)
    fresh.patch(at(customer), {"balance": 700})
    fresh.patch(at(customer), {"balance": 600})
    bill, voided = a_bill(fresh, customer=customer["id"]), a_bill(fresh, customer=customer["id"], amount_due=50)
    fresh.send("POST", f"{at(voided)}/void")
    targets = [{"bill": bill["id"], "amount": 400}, {"customer": customer["id"], "amount": 650}]
    payment = a_payment(fresh, 1050, applications=targets, channel="eft")
    REFUND.make(fresh, payment, amount=30)
    REVERSAL.make(fresh, payment, amount=40)
    a_payment(fresh, 100, **on(bill))
    fresh.patch(at(bill), {"amount_paid": 800})
    fresh.patch(at(bill), {"amount_paid": 750})
    a_bill(fresh, customer=customer["id"], currency="USD", amount_due=7)
    assert lines(fresh) == [
        ("balance_replacement", "ZAR", 100, 200, -100),
        ("billed", "USD", 0, 7, -7),
        ("billed", "ZAR", 50, 1050, -1000),
        ("clearing", "ZAR", 100, 0, 100),
        ("clearing:eft", "ZAR", 1050, 40, 1010),
        ("external_receipts", "ZAR", 300, 50, 250),
        ("opening_equity", "ZAR", 0, 500, -500),
        ("receivable", "USD", 7, 0, 7),
        ("receivable", "ZAR", 500 + 200 + 1000 + 50 + 30 + 40 + 50, 100 + 50 + 1050 + 100 + 300, 270),
        ("refunds_payable", "ZAR", 0, 30, -30),
    ]


def test_a_change_of_currency_leaves_nothing_in_the_old_one(shared: Client) -> None:
    """Architecture 4: it reverses in the old currency and raises in the new."""
    shared.patch(at(a_bill(shared, currency="USD")), {"currency": "JPY"})
    assert lines(shared, currency="USD") == [("billed", "USD", 1000, 1000, 0), ("receivable", "USD", 1000, 1000, 0)]
    assert lines(shared, currency="JPY") == [("billed", "JPY", 0, 1000, -1000), ("receivable", "JPY", 1000, 0, 1000)]


def test_a_credit_is_a_receivable_below_zero(shared: Client) -> None:
    account = an_account(shared, currency="EUR", balance=-300, payment_rules=OVER)
    a_payment(shared, 200, currency="EUR", **on(account))
    assert lines(shared, currency="EUR") == [
        ("clearing", "EUR", 200, 0, 200),
        ("opening_equity", "EUR", 300, 0, 300),
        ("receivable", "EUR", 0, 500, -500),
    ]


def test_sums_are_exact_beyond_what_one_balance_can_be(shared: Client) -> None:
    """1.1: money is an integer, never a float, however large its sum."""
    for _ in range(3):
        a_customer(shared, currency="CHF", balance=LARGEST)
    assert lines(shared, currency="CHF") == [
        ("opening_equity", "CHF", 0, 3 * LARGEST, -3 * LARGEST),
        ("receivable", "CHF", 3 * LARGEST, 0, 3 * LARGEST),
    ]


# Against the objects


def do_a_bit_of_everything(client: Client, random: Random) -> None:
    """Make bills and balances in three currencies, and do to them what can be done."""
    for currency in ("ZAR", "USD", "JPY"):
        customer = a_customer(client, currency=currency, balance=random.randint(-500, 500), payment_rules=OVER)
        account = an_account(client, customer=customer["id"], currency=currency, payment_rules=OVER)
        members = {"account": account["id"], "currency": currency, "payment_rules": OVER}
        bills = [a_bill(client, amount_due=random.randint(1, 900), **members) for _ in range(4)]
        things = [customer, account, *bills]
        payments = [a_payment_of(client, random, things, currency) for _ in range(8)]
        for payment in payments:
            for taking in random.sample([REFUND, REVERSAL], random.randint(0, 2)):
                taking.create(client, payment, amount=random.randint(1, payment["amount"]))
        client.patch(at(random.choice(bills)), {"amount_paid": 8000})
        client.patch(at(random.choice([customer, account])), {"balance": random.randint(-500, 500)})
        client.send("POST", f"{at(a_bill(client, **members))}/void")


def a_payment_of(client: Client, random: Random, things: list[Json], currency: str) -> Json:
    """Pay some of the things in one payment."""
    targets = [on(thing) | {"amount": random.randint(1, 400)} for thing in random.sample(things, random.randint(1, 3))]
    channel = random.choice([{}, {"channel": "eft"}, {"channel": "card"}])
    amount = sum(target["amount"] for target in targets)
    return a_payment(client, amount, currency=currency, applications=targets, **channel)


def of_objects(database: Database, tenant: int) -> Totals:
    """Add up, from the objects' own rows, what the ledger's accounts must say; equity is what is left over."""
    found: Totals = defaultdict(int)
    for account, currency, amount in rows_of_objects(database, tenant):
        found[account, currency] += amount
    return {key: total for key, total in found.items() if total}


def rows_of_objects(database: Database, tenant: int) -> Iterator[Any]:
    for statement in (
        """SELECT 'receivable', currency, total FROM customer WHERE tenant_id = $1 AND currency IS NOT NULL
            UNION ALL SELECT 'receivable', currency, total FROM account WHERE tenant_id = $1 AND currency IS NOT NULL
            UNION ALL SELECT 'receivable', currency, total FROM bill WHERE tenant_id = $1""",
        "SELECT 'billed', currency, -amount_due FROM bill WHERE tenant_id = $1 AND status <> 'voided'",
        """SELECT 'external_receipts', currency, amount_paid - amount_received - amount_credited
             FROM bill WHERE tenant_id = $1""",
        "SELECT 'refunds_payable', currency, -amount_refunded FROM payment WHERE tenant_id = $1",
        """SELECT CASE WHEN channel IS NULL THEN 'clearing' ELSE 'clearing:' || channel END, currency,
                  amount - amount_reversed
             FROM payment WHERE tenant_id = $1""",
    ):
        yield from database.rows(statement, tenant)


def tenant_of(client: Client, database: Database) -> int:
    tenant: int = database.value("SELECT tenant_id FROM bill WHERE id = $1", a_bill(client)["id"])
    return tenant


def test_the_ledger_says_what_the_objects_say(busy: Client, database: Database) -> None:
    """6: receivables equal the sum of all obligations' totals; clearing equals payments less reversals."""
    expected = of_objects(database, tenant_of(busy, database))
    found = totals(busy)
    equity = {"opening_equity", "balance_replacement"}
    assert {key: total for key, total in found.items() if key[0] not in equity} == expected
    assert {account for account, _ in found} >= {"clearing", "clearing:eft", "clearing:card", "refunds_payable"}
    for currency in ("ZAR", "USD", "JPY"):
        assert sum(total for (_, of), total in found.items() if of == currency) == 0


def test_the_ledger_says_what_the_api_says(busy: Client) -> None:
    """6: the same sums, read as a merchant would: from its bills, its balances and its payments."""
    nouns = ("customers", "accounts", "bills", "payments")
    customers, accounts, bills, payments = (busy.get(f"/billing/{noun}?limit=100").json()["data"] for noun in nouns)
    for currency in ("ZAR", "USD", "JPY"):
        found = {account: total for (account, of), total in totals(busy).items() if of == currency}
        own = [
            [each for each in all_ if each.get("currency") == currency]
            for all_ in (customers, accounts, bills, payments)
        ]
        owed = sum(each["balance"] for each in own[0]) + sum(
            each["balance"] if "balance" in each else entries(busy, each)[0]["total_after"] for each in own[1]
        )
        owed += sum(bill["amount_due"] - bill["amount_paid"] for bill in own[2] if bill["status"] != "voided")
        assert found["receivable"] == owed
        cleared = sum(total for account, total in found.items() if account.startswith("clearing"))
        assert cleared == sum(payment["amount"] - payment["amount_reversed"] for payment in own[3])
        assert found.get("refunds_payable", 0) == -sum(payment["amount_refunded"] for payment in own[3])


def test_debits_and_credits_are_those_of_the_transfers(busy: Client, database: Database) -> None:
    """6: every ledger account with its debits, credits and total: of every transfer ever, not of what is left."""
    sides = """SELECT account, currency, sum(debited)::bigint, sum(credited)::bigint
                 FROM transfer, LATERAL (VALUES (debit, abs(amount), 0), (credit, 0, abs(amount)))
                                     AS side (account, debited, credited)
                WHERE tenant_id = $1 GROUP BY account, currency"""
    kept = {tuple(row) for row in database.rows(sides, tenant_of(busy, database))}
    found = lines(busy)
    assert {line[:4] for line in found} == kept
    assert found == sorted(found)


def test_it_balances_while_payments_come_in(shared: Client, two_workers: Service) -> None:
    """6: each answer is of one instant: what is received is what is no longer owed."""
    caller = two_workers.client(shared.key)
    account = an_account(shared, currency="GBP", balance=0, payment_rules=OVER)
    with ThreadPoolExecutor(8) as pool:
        paid = [pool.submit(pay, caller, 1, currency="GBP", **on(account)) for _ in range(40)]
        seen = [totals(caller, currency="GBP") for _ in range(8)]
        assert {each.result().status for each in paid} == {201}
    caller.close()
    for each in seen:
        assert each.get(("receivable", "GBP"), 0) == -each.get(("clearing", "GBP"), 0)
    assert totals(shared, currency="GBP") == {("clearing", "GBP"): 40, ("receivable", "GBP"): -40}


# As of a time, in a currency


def test_it_is_shown_as_of_any_time(fresh: Client) -> None:
    """6: `as_of`: what was recorded by then, whenever it happened."""
    bill = a_bill(fresh)
    shown = [balance(fresh)]
    payment = a_payment(fresh, 400, **on(bill), paid_at="2026-01-31T09:30:00Z")
    shown.append(balance(fresh))
    REFUND.make(fresh, payment)
    shown.append(balance(fresh))
    fresh.send("POST", f"{at(bill)}/void")
    assert [len(each["data"]) for each in shown] == [2, 3, 4]
    for each in shown:
        again = balance(fresh, as_of=each["as_of"])
        assert (again["data"], moment(again["as_of"])) == (each["data"], moment(each["as_of"]))
    assert balance(fresh, as_of="2026-02-01T00:00:00Z")["data"] == []


def test_a_time_holds_what_was_recorded_at_it(shared: Client) -> None:
    """6: to the microsecond, as the retrieve of an object does."""
    bill = a_bill(shared, currency="SEK")
    a_payment(shared, 400, currency="SEK", **on(bill))

    def owed(time: datetime) -> int:
        return totals(shared, currency="SEK", as_of=iso(time)).get(("receivable", "SEK"), 0)

    paid, raised = (moment(entry["recorded_at"]) for entry in entries(shared, bill))
    step = timedelta(microseconds=1)
    assert [owed(time) for time in (raised - step, raised, paid - step, paid)] == [0, 1000, 1000, 600]


def test_it_is_shown_in_one_currency(busy: Client) -> None:
    """6: `currency`: one that nothing is in gives no line."""
    everything = lines(busy)
    for currency in ("ZAR", "USD", "JPY", "EUR"):
        assert lines(busy, currency=currency) == [line for line in everything if line[1] == currency]
    early = "2026-01-31T00:00:00Z"
    assert lines(busy, currency="ZAR", as_of=early) == []
    assert lines(busy, currency="ZAR", as_of=balance(busy)["as_of"]) == lines(busy, currency="ZAR")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        *((f"currency={value}", "currency") for value in ("", "zar", "ZA", "ZARR", "ZAR%0A", "%00", "%FF")),
        *(
            (f"as_of={value}", "as_of")
            for value in ("", "x", "2026-01-31", "2026-01-31T09:30:00", "2026-02-30T00:00:00Z", "2999-01-01T00:00:00Z")
        ),
        ("limit=5", "limit"),
        ("account=receivable", "account"),
        ("currency=ZAR&currency=USD", "currency"),
    ],
)
def test_what_is_no_parameter_is_400(client: Client, query: str, name: str) -> None:
    """1.1: unknown, given twice or malformed; a time in the future too."""
    refused(client.get(f"{PATH}?{query}"), 400, f"query: {name}")


def test_each_faulty_parameter_is_named(client: Client) -> None:
    refused(
        client.get(f"{PATH}?currency=zar&as_of=x&limit=1"),
        400,
        *(f"query: {n}" for n in ("currency", "as_of", "limit")),
    )


# Whose it is


def test_test_never_meets_live(service: Service, fresh: Client) -> None:
    """1.2: each merchant has two ledgers, and no other's."""
    keys = service.merchant("Two modes").keys
    test, live = service.client(keys["sk_test"]), service.client(keys["sk"])
    a_payment(test, 400, **on(a_bill(test)))
    a_bill(live, amount_due=7)
    assert totals(test) == {("billed", "ZAR"): -1000, ("clearing", "ZAR"): 400, ("receivable", "ZAR"): 600}
    assert totals(live) == {("billed", "ZAR"): -7, ("receivable", "ZAR"): 7}
    assert lines(fresh) == []
    public, nobody = service.client(keys["pk_test"]), service.client()
    assert [asked(caller).status for caller in (public, nobody)] == [403, 401]


def test_it_is_read_only(client: Client) -> None:
    """1.5: 405 with `Allow`; 1.1: it has no ETag."""
    answer = client.send("POST", PATH, b"{}", {"Content-Type": "application/json"})
    assert (answer.status, set(answer.header("Allow").replace(" ", "").split(","))) == (405, {"GET", "HEAD"})
    assert "ETag" not in asked(client).headers
    assert client.get("/billing/ledger").status == 404
