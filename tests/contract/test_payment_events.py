"""7: the events of payments, refunds and reversals: exactly as documented, in order, with what they tell of."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from tests.contract.client import Client, Json
from tests.contract.samples import (
    ACCOUNT,
    BILL,
    CUSTOMER,
    EITHER_WAY,
    EVERY_NOUN,
    REFUND,
    REVERSAL,
    RULES,
    Noun,
    Taking,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    an_account,
    as_it_stands,
    at,
    events,
    moment,
    pay,
)
from tests.contract.service import Database, Service

OVER: Final = RULES | {"overpayment_allowed": True}
APPLIED: Final = "obligation.amount_applied"
REVERSED: Final = "obligation.amount_reversed"


def a_target(client: Client, noun: Noun) -> Json:
    """Make something that takes a payment of up to 1000 ZAR."""
    return noun.make(client, **({} if noun is BILL else {"currency": "ZAR", "balance": 1000}))


def applied(payment: Json, number: int = 0) -> tuple[str, Json]:
    """Return the event of one application, as the contract has it."""
    return APPLIED, {
        **payment["applications"][number],
        "currency": payment["currency"],
        "payment_id": payment["id"],
        "metadata": payment.get("metadata", {}),
        "created_at": payment["created_at"],
        "updated_at": payment["created_at"],
    }


def taken_back(taking: Taking, payment: Json, taken: Json, number: int = 0) -> tuple[str, Json]:
    """Return the event of what was taken back of one application."""
    return REVERSED, {
        **taken["applications"][number],
        "currency": payment["currency"],
        "payment_id": payment["id"],
        f"{taking.name}_id": taken["id"],
        "metadata": payment.get("metadata", {}),
        "created_at": payment["created_at"],
        "updated_at": taken["created_at"],
    }


def types(database: Database, thing: Json) -> list[str]:
    return [kind.removeprefix("obligation.") for kind, _ in events(database, thing)]


# A payment


@EVERY_NOUN
@pytest.mark.parametrize("metadata", [{}, {"till": "4", "note": "Zoë"}])
def test_an_applied_amount_is_told_exactly_as_documented(
    client: Client, database: Database, noun: Noun, metadata: dict[str, str]
) -> None:
    """7: `id` (`ob_…`), `amount`, `currency`, `payment_id`, exactly one of the three, the payment's metadata, times."""
    thing = a_target(client, noun)
    payment = a_payment(client, 250, **{noun.name: thing["id"]}, metadata=metadata)
    told = events(database, thing)[1:]
    assert told == [applied(payment)]
    data = told[0][1]
    assert list(data) == [
        "id", "amount", "currency", "payment_id", f"{noun.name}_id", "metadata", "created_at", "updated_at",
    ]  # fmt: skip
    assert (data["amount"], data["currency"], data[f"{noun.name}_id"], data["metadata"]) == (
        250,
        "ZAR",
        thing["id"],
        metadata,
    )
    assert re.fullmatch("ob_[a-zA-Z0-9]+", data["id"])
    assert moment(data["created_at"]) == moment(payment["created_at"])


def test_every_event_has_the_envelope(client: Client, database: Database) -> None:
    """7: `{"id": "evt_…", "type": "…", "data": {…}}`; ids of their own."""
    bill = a_bill(client)
    payment = a_payment(client, 1000, bill=bill["id"])
    REFUND.make(client, payment)
    rows = database.rows("SELECT id, type, body FROM event WHERE object_id = $1 ORDER BY sequence", bill["id"])
    bodies = [json.loads(row["body"]) for row in rows]
    assert [list(body) for body in bodies] == [["id", "type", "data"]] * 4
    assert [(body["id"], body["type"]) for body in bodies] == [(row["id"], row["type"]) for row in rows]
    assert all(re.fullmatch("evt_[a-zA-Z0-9]{20,46}", row["id"]) for row in rows)
    assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})


def test_a_payment_that_settles_a_bill_tells_of_that_second(client: Client, database: Database) -> None:
    """7: `bill.paid` where it settles a bill, and no `bill.updated`; its data is the bill."""
    bill = a_bill(client, metadata={"a": "1"})
    part = a_payment(client, 400, bill=bill["id"])
    rest = a_payment(client, 600, bill=bill["id"], metadata={"b": "2"})
    paid = as_it_stands(client, bill)
    assert paid["status"] == "paid"
    assert events(database, bill) == [("bill.created", bill), applied(part), applied(rest), ("bill.paid", paid)]


def test_a_bill_is_settled_once_until_it_is_reopened(client: Client, database: Database) -> None:
    """7: what is paid on top settles nothing; after a refund a payment may settle it again."""
    bill = a_bill(client, payment_rules=OVER)
    first = a_payment(client, 1200, bill=bill["id"])
    REFUND.make(client, a_payment(client, 300, bill=bill["id"]))
    REFUND.make(client, a_payment(client, 100, bill=bill["id"]))
    given_back, settled = ["amount_applied", "amount_reversed"], ["amount_applied", "bill.paid"]
    assert types(database, bill) == ["bill.created", *settled, *given_back, *given_back]
    client.patch(at(bill), {"due_date": "2026-01-31"})
    REVERSAL.make(client, first, amount=201)
    a_payment(client, 100, bill=bill["id"])
    assert types(database, bill)[7:] == ["bill.updated", "amount_reversed", *settled]


def test_each_application_has_an_event_on_what_it_paid(client: Client, database: Database) -> None:
    """7: one `ob_` per application; each obligation counts its own events."""
    customer = a_customer(client, currency="ZAR", balance=1000)
    account = an_account(client, customer=customer["id"], currency="ZAR", balance=1000)
    settled, part = a_bill(client, account=account["id"]), a_bill(client, account=account["id"])
    targets = [
        {"bill": settled["external_reference"], "amount": 1000},
        {"account": account["id"], "amount": 300},
        {"bill": part["id"], "amount": 200},
        {"customer": customer["id"], "amount": 100},
    ]
    payment = a_payment(client, 1600, applications=targets, metadata={"run": "7"})
    assert len({application["id"] for application in payment["applications"]}) == 4
    paid = as_it_stands(client, settled)
    assert events(database, settled)[1:] == [applied(payment, 0), ("bill.paid", paid)]
    assert events(database, account)[1:] == [applied(payment, 1)]
    assert events(database, part)[1:] == [applied(payment, 2)]
    assert events(database, customer)[1:] == [applied(payment, 3)]


def test_the_sequence_goes_on_among_other_changes(client: Client, database: Database) -> None:
    """7: the event sequence of the object, without gaps, whatever happens to it."""
    account = an_account(client, currency="ZAR", balance=1000)
    first = a_payment(client, 100, account=account["id"])
    client.patch(at(account), {"balance": 5000})
    second = a_payment(client, 200, account=account["id"])
    REVERSAL.make(client, first)
    client.patch(at(account), {"name": "New"})
    REFUND.make(client, second)
    assert types(database, account) == [
        "account.created", "amount_applied", "account.updated", "amount_applied", "amount_reversed", "account.updated",
        "amount_reversed",
    ]  # fmt: skip


# What is told of nothing


def test_what_changes_nothing_tells_nothing(client: Client, database: Database) -> None:
    """7: no event of a refusal, a `check`, a fault or a replay."""
    bill, key, reference = a_bill(client), a_key(), a_reference()
    payment = pay(client, 400, bill=bill["id"], external_reference=reference, key=key)
    assert payment.status == 201
    assert pay(client, 400, bill=bill["id"], external_reference=reference, key=key).body == payment.body
    body = {"amount": 100, "currency": "ZAR", "bill": bill["id"]}
    assert client.post("/billing/payments/check", body).status == 200
    for answer, status in (
        (pay(client, 601, bill=bill["id"]), 422),
        (pay(client, 0, bill=bill["id"]), 400),
        (pay(client, 100, bill=bill["id"], external_reference=reference), 409),
        (REFUND.create(client, payment.json(), amount=401), 409),
        (REFUND.create(client, payment.json(), amount=0), 400),
    ):
        assert answer.status == status
    assert events(database, bill)[1:] == [applied(payment.json())]


def test_a_payment_that_is_refused_in_part_tells_nothing_at_all(client: Client, database: Database) -> None:
    """6: all pass or none."""
    good, bad = a_bill(client), a_bill(client)
    targets = [{"bill": good["id"], "amount": 1000}, {"bill": bad["id"], "amount": 1001}]
    assert pay(client, 2001, applications=targets).status == 422
    assert (types(database, good), types(database, bad)) == (["bill.created"], ["bill.created"])


def test_a_bill_and_the_balances_around_it_tell_each_of_themselves(client: Client, database: Database) -> None:
    """4: bills and balances are separate obligations; the version of the others stands too."""
    customer = a_customer(client, currency="ZAR", balance=1000)
    account = an_account(client, customer=customer["id"], currency="ZAR", balance=1000)
    bill = a_bill(client, account=account["id"])
    before = [client.get(at(thing)).etag for thing in (customer, account)]
    REFUND.make(client, a_payment(client, 1000, bill=bill["id"]), amount=1)
    assert [client.get(at(thing)).etag for thing in (customer, account)] == before
    assert types(database, customer) == ["customer.created"]
    assert types(database, account) == ["account.created"]


# What was taken back


@EITHER_WAY
@EVERY_NOUN
def test_an_amount_that_is_taken_back_is_told(client: Client, database: Database, noun: Noun, taking: Taking) -> None:
    """7: the same data, with `refund_id` or `reversal_id`; the metadata is the payment's."""
    thing = a_target(client, noun)
    payment = a_payment(client, 1000, **{noun.name: thing["id"]}, metadata={"till": "4"})
    part = taking.make(client, payment, amount=300, metadata={"till": "5"})
    rest = taking.make(client, payment)
    told = events(database, thing)[-2:]
    assert told == [taken_back(taking, payment, part), taken_back(taking, payment, rest)]
    assert [data["amount"] for _, data in told] == [300, 700]
    assert set(told[0][1]) == {
        "id", "amount", "currency", "payment_id", f"{taking.name}_id", f"{noun.name}_id", "metadata", "created_at",
        "updated_at",
    }  # fmt: skip


@EITHER_WAY
def test_only_what_gives_something_back_tells_of_it(client: Client, database: Database, taking: Taking) -> None:
    """7: one event for each obligation that something was taken of."""
    bills = [a_bill(client) for _ in range(3)]
    payment = a_payment(client, 300, applications=[{"bill": bill["id"], "amount": 100} for bill in bills])
    made = taking.make(client, payment, amount=150)
    by_id = {share["id"]: number for number, share in enumerate(made["applications"])}
    numbers = [by_id.get(application["id"]) for application in payment["applications"]]
    assert numbers[0] is None
    for bill, number in zip(bills, numbers, strict=True):
        expected = [] if number is None else [taken_back(taking, payment, made, number)]
        assert events(database, bill)[2:] == expected


# Together with what they tell of


@EITHER_WAY
def test_events_are_recorded_in_the_transaction_that_they_tell_of(
    client: Client, database: Database, taking: Taking
) -> None:
    """7: the payment, its transfers, its events and what they changed commit together."""
    bill, account = a_bill(client), an_account(client, currency="ZAR", balance=100)
    targets = [{"bill": bill["id"], "amount": 1000}, {"account": account["id"], "amount": 100}]
    payment = a_payment(client, 1100, applications=targets)
    ids = [bill["id"], account["id"]]
    (stood,) = written_by(database, "payment", payment["id"])
    assert written_by(database, "bill", bill["id"]) == written_by(database, "account", account["id"]) == {stood}
    rows = "SELECT DISTINCT xmin::text FROM {} WHERE {} = ANY ($1) AND {}"
    for table, owner, condition in (
        ("event", "object_id", f"type IN ('{APPLIED}', 'bill.paid')"),
        ("transfer", "obligation_id", "cause = 'payment'"),
    ):
        assert one(database, rows.format(table, owner, condition), ids) == {stood}
    made = taking.make(client, payment)
    (taken,) = written_by(database, taking.name, made["id"])
    assert written_by(database, "payment", payment["id"]) == written_by(database, "bill", bill["id"]) == {taken}
    assert one(database, rows.format("event", "object_id", f"type = '{REVERSED}'"), ids) == {taken}
    assert one(database, rows.format("transfer", "obligation_id", f"cause = '{taking.name}'"), ids) == {taken}
    assert stood != taken


def written_by(database: Database, table: str, row_id: str) -> set[str]:
    """Return the transaction that wrote a row as it stands."""
    return one(database, f"SELECT xmin::text FROM {table} WHERE id = $1", row_id)


def one(database: Database, statement: str, *arguments: Any) -> set[str]:
    return {row[0] for row in database.rows(statement, *arguments)}


def test_each_of_many_payments_at_once_has_one_event(client: Client, two_workers: Service, database: Database) -> None:
    """7: one event per application, no gap in the sequence, under contention too."""
    caller = two_workers.client(client.key)
    account = an_account(client, currency="ZAR", balance=0, payment_rules=OVER)
    with ThreadPoolExecutor(10) as pool:
        payments = list(pool.map(lambda n: a_payment(caller, 100 + n, account=account["id"]), range(30)))
    caller.close()
    told = events(database, account)[1:]
    assert sorted(told, key=lambda event: str(event[1]["amount"])) == [applied(payment) for payment in payments]
    assert as_it_stands(client, account)["balance"] == -sum(payment["amount"] for payment in payments)


def test_of_many_full_payments_at_once_one_is_told(client: Client, two_workers: Service, database: Database) -> None:
    """6: simultaneous full payments of one bill are one payment; 7: and it is told once, as is that it is paid."""
    caller, bill = two_workers.client(client.key), a_bill(client)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: pay(caller, 1000, bill=bill["id"]), range(20)))
    caller.close()
    (payment,) = [answer.json() for answer in answers if answer.status == 201]
    assert sorted(answer.status for answer in answers) == [201] + [422] * 19
    assert events(database, bill)[1:] == [applied(payment), ("bill.paid", as_it_stands(client, bill))]


@pytest.mark.parametrize("noun", [CUSTOMER, ACCOUNT], ids=str)
def test_a_balance_that_nobody_tracks_tells_of_its_payments_too(client: Client, database: Database, noun: Noun) -> None:
    """7: a payment is applied to the obligation, whether anybody tracks it or not."""
    thing = noun.make(client, currency="ZAR")
    payment = a_payment(client, 100, **{noun.name: thing["id"]})
    made = REFUND.make(client, payment)
    assert events(database, thing)[1:] == [applied(payment), taken_back(REFUND, payment, made)]
