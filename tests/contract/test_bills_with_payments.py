"""4, 6: what can be done with a bill, an account or a customer once payments are on it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from tests.contract.client import JSON, MERGE_PATCH, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    CUSTOMER,
    EITHER_WAY,
    EVERY_NOUN,
    LARGEST,
    REFUND,
    REVERSAL,
    RULES,
    Noun,
    Taking,
    a_bill,
    a_payment,
    an_account,
    as_it_stands,
    at,
    events,
    on,
    owing,
    pay,
    payment_refused,
    refused,
    transfers,
)
from tests.contract.service import Database, Service

OVER: Final = RULES | {"overpayment_allowed": True}
BOTH = pytest.mark.parametrize("media_type", [JSON, MERGE_PATCH])


def paid_bill(client: Client, amount: int, **members: object) -> tuple[Json, Json]:
    """Make a bill of 1000 ZAR and pay an amount to it; return the bill as it stands, and the payment."""
    bill = a_bill(client, **members)
    payment = a_payment(client, amount, **on(bill))
    return as_it_stands(client, bill), payment


def money(bill: Json) -> tuple[int, int, str]:
    return bill["amount_paid"], bill["amount_remaining"], bill["status"]


# amount_paid


@BOTH
def test_money_from_elsewhere_comes_on_top_of_payments(client: Client, database: Database, media_type: str) -> None:
    """4: PATCH gives the absolute value: payments through Owed plus money taken elsewhere."""
    bill, _ = paid_bill(client, 400)
    for amount_paid, expected in (
        (700, (700, 300, "unpaid")),
        (1000, (1000, 0, "paid")),
        (401, (401, 599, "unpaid")),
        (400, (400, 600, "unpaid")),
    ):
        answer = client.patch(at(bill), {"amount_paid": amount_paid}, Content_Type=media_type)
        assert (answer.status, money(answer.json())) == (200, expected)
    assert as_it_stands(client, bill) == bill
    assert transfers(database, bill)[2:] == [
        ("correction", "external_receipts", "receivable", -300, 300, "ZAR"),
        ("correction", "external_receipts", "receivable", -300, 0, "ZAR"),
        ("correction", "receivable", "external_receipts", 599, 599, "ZAR"),
        ("correction", "receivable", "external_receipts", 1, 600, "ZAR"),
    ]


@pytest.mark.parametrize("amount_paid", [0, 1, 399])
@BOTH
def test_what_payments_hold_is_not_corrected_away(
    client: Client, database: Database, amount_paid: int, media_type: str
) -> None:
    """4: below what payments through Owed hold: 409; nothing of the PATCH happens."""
    bill, _ = paid_bill(client, 400)
    topped_up = client.patch(at(bill), {"amount_paid": 700}).json()
    for change in ({}, {"due_date": "2026-01-31"}, {"payment_rules": OVER}):
        answer = client.patch(at(bill), {"amount_paid": amount_paid} | change, Content_Type=media_type)
        refused(answer, 409, "/amount_paid")
    assert as_it_stands(client, bill) == topped_up
    assert len(transfers(database, bill)) == 3


@EITHER_WAY
def test_what_was_taken_back_can_be_corrected_away(client: Client, taking: Taking) -> None:
    """4: what payments still hold is the bound: it falls with each refund and each reversal."""
    bill, payment = paid_bill(client, 400)
    client.patch(at(bill), {"amount_paid": 600})
    taking.make(client, payment, amount=150)
    assert money(as_it_stands(client, bill)) == (450, 550, "unpaid")
    refused(client.patch(at(bill), {"amount_paid": 249}), 409, "/amount_paid")
    assert money(client.patch(at(bill), {"amount_paid": 250}).json()) == (250, 750, "unpaid")
    taking.make(client, payment)
    assert money(as_it_stands(client, bill)) == (0, 1000, "unpaid")
    assert client.patch(at(bill), {"amount_paid": 0}).status == 200


@EITHER_WAY
def test_money_from_elsewhere_is_not_taken_back(client: Client, taking: Taking) -> None:
    """6: a payment gives back what it holds itself, never what was taken elsewhere."""
    bill, payment = paid_bill(client, 400)
    client.patch(at(bill), {"amount_paid": 1000})
    refused(taking.create(client, payment, amount=401), 409, "/amount")
    taking.make(client, payment)
    assert money(as_it_stands(client, bill)) == (600, 400, "unpaid")
    assert taking.create(client, payment).status == 409
    assert money(client.patch(at(bill), {"amount_paid": 0}).json()) == (0, 1000, "unpaid")


def test_a_payment_is_measured_by_what_remains_after_corrections(client: Client) -> None:
    """5: owed is a bill's `amount_remaining`, whoever paid the rest."""
    bill = a_bill(client)
    client.patch(at(bill), {"amount_paid": 700})
    problem = payment_refused(pay(client, 301, **on(bill)), ["overpayment_allowed"], "/amount")
    assert problem["would_pass"] == {"min": 1, "max": 300}
    a_payment(client, 300, **on(bill))
    assert money(as_it_stands(client, bill)) == (1000, 0, "paid")
    refused(client.patch(at(bill), {"amount_paid": 299}), 409, "/amount_paid")
    assert money(client.patch(at(bill), {"amount_paid": 300}).json()) == (300, 700, "unpaid")


def test_more_than_is_due_needs_rules_that_allow_it(client: Client) -> None:
    """4: `amount_paid` above `amount_due` by PATCH only where `overpayment_allowed`, else 400, payments or not."""
    bill, _ = paid_bill(client, 1000)
    refused(client.patch(at(bill), {"amount_paid": 1001}), 400, "/amount_paid")
    answer = client.patch(at(bill), {"amount_paid": 1001, "payment_rules": OVER})
    assert (answer.status, money(answer.json())) == (200, (1001, 0, "paid"))
    refused(client.patch(at(bill), {"amount_paid": 999}), 409, "/amount_paid")
    refused(client.patch(at(bill), {"amount_paid": 999, "currency": "usd"}), 400, "/currency")


def test_what_was_overpaid_by_payments_stands_under_stricter_rules(client: Client) -> None:
    """1.1: a client may send back what it got; rules that forbid it from now on undo nothing."""
    bill, payment = paid_bill(client, 1500, payment_rules=OVER)
    strict = client.patch(at(bill), {"payment_rules": RULES})
    assert (strict.status, strict.json()) == (200, bill | {"payment_rules": RULES})
    again = client.patch(at(bill), strict.json())
    assert (again.status, again.json(), again.etag) == (200, strict.json(), strict.etag)
    REFUND.make(client, payment, amount=501)
    assert money(as_it_stands(client, bill)) == (999, 1, "unpaid")


@pytest.mark.parametrize("amount", [400, 1000])
@BOTH
def test_a_client_may_send_back_what_it_got(client: Client, database: Database, amount: int, media_type: str) -> None:
    """1.1: read-only members that stand are accepted, and nothing is written or told."""
    bill, _ = paid_bill(client, amount, account=an_account(client)["id"])
    before = (client.get(at(bill)).etag, len(transfers(database, bill)), len(events(database, bill)))
    answer = client.patch(at(bill), bill, Content_Type=media_type)
    assert (answer.status, answer.json()) == (200, bill)
    assert (answer.etag, len(transfers(database, bill)), len(events(database, bill))) == before
    for change in ({"status": "voided"}, {"amount_remaining": 7}):
        refused(client.patch(at(bill), change, Content_Type=media_type), 409, *(f"/{name}" for name in change))


@EVERY_NOUN
def test_a_payment_makes_an_older_version_stale(client: Client, noun: Noun) -> None:
    """1.1: every payment changes the version of what it pays, so that no update is lost."""
    thing = owing(client, noun)
    seen = client.get(at(thing))
    payment = a_payment(client, 400, **on(thing))
    paid = client.get(at(thing))
    REFUND.make(client, payment)
    given_back = client.get(at(thing))
    assert len({seen.etag, paid.etag, given_back.etag}) == 3
    assert seen.body == given_back.body
    for stale in (seen, paid):
        answer = client.patch(at(thing), {"metadata": {"a": "1"}}, If_Match=stale.etag)
        assert (answer.status, answer.code) == (412, "precondition_failed")
    assert client.patch(at(thing), {"metadata": {"a": "1"}}, If_Match=given_back.etag).status == 200


def test_a_correction_and_a_payment_at_once_never_break_the_bound(client: Client, database: Database) -> None:
    """4: whichever comes first: what payments hold is never more than what is paid."""
    bills = [a_bill(client, payment_rules=OVER) for _ in range(8)]

    def correct(bill: Json) -> int:
        return client.patch(at(bill), {"amount_paid": 300}).status

    with ThreadPoolExecutor(8) as pool:
        pairs = [(pool.submit(pay, client, 600, **on(bill)), pool.submit(correct, bill)) for bill in bills]
        outcomes = [(paid.result().status, corrected.result()) for paid, corrected in pairs]
    for bill, (paid, corrected) in zip(bills, outcomes, strict=True):
        assert (paid, as_it_stands(client, bill)["amount_paid"]) == (201, 900 if corrected == 200 else 600)
        assert corrected in (200, 409)
        assert sum(row[3] for row in transfers(database, bill)) == 1000 - as_it_stands(client, bill)["amount_paid"]


# Void


@pytest.mark.parametrize("amount", [1, 400, 1000])
def test_a_bill_with_a_payment_on_it_is_not_voided(client: Client, database: Database, amount: int) -> None:
    """4: a bill with money on it must be refunded or corrected first (409)."""
    bill, _ = paid_bill(client, amount)
    for answer in (
        client.send("POST", f"{at(bill)}/void"),
        client.post(f"{at(bill)}/void", {"metadata": {"a": "1"}}),
    ):
        assert (answer.status, answer.code) == (409, "conflict")
    assert as_it_stands(client, bill) == bill
    assert [row[0] for row in transfers(database, bill)] == ["bill_raised", "payment"]


@EITHER_WAY
def test_a_bill_is_voided_once_all_of_it_is_taken_back(client: Client, database: Database, taking: Taking) -> None:
    """4: refunded first: in full, and what was taken elsewhere corrected."""
    bill, payment = paid_bill(client, 400)
    client.patch(at(bill), {"amount_paid": 500})
    taking.make(client, payment, amount=399)
    assert client.send("POST", f"{at(bill)}/void").status == 409
    taking.make(client, payment)
    assert client.send("POST", f"{at(bill)}/void").status == 409
    assert client.patch(at(bill), {"amount_paid": 0}).status == 200
    voided = client.send("POST", f"{at(bill)}/void")
    assert (voided.status, money(voided.json())) == (200, (0, 1000, "voided"))
    assert transfers(database, bill)[-1] == ("void", "billed", "receivable", -1000, 0, "ZAR")
    assert taking.create(client, payment, amount=1).status == 409
    assert client.get(at(bill)).json() == voided.json()


def test_a_voided_bill_takes_no_payment(client: Client) -> None:
    """4, 5: a voided bill can be neither paid nor changed: `payment_refused`, with no amount that would pass."""
    bill, payment = paid_bill(client, 400)
    REVERSAL.make(client, payment)
    client.send("POST", f"{at(bill)}/void")
    problem = payment_refused(pay(client, 1000, **on(bill)), ["voided"], "/bill")
    assert {"would_pass", "settles"}.isdisjoint(problem)


def test_a_payment_and_a_void_at_once_never_both_stand(client: Client, two_workers: Service) -> None:
    """4, 5: whichever comes first, the other is refused."""
    caller = two_workers.client(client.key)
    bills = [a_bill(client) for _ in range(10)]

    def void(bill: Json) -> int:
        return caller.send("POST", f"{at(bill)}/void").status

    with ThreadPoolExecutor(10) as pool:
        pairs = [(pool.submit(pay, caller, 1000, **on(bill)), pool.submit(void, bill)) for bill in bills]
        statuses = [(paid.result().status, voided.result()) for paid, voided in pairs]
    caller.close()
    for bill, outcome in zip(bills, statuses, strict=True):
        expected = {(201, 409): (1000, 0, "paid"), (422, 200): (0, 1000, "voided")}[outcome]
        assert money(as_it_stands(client, bill)) == expected


# Currency


@BOTH
def test_the_currency_of_a_bill_with_a_payment_does_not_change(client: Client, media_type: str) -> None:
    """4: `currency` while `amount_paid` is 0; 1.5: changing a currency that money already uses is 409."""
    bill, payment = paid_bill(client, 400)
    for change in ({}, {"due_date": "2027-01-01"}, {"amount_paid": 500}):
        answer = client.patch(at(bill), {"currency": "USD"} | change, Content_Type=media_type)
        refused(answer, 409, "/currency")
    both = client.patch(at(bill), {"currency": "USD", "amount_paid": 0}, Content_Type=media_type)
    assert (both.status, both.code) == (409, "conflict")
    REFUND.make(client, payment, amount=399)
    refused(client.patch(at(bill), {"currency": "USD"}, Content_Type=media_type), 409, "/currency")
    assert client.patch(at(bill), {"currency": "ZAR"}, Content_Type=media_type).status == 200


@EITHER_WAY
def test_the_currency_of_a_bill_changes_once_all_of_it_is_taken_back(
    client: Client, database: Database, taking: Taking
) -> None:
    """4: while `amount_paid` is 0; the old payment keeps the currency that it came in."""
    bill, payment = paid_bill(client, 1000)
    taking.make(client, payment)
    changed = client.patch(at(bill), {"currency": "USD"})
    assert (changed.status, changed.json()["currency"]) == (200, "USD")
    assert taking.create(client, payment).status == 409
    assert as_it_stands(client, payment)["currency"] == "ZAR"
    assert pay(client, 1000, **on(bill)).status == 422
    a_payment(client, 1000, currency="USD", **on(bill))
    assert money(as_it_stands(client, bill)) == (1000, 0, "paid")
    assert [row[5] for row in transfers(database, bill)] == ["ZAR"] * 4 + ["USD"] * 2


@pytest.mark.parametrize("noun", [CUSTOMER, ACCOUNT], ids=str)
@pytest.mark.parametrize("members", [{}, {"balance": 1000}], ids=["untracked", "tracked"])
def test_the_currency_of_a_balance_is_fixed_by_a_payment(client: Client, noun: Noun, members: Json) -> None:
    """2: a currency that money already uses (a balance has been tracked, or a payment made) cannot change (409)."""
    thing = noun.make(client, currency="ZAR", **members)
    payment = a_payment(client, 100, **on(thing))
    for change in ({"currency": "USD"}, {"currency": "USD", "balance": 5}):
        refused(client.patch(at(thing), change), 409, "/currency")
    REFUND.make(client, payment)
    refused(client.patch(at(thing), {"currency": "USD"}), 409, "/currency")
    assert as_it_stands(client, thing) == thing
    assert client.patch(at(thing), {"currency": "ZAR"}).json() == thing


# Balances


@pytest.mark.parametrize("noun", [CUSTOMER, ACCOUNT], ids=str)
def test_a_new_balance_is_absolute_after_payments(client: Client, database: Database, noun: Noun) -> None:
    """2: `balance` replaces the old value: its transfer is the difference from the running total."""
    thing = noun.make(client, currency="ZAR", balance=1000, payment_rules=OVER)
    payment = a_payment(client, 1200, **on(thing))
    assert client.patch(at(thing), {"balance": 500}).json() == thing | {"balance": 500}
    REFUND.make(client, payment, amount=200)
    assert client.patch(at(thing), {"balance": -LARGEST}).json() == thing | {"balance": -LARGEST}
    assert transfers(database, thing) == [
        ("opening", "receivable", "opening_equity", 1000, 1000, "ZAR"),
        ("payment", "clearing", "receivable", -1200, -200, "ZAR"),
        ("balance_set", "receivable", "balance_replacement", 700, 500, "ZAR"),
        ("refund", "receivable", "refunds_payable", 200, 700, "ZAR"),
        ("balance_set", "balance_replacement", "receivable", -LARGEST - 700, -LARGEST, "ZAR"),
    ]
    payment_refused(pay(client, 100, **on(thing)), ["max_amount"], "/amount")


@pytest.mark.parametrize("noun", [CUSTOMER, ACCOUNT], ids=str)
def test_tracking_starts_from_the_total_that_ran(client: Client, database: Database, noun: Noun) -> None:
    """6: the total runs untracked where a currency is set; tracking later starts from it."""
    thing = noun.make(client, currency="ZAR")
    a_payment(client, 300, **on(thing))
    assert client.patch(at(thing), {"balance": 0}).json() == thing | {"balance": 0}
    assert transfers(database, thing)[1:] == [("opening", "receivable", "opening_equity", 300, 0, "ZAR")]
    payment_refused(pay(client, 100, **on(thing)), ["overpayment_allowed"], "/amount")


def test_a_balance_and_payments_at_once_are_all_in_the_ledger(
    client: Client, two_workers: Service, database: Database
) -> None:
    """2, 6: whichever order they come in, the transfers add up to what stands."""
    caller = two_workers.client(client.key)
    account = an_account(client, currency="ZAR", balance=0, payment_rules=OVER)

    def move(n: int) -> int:
        return (caller.patch(at(account), {"balance": n}) if n % 2 else pay(caller, 100, **on(account))).status

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(move, range(20)))
    caller.close()
    assert sorted(statuses) == [200] * 10 + [201] * 10
    chain = transfers(database, account)
    assert chain[-1][4] == sum(row[3] for row in chain) == as_it_stands(client, account)["balance"]
    assert [row[0] for row in chain].count("payment") == 10


# Rules


@EVERY_NOUN
def test_rules_may_change_after_payments(client: Client, noun: Noun) -> None:
    """5: the rules that stand decide: over what comes, not over what came."""
    thing = owing(client, noun)
    payment = a_payment(client, 400, **on(thing))
    strict = RULES | {"min_amount": 200, "max_amount": 500, "underpayment_allowed": False}
    assert client.patch(at(thing), {"payment_rules": strict}).json()["payment_rules"] == strict
    problem = payment_refused(pay(client, 300, **on(thing)), ["underpayment_allowed"], "/amount")
    assert "would_pass" not in problem
    assert client.patch(at(thing), {"payment_rules": strict | {"max_amount": 600}}).status == 200
    problem = payment_refused(pay(client, 300, **on(thing)), ["underpayment_allowed"], "/amount")
    assert problem["would_pass"] == {"min": 600, "max": 600}
    REFUND.make(client, payment, amount=1)
    payment_refused(pay(client, 600, **on(thing)), ["underpayment_allowed"], "/amount")
    client.patch(at(thing), {"payment_rules": OVER})
    assert a_payment(client, 700, **on(thing))["status"] == "succeeded"


@EVERY_NOUN
def test_without_rules_nothing_more_is_paid_and_all_is_taken_back(client: Client, noun: Noun) -> None:
    """5: without rules an object cannot be paid; 6: what takes back ignores them."""
    thing = owing(client, noun)
    payment = a_payment(client, 400, **on(thing))
    client.merge(at(thing), {"payment_rules": None})
    payment_refused(pay(client, 100, **on(thing)), ["not_payable"], f"/{noun.name}")
    REFUND.make(client, payment, amount=100)
    REVERSAL.make(client, payment)
    now = as_it_stands(client, thing)
    assert now == {name: value for name, value in thing.items() if name != "payment_rules"}


def test_rules_and_a_payment_at_once_are_one_after_the_other(client: Client) -> None:
    """6: the rules hold on locked state: a payment is decided by those before the change, or by those after it."""
    bills = [a_bill(client) for _ in range(8)]

    def close(bill: Json) -> int:
        return client.merge(at(bill), {"payment_rules": None}).status

    with ThreadPoolExecutor(8) as pool:
        pairs = [(pool.submit(pay, client, 1000, **on(bill)), pool.submit(close, bill)) for bill in bills]
        statuses = [(paid.result().status, closed.result()) for paid, closed in pairs]
    for bill, (paid, closed) in zip(bills, statuses, strict=True):
        assert closed == 200
        assert money(as_it_stands(client, bill)) == ((1000, 0, "paid") if paid == 201 else (0, 1000, "unpaid"))
        assert paid in (201, 422)
