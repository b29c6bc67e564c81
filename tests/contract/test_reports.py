"""6: GET /billing/reports/…: what came in on a day, and how long what is owed has been due."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from owed.model.time_zones import time_zone
from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    OPEN_RULES,
    REFUND,
    REVERSAL,
    SETTINGS,
    a_bill,
    a_customer,
    a_payment,
    a_reference,
    at,
    entries,
    refused,
)
from tests.contract.service import Database, Service

PAYMENTS: Final = "/billing/reports/payments"
AGEING: Final = "/billing/reports/ageing"
NUMBERS: Final = ("count", "amount", "refunded", "reversed", "unallocated")
COLUMNS: Final = ("current", "days_30", "days_60", "days_90", "over", "total")

MOVED = """
    SELECT account, currency, sum(amount)::bigint AS amount
      FROM (SELECT tenant_id, recorded_at, currency, debit AS account, abs(amount) AS amount FROM transfer
             UNION ALL
            SELECT tenant_id, recorded_at, currency, credit, -abs(amount) FROM transfer) AS side
     WHERE tenant_id = $1 AND recorded_at >= $2 AND recorded_at < $3
       AND (account LIKE 'clearing%' OR account = 'refunds_payable')
     GROUP BY account, currency
"""


def asked(client: Client, path: str, accept: str = "", **query: str) -> Answer:
    return client.get(f"{path}?{urlencode(query)}", Accept=accept)


def report(client: Client, path: str, **query: str) -> Json:
    answer = asked(client, path, **query)
    assert (answer.status, answer.media_type(), answer.header("Vary")) == (200, "application/json", "Accept"), answer
    found: Json = answer.json()
    return found


def rows(answer: Answer) -> list[dict[str, str]]:
    """Return the rows of an answer in CSV."""
    assert (answer.status, answer.media_type()) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


def numbers(line: Json, names: tuple[str, ...] = NUMBERS) -> tuple[int, ...]:
    return tuple(line[name] for name in names)


@pytest.fixture(scope="module")
def callers(service: Service) -> Iterator[Client]:
    """Callers with books of their own each: those of both modes of a merchant, one merchant after another."""

    def each() -> Iterator[Client]:
        while True:
            keys = service.merchant("Reported").keys
            yield from (service.client(keys[kind]) for kind in ("sk_test", "sk"))

    return each()


@pytest.fixture
def caller(callers: Iterator[Client]) -> Client:
    """A caller in whose books there is nothing yet."""
    return next(callers)


@pytest.fixture(scope="module")
def shared(callers: Iterator[Client]) -> Client:
    """A caller in whose books each test has a customer of its own."""
    return next(callers)


# Control totals


def test_what_came_in_is_added_up_by_channel_method_and_currency(caller: Client) -> None:
    """6: count, amount, refunded, reversed, unallocated; sorted, and of each currency."""
    bill = a_bill(caller, amount_due=9000)["id"]
    dollars = a_bill(caller, amount_due=9000, currency="USD")["id"]
    a_payment(caller, 100, bill=bill)
    payment = a_payment(caller, 200, bill=bill, channel="eft", method="debit_order")
    a_payment(caller, 300, bill=bill, channel="eft", method="debit_order")
    a_payment(caller, 50, bill=bill, channel="eft")
    a_payment(caller, 70, bill=dollars, currency="USD", channel="eft")
    REFUND.make(caller, payment, amount=20)
    REVERSAL.make(caller, payment, amount=30)
    found = report(caller, PAYMENTS)

    assert list(found) == ["date", "from", "to", "data", "totals"]
    lines = [(line.get("channel"), line.get("method"), line["currency"], *numbers(line)) for line in found["data"]]
    assert lines == [
        (None, None, "ZAR", 1, 100, 0, 0, 0),
        ("eft", None, "USD", 1, 70, 0, 0, 0),
        ("eft", None, "ZAR", 1, 50, 0, 0, 0),
        ("eft", "debit_order", "ZAR", 2, 500, 20, 30, 0),
    ]
    assert [(line["currency"], *numbers(line)) for line in found["totals"]] == [
        ("USD", 1, 70, 0, 0, 0),
        ("ZAR", 4, 650, 20, 30, 0),
    ]
    assert [{name: str(line.get(name, "")) for name in ("channel", "method", "currency", *NUMBERS)}
            for line in found["data"]] == rows(asked(caller, PAYMENTS, "text/csv"))  # fmt: skip


def test_amount_less_reversed_is_what_the_clearing_accounts_moved_by(caller: Client, database: Database) -> None:
    random = Random(7)
    bills = [a_bill(caller, amount_due=90_000, payment_rules=OPEN_RULES)["id"] for _ in range(3)]
    for _ in range(25):
        channel = random.choice([{}, {"channel": "eft"}, {"channel": "card", "method": "visa"}, {"channel": "card"}])
        targets = [{"bill": bill, "amount": random.randint(1, 900)} for bill in random.sample(bills, 2)]
        left = random.choice([{}, {"received": True}])
        amount = sum(each["amount"] for each in targets) + (77 if left else 0)
        payment = a_payment(caller, amount, applications=targets, **channel, **left)
        for taking in (REFUND, REVERSAL):
            if random.random() < 0.3:
                taking.make(caller, payment, amount=1)
    found = report(caller, PAYMENTS)
    said: Counter[tuple[str, str]] = Counter()
    for line in found["data"]:
        clearing = f"clearing:{line['channel']}" if "channel" in line else "clearing"
        said[clearing, line["currency"]] += line["amount"] - line["reversed"]
        said["refunds_payable", line["currency"]] -= line["refunded"]

    tenant = database.value("SELECT tenant_id FROM bill WHERE id = $1", bills[0])
    day = [datetime.fromisoformat(found[name]) for name in ("from", "to")]
    moved = {(row["account"], row["currency"]): row["amount"] for row in database.rows(MOVED, tenant, *day)}
    assert len(moved) == 4
    assert sum(line["unallocated"] for line in found["totals"]) > 0
    assert moved == dict(said)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_day_is_one_of_the_merchants(caller: Client, zone: str) -> None:
    assert caller.patch(SETTINGS, {"time_zone": zone}).status == 200
    a_payment(caller, 1, bill=a_bill(caller)["id"])
    today = datetime.now(UTC).astimezone(time_zone(zone)).date()
    found = report(caller, PAYMENTS)
    begins = datetime.fromisoformat(found["from"])

    assert found["date"] == str(today)
    assert begins.astimezone(time_zone(zone)).date() == today
    assert datetime.fromisoformat(found["to"]) - begins == timedelta(days=1)
    assert [numbers(line) for line in found["data"]] == [(1, 1, 0, 0, 0)]
    assert report(caller, PAYMENTS, date=str(today - timedelta(days=1)))["data"] == []
    refused(asked(caller, PAYMENTS, date=str(today + timedelta(days=1))), 400, "query: date")


def test_what_fitted_nothing_is_told_of_on_the_day_on_which_it_came_in(caller: Client) -> None:
    customer = a_customer(caller, currency="ZAR", balance=0)
    payment = a_payment(caller, 1500, bill=a_bill(caller, customer=customer["id"])["id"], received=True)
    assert [numbers(line) for line in report(caller, PAYMENTS)["data"]] == [(1, 1500, 0, 0, 500)]
    body, key = {"customer": customer["id"], "reason": "found"}, a_reference()
    assert caller.post(f"{at(payment)}/allocations", body, Idempotency_Key=key).status == 201
    assert [numbers(line) for line in report(caller, PAYMENTS)["data"]] == [(1, 1500, 0, 0, 500)]


# Ageing


def days_ago(days: int) -> str:
    return str(datetime.now(UTC).date() - timedelta(days=days))


@pytest.mark.parametrize(
    ("days", "column"),
    [
        (-400, "current"), (0, "current"), (1, "days_30"), (30, "days_30"), (31, "days_60"), (60, "days_60"),
        (61, "days_90"), (90, "days_90"), (91, "over"), (9000, "over"),
    ],
)  # fmt: skip
def test_what_is_owed_ages_by_the_day(shared: Client, days: int, column: str) -> None:
    """By its due date; by its own date where it has none, however old it is then."""
    customer = a_customer(shared)
    for members in ({"due_date": days_ago(days), "bill_date": days_ago(9999)}, {"bill_date": days_ago(days)}):
        a_bill(shared, customer=customer["id"], amount_due=500, **members)
    found = report(shared, AGEING)

    expected = dict.fromkeys(COLUMNS, 0) | {column: 1000, "total": 1000, "currency": "ZAR"}
    assert list(found) == ["as_of", "date", "data", "totals"]
    assert found["date"] == days_ago(0)
    whose = {"customer_id": customer["id"], "external_reference": customer["external_reference"]}
    assert [line for line in found["data"] if line["customer_id"] == customer["id"]] == [whose | expected]


def test_ageing_is_told_of_each_customer_and_in_total(caller: Client) -> None:
    """What is left of bills alone: no balance, nothing paid or voided, and no credit."""
    customers = [a_customer(caller, currency="ZAR", balance=777) for _ in range(3)]
    for number, customer in enumerate(customers, 1):
        bill = a_bill(caller, customer=customer["id"], bill_date=days_ago(40), payment_rules=OPEN_RULES)
        a_payment(caller, 100 * number, bill=bill["id"])
        a_bill(caller, customer=customer["id"], currency="USD", due_date=days_ago(1), amount_due=number)
        over = a_bill(caller, customer=customer["id"], bill_date=days_ago(100), payment_rules=OPEN_RULES)
        a_payment(caller, 1000 + number % 2, bill=over["id"])
        caller.send("POST", f"{at(a_bill(caller, customer=customer['id']))}/void")
    found = report(caller, AGEING)

    lines = [(line["customer_id"], line["currency"], *numbers(line, COLUMNS)) for line in found["data"]]
    assert lines == [
        line
        for number, customer in enumerate(customers, 1)
        for line in (
            (customer["id"], "USD", 0, number, 0, 0, 0, number),
            (customer["id"], "ZAR", 0, 0, 1000 - 100 * number, 0, 0, 1000 - 100 * number),
        )
    ]
    totals = [(line["currency"], *numbers(line, COLUMNS)) for line in found["totals"]]
    assert totals == [("USD", 0, 6, 0, 0, 0, 6), ("ZAR", 0, 0, 2400, 0, 0, 2400)]
    assert rows(asked(caller, AGEING, "text/csv")) == [
        {name: str(line[name]) for name in ("customer_id", "external_reference", "currency", *COLUMNS)}
        for line in found["data"]
    ]


def test_ageing_as_of_a_time_is_as_it_was_recorded_by_then(caller: Client) -> None:
    """Each step of a bill's life: raised, in another currency, paid in part, corrected, and refunded."""
    bill = a_bill(caller, due_date=days_ago(1))
    caller.patch(at(bill), {"currency": "USD"})
    payment = a_payment(caller, 400, bill=bill["id"], currency="USD")
    caller.patch(at(bill), {"amount_paid": 1000})
    caller.patch(at(bill), {"amount_paid": 400})
    REFUND.make(caller, payment)
    told = entries(caller, bill)[::-1]
    assert len(told) == 7
    for entry in told:
        found = report(caller, AGEING, as_of=entry["recorded_at"])["totals"]
        owed = [(entry["currency"], entry["total_after"])] if entry["total_after"] else []
        assert [(line["currency"], line["total"]) for line in found] == owed
    before = datetime.fromisoformat(told[0]["recorded_at"]) - timedelta(microseconds=1)
    assert report(caller, AGEING, as_of=before.isoformat().replace("+00:00", "Z"))["data"] == []


def test_ageing_as_of_a_day_is_of_its_end(caller: Client) -> None:
    """The end of today is now; yesterday nothing was recorded."""
    a_bill(caller, bill_date=days_ago(30))
    (today,) = report(caller, AGEING, as_of=days_ago(0))["data"]
    assert today == report(caller, AGEING)["data"][0]
    yesterday = report(caller, AGEING, as_of=days_ago(1))
    assert (yesterday["data"], yesterday["totals"], yesterday["date"]) == ([], [], days_ago(1))
    assert yesterday["as_of"] == f"{days_ago(1)}T23:59:59.999999Z"


# Who may ask for what


@pytest.mark.parametrize(
    ("path", "query", "faults"),
    [
        (PAYMENTS, {"date": "2026-02-30"}, ["date"]),
        (PAYMENTS, {"date": "2026-02-01T00:00:00Z"}, ["date"]),
        (PAYMENTS, {"date": "9999-12-31"}, ["date"]),
        (PAYMENTS, {"day": "2026-02-01"}, ["day"]),
        (PAYMENTS, {"date": "0001-01-01"}, []),
        (AGEING, {"as_of": "2026-02-30"}, ["as_of"]),
        (AGEING, {"as_of": "9999-12-31"}, ["as_of"]),
        (AGEING, {"as_of": "9999-12-31T00:00:00Z", "limit": "1"}, ["as_of", "limit"]),
        (AGEING, {"as_of": "0001-01-01"}, []),
        (AGEING, {"as_of": "1000-01-01T00:00:00Z"}, []),
    ],
)
def test_what_no_report_can_be_of_is_refused(client: Client, path: str, query: Any, faults: list[str]) -> None:
    answer = asked(client, path, **query)
    if faults:
        refused(answer, 400, *(f"query: {name}" for name in faults))
    assert answer.status == (400 if faults else 200)


@pytest.mark.parametrize("path", [PAYMENTS, AGEING])
def test_a_report_is_of_one_mode_and_needs_its_secret_key(
    service: Service, public: Client, anonymous: Client, path: str
) -> None:
    keys = service.merchant("Reported").keys
    caller, live = service.client(keys["sk_test"]), service.client(keys["sk"])
    a_payment(caller, 1, bill=a_bill(caller)["id"])
    assert report(caller, path)["data"] != []
    assert report(live, path)["data"] == []
    assert [each.get(path).status for each in (public, anonymous)] == [403, 401]
    assert caller.post(path, {}).status == 405
