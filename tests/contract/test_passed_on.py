"""5 and 6: where the merchant's own system subtracts payments, they leave the balances here as they are."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    BILL,
    CUSTOMER,
    EVERY_BALANCE,
    OPEN_RULES,
    PAYMENTS,
    SETTINGS,
    Noun,
    a_key,
    a_payment,
    at,
    entries,
    events,
    on,
    owing,
    refused,
    transfers,
)
from tests.contract.service import Database, Merchant, Service

HEADER = "Owed-Balance-Reapplied"


@pytest.fixture(scope="module")
def merchant_that_subtracts(service: Service) -> Merchant:
    return service.merchant("Subtracts")


@pytest.fixture
def payer(service: Service, merchant_that_subtracts: Merchant) -> Iterator[Client]:
    """A caller whose merchant subtracts payments from balances in a system of its own."""
    caller = service.client(merchant_that_subtracts.keys["sk_test"])
    reducing(caller, payments_reduce_balance=False)
    yield caller
    reducing(caller, payments_reduce_balance=True)


def reducing(caller: Client, *, payments_reduce_balance: bool) -> None:
    answer = caller.patch(SETTINGS, {"payments_reduce_balance": payments_reduce_balance})
    assert (answer.status, answer.json()["payments_reduce_balance"]) == (200, payments_reduce_balance)


def payable(client: Client, noun: Noun, amount: int = 1000) -> Json:
    return owing(client, noun, amount, payment_rules=OPEN_RULES)


def take_back(client: Client, payment: Json, what: str, **members: Any) -> Answer:
    reason = {"reason": "dishonoured"} if what == "reversals" else {}
    answer = client.post(f"{at(payment)}/{what}", reason | members, Idempotency_Key=a_key())
    assert answer.status == 201, answer.body
    return answer


def balance_of(client: Client, thing: Json) -> int:
    return int(client.get(at(thing)).json()["balance"])


@EVERY_BALANCE
def test_a_payment_is_passed_on_at_once_and_the_balance_stays(payer: Client, database: Database, noun: Noun) -> None:
    thing = payable(payer, noun)
    a_payment(payer, 300, channel="retail", **on(thing))
    assert balance_of(payer, thing) == 1000
    assert transfers(database, thing)[1:] == [
        ("payment", "clearing:retail", "receivable", -300, 700, "ZAR"),
        ("passed_on", "receivable", "passed_on", 300, 1000, "ZAR"),
    ]
    assert [kind for kind, _ in events(database, thing)][1:] == ["obligation.amount_applied"]


@EVERY_BALANCE
@pytest.mark.parametrize("what", ["refunds", "reversals"])
def test_what_is_taken_back_is_passed_on_too(payer: Client, database: Database, noun: Noun, what: str) -> None:
    thing = payable(payer, noun)
    payment = a_payment(payer, 300, **on(thing))
    taken_back = take_back(payer, payment, what, amount=120).json()
    assert balance_of(payer, thing) == 1000
    kind = what.removesuffix("s")
    other = {"refund": "refunds_payable", "reversal": "clearing"}[kind]
    assert transfers(database, thing)[3:] == [
        (kind, "receivable", other, 120, 1120, "ZAR"),
        ("passed_on", "passed_on", "receivable", -120, 1000, "ZAR"),
    ]
    shown = [
        {"payment_id": payment["id"], f"{kind}_id": taken_back["id"]}.items() <= each.items()
        for each in entries(payer, thing, cause="passed_on")
    ]
    assert shown == [True, False]


def test_an_entry_that_is_passed_on_happened_when_the_payment_did(payer: Client) -> None:
    thing = payable(payer, CUSTOMER)
    a_payment(payer, 300, paid_at="2026-01-31T09:30:00Z", **on(thing))
    first, second = entries(payer, thing)[:2]
    assert first["occurred_at"] == second["occurred_at"] == "2026-01-31T09:30:00Z"
    assert first["recorded_at"] > second["recorded_at"]


def test_a_bill_is_paid_as_ever(payer: Client, database: Database) -> None:
    bill = payable(payer, BILL)
    a_payment(payer, 1000, **on(bill))
    assert payer.get(at(bill)).json()["status"] == "paid"
    assert [each[0] for each in transfers(database, bill)] == ["bill_raised", "payment"]


def test_a_check_shows_the_balance_as_it_would_stay(payer: Client) -> None:
    thing, bill = payable(payer, CUSTOMER), payable(payer, BILL)
    parts = [{**on(thing), "amount": 300}, {**on(bill), "amount": 300}]
    body = {"amount": 600, "currency": "ZAR", "applications": parts}
    after = payer.post(f"{PAYMENTS}/check", body).json()["after"]
    assert (after[0]["balance"], after[1]["amount_paid"]) == (1000, 300)


def test_at_no_time_was_the_balance_another(payer: Client) -> None:
    """The two entries are a microsecond apart, and yet what is shown as of the first is what was shown then."""
    thing = payable(payer, CUSTOMER)
    a_payment(payer, 300, **on(thing))
    for entry in entries(payer, thing):
        shown = payer.get(f"{at(thing)}?as_of={entry['recorded_at']}").json()
        assert shown["balance"] == 1000, entry


@EVERY_BALANCE
def test_what_was_passed_on_is_not_reapplied(payer: Client, noun: Noun) -> None:
    thing = payable(payer, noun)
    as_of = entries(payer, thing)[0]["recorded_at"]
    payment = a_payment(payer, 300, **on(thing))
    take_back(payer, payment, "refunds", amount=100)
    between = entries(payer, thing, cause="payment")[0]["recorded_at"]
    for moment in (as_of, between):
        answer = payer.patch(at(thing), {"balance": 700, "balance_as_of": moment})
        assert (answer.json()["balance"], answer.headers[HEADER]) == (700, "0")


def test_the_setting_of_the_moment_counts(payer: Client) -> None:
    thing = payable(payer, CUSTOMER)
    as_of = entries(payer, thing)[0]["recorded_at"]
    payment = a_payment(payer, 300, **on(thing))
    reducing(payer, payments_reduce_balance=True)
    a_payment(payer, 50, **on(thing))
    take_back(payer, payment, "refunds", amount=100)
    assert balance_of(payer, thing) == 1050
    answer = payer.patch(at(thing), {"balance": 700, "balance_as_of": as_of})
    assert (answer.json()["balance"], answer.headers[HEADER]) == (750, "2")


def test_the_trial_balance_says_what_was_passed_on(payer: Client) -> None:
    before = passed_on_in(payer)
    thing = payable(payer, CUSTOMER)
    payment = a_payment(payer, 300, **on(thing))
    take_back(payer, payment, "reversals", amount=100)
    assert passed_on_in(payer) - before == -200


def passed_on_in(client: Client) -> int:
    lines = client.get("/billing/ledger/trial-balance?currency=ZAR").json()["data"]
    return sum(line["total"] for line in lines if line["account"] == "passed_on")


@pytest.mark.parametrize("value", ["false", 0, []])
def test_anything_but_true_or_false_is_refused(payer: Client, value: object) -> None:
    refused(payer.patch(SETTINGS, {"payments_reduce_balance": value}), 400, "/payments_reduce_balance")


def test_the_books_are_whole(payer: Client, service: Service, merchant_that_subtracts: Merchant) -> None:
    thing = payable(payer, CUSTOMER)
    payment = a_payment(payer, 300, **on(thing))
    take_back(payer, payment, "reversals")
    assert service.owed("verify", "--merchant", merchant_that_subtracts.id, "--settle", "0")["transfers"] > 4
