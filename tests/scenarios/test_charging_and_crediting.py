"""A clerk's day with charges and credits: prepaid electricity, a wrong charge, and a bill settled with a discount."""

from collections.abc import Callable

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import OPEN_RULES, a_key
from tests.contract.service import Service

METER = "/billing/accounts/METER-7"
BILL = "/billing/bills/INV-7"


@pytest.fixture
def clerk(service: Service) -> Client:
    """A clerk of a merchant of the test's own."""
    return service.client(service.merchant("Kisumu Power").keys["sk_test"])


def post(clerk: Client, path: str, body: Json) -> Answer:
    return clerk.post(path, body, Idempotency_Key=a_key())


def done(answer: Answer) -> Json:
    assert answer.status in (200, 201), answer.body
    found: Json = answer.json()
    return found


def balance(clerk: Client) -> int:
    return int(done(clerk.get(METER))["balance"])


def consumer(clerk: Client) -> Callable[[int], Answer]:
    """Make a customer with a prepaid meter on which nothing is left, and give what consumes by it."""
    customer = {"external_reference": "AMINA", "name": "Amina Otieno"}
    meter = {"currency": "KES", "balance": 0, "payment_rules": OPEN_RULES}
    done(post(clerk, "/billing/accounts", {"external_reference": "METER-7", "customer": customer} | meter))
    return lambda amount: post(clerk, f"{METER}/charges", {"amount": amount, "floor": 0})


def test_prepaid_electricity_is_topped_up_and_consumed_down_to_the_floor(clerk: Client) -> None:
    consume = consumer(clerk)
    assert consume(1).code == "insufficient_credit"

    # Amina buys electricity for 500 shillings at the shop, and her meter reports what it uses.
    payment = {"account": "METER-7", "amount": 50_000, "currency": "KES", "channel": "mobile_money"}
    done(post(clerk, "/billing/payments", payment))
    assert [done(consume(12_000))["balance_after"] for _ in range(4)] == [-38_000, -26_000, -14_000, -2000]

    # The next reading would use more than is left. The meter lets her use the rest, and then switches off.
    refusal = consume(12_000)
    assert (refusal.status, refusal.code, refusal.json()["available"]) == (422, "insufficient_credit", 2000)
    done(consume(refusal.json()["available"]))
    assert (balance(clerk), consume(1).json()["available"]) == (0, 0)

    # Her statement shows where it went: one payment, five charges.
    causes = [entry["cause"] for entry in done(clerk.get(f"{METER}/entries"))["data"]]
    assert causes == ["charge"] * 5 + ["payment", "opening"]


def test_a_wrong_charge_is_reversed_and_the_right_one_made(clerk: Client) -> None:
    consumer(clerk)
    done(post(clerk, "/billing/payments", {"account": "METER-7", "amount": 50_000, "currency": "KES"}))

    # The reading of another meter was charged here: the clerk finds it by the reading's number, and undoes it.
    reading = {"amount": 45_000, "reason": "reading of 3 February", "external_reference": "READING-991"}
    done(post(clerk, f"{METER}/charges", reading))
    clerk.send(
        "POST", f"{METER}/charges/READING-991/reverse", headers={"Owed-Actor": "wanjiru", "Owed-Reason": "meter 17"}
    )
    assert balance(clerk) == -50_000
    again = clerk.send("POST", f"{METER}/charges/READING-991/reverse")
    assert (again.status, "already" in again.json()["detail"]) == (409, True)

    # The right one; and a little back for the trouble.
    done(post(clerk, f"{METER}/charges", {"amount": 4500, "external_reference": "READING-992"}))
    done(post(clerk, f"{METER}/credits", {"amount": 500, "reason": "goodwill"}))
    assert balance(clerk) == -46_000

    # Nothing was wiped out: both transfers of the wrong charge stay, and say who put it right.
    charges = done(clerk.get(f"{METER}/charges"))["data"]
    assert [(each["external_reference"], "reversed_at" in each) for each in charges] == [
        ("READING-992", False), ("READING-991", True),
    ]  # fmt: skip
    entries = done(clerk.get(f"{METER}/entries?actor=wanjiru"))["data"]
    assert [(entry["amount"], entry["charge_id"], entry["reason"]) for entry in entries] == [
        (-45_000, charges[1]["id"], "meter 17")
    ]


def test_a_bill_is_settled_by_a_part_payment_and_a_discount(clerk: Client) -> None:
    customer = {"external_reference": "KABELO", "name": "Kabelo Traders"}
    bill = {"external_reference": "INV-7", "customer": customer, "currency": "ZAR", "amount_due": 100_000}
    done(post(clerk, "/billing/bills", bill))

    # Kabelo pays within ten days, which earns two in the hundred.
    done(post(clerk, "/billing/payments", {"bill": "INV-7", "amount": 98_000, "currency": "ZAR"}))
    assert done(clerk.get(BILL))["status"] == "unpaid"
    discount = {"type": "discount", "amount": 2000, "reason": "2 % within ten days", "external_reference": "DISC-7"}
    done(post(clerk, f"{BILL}/credits", discount))

    settled = done(clerk.get(BILL))
    assert (settled["status"], settled["amount_paid"], settled["amount_remaining"]) == ("paid", 100_000, 0)
    events = done(clerk.get(f"/billing/events?object={settled['id']}"))["data"]
    assert [event["type"] for event in events] == [
        "bill.paid", "bill.updated", "obligation.amount_applied", "bill.created",
    ]  # fmt: skip

    # At the end of the month the books say what was billed, what came in, and what the discounts cost.
    lines = done(clerk.get("/billing/ledger/trial-balance?currency=ZAR"))["data"]
    assert {line["account"]: line["total"] for line in lines} == {
        "billed": -100_000, "clearing": 98_000, "discounts": 2000, "receivable": 0,
    }  # fmt: skip

    # It turns out that the money came on the twelfth day: the discount is taken back, and 2,000 are owed again.
    done(clerk.send("POST", f"{BILL}/credits/DISC-7/reverse"))
    owed = done(clerk.get(BILL))
    assert (owed["status"], owed["amount_remaining"]) == ("unpaid", 2000)
