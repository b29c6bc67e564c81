"""Money that does not fit, as a clerk at the merchant's desk has it on her screen."""

import pytest

from tests.contract.client import Client
from tests.scenarios.desk import Desk


@pytest.fixture
def desk(newcomer: Client) -> Desk:
    """A clerk of a merchant of the test's own, with two customers: a school, and a shop that has the same name."""
    desk = Desk(newcomer)
    for customer in ("SCHOOL", "SHOP"):
        desk.does("customers", {"external_reference": customer, "name": "Acacia", "currency": "ZAR", "balance": 0})
    desk.does("bills", {"external_reference": "W-1", "customer": "SCHOOL", "currency": "ZAR", "amount_due": 60_000})
    desk.does("bills", {"external_reference": "W-2", "customer": "SHOP", "currency": "ZAR", "amount_due": 25_000})
    return desk


def test_a_transfer_with_a_mistyped_reference(desk: Desk) -> None:
    """On Monday 600 rand are in the bank "for bill W-11", which there is not. On Tuesday the school rings up."""
    payment = desk.receives(60_000, bill="W-11", external_reference="EFT-1")
    assert [breach["rule"] for breach in payment["rule_breaches"]] == ["not_found"]

    # Whose it is nobody knows. It is on the list of what must be looked into, and in the books as a liability.
    assert [each["id"] for each in desk.sees("unallocated")["data"]] == [payment["id"]]
    assert (desk.books()["clearing:eft"], desk.books()["unallocated"]) == (60_000, -60_000)

    allocation = desk.does("payments/EFT-1/allocations", {"bill": "W-1", "reason": "they meant W-1"}, "phone call")
    assert desk.sees("bills/W-1")["status"] == "paid"
    assert desk.sees("unallocated") == {"data": []}
    assert desk.books()["unallocated"] == 0

    entry = desk.sees("bills/W-1/entries")["data"][0]
    assert (entry["cause"], entry["allocation_id"]) == ("allocation", allocation["id"])
    assert (entry["actor"], entry["reason"]) == ("thandi", "phone call")


def test_a_customer_who_pays_too_much(desk: Desk) -> None:
    """The school pays 650 for a bill of 600. It wants 20 back, and the rest kept for the next bill."""
    payment = desk.receives(65_000, bill="W-1", external_reference="EFT-2")
    assert desk.sees("bills/W-1")["amount_remaining"] == 0
    (rest,) = desk.sees("customers/SCHOOL/unallocated")["data"]
    assert (rest["amount"], rest["payments"][0]["payment_id"]) == (5000, payment["id"])

    refund = desk.does("payments/EFT-2/refunds", {"amount": 2000, "reason": "they asked for it"})
    assert (refund["amount_unallocated"], refund["applications"]) == (2000, [])
    assert desk.sees("bills/W-1")["status"] == "paid"

    desk.does("payments/EFT-2/allocations", {"customer": "SCHOOL"})
    assert desk.sees("customers/SCHOOL")["balance"] == -3000
    assert desk.sees("customers/SCHOOL/unallocated") == {"data": []}


def test_money_on_the_wrong_bill(desk: Desk) -> None:
    """The clerk takes the shop's money for the school's: the bill of the school must be open again."""
    desk.receives(25_000, bill="W-1", external_reference="EFT-3")
    move = desk.does("payments/EFT-3/moves", {"bill": "W-2"}, "wrong Acacia")

    assert desk.sees("bills/W-1")["amount_remaining"] == 60_000
    assert desk.sees("bills/W-2")["status"] == "paid"
    causes = [(each["cause"], each["amount"]) for each in desk.sees("bills/W-1/entries")["data"]]
    assert causes == [("move", 25_000), ("payment", -25_000), ("bill_raised", 60_000)]
    assert desk.sees(f"payments/EFT-3/moves/{move['id']}") == move
    assert desk.books()["reallocation"] == 0


def test_a_debit_order_that_bounces_after_all_was_sorted_out(desk: Desk) -> None:
    """300 were received for nothing in particular, 250 of them found their bill, and then the bank takes all back."""
    desk.receives(30_000, applications=[], customer="SHOP", external_reference="DO-1")
    desk.does("payments/DO-1/allocations", {"bill": "W-2"})
    reversal = desk.does("payments/DO-1/reversals", {"reason": "dishonoured"})

    assert (reversal["amount"], reversal["amount_unallocated"]) == (30_000, 5000)
    assert desk.sees("bills/W-2")["status"] == "unpaid"
    payment = desk.sees("payments/DO-1")
    assert (payment["status"], payment["amount_unallocated"]) == ("reversed", 0)
    assert (desk.books()["clearing:eft"], desk.books()["unallocated"]) == (0, 0)


def test_one_slip_that_is_on_the_pile_three_times(desk: Desk) -> None:
    """Three payments of 150 look alike: one is the school's, one was keyed in twice, and one is the shop's."""
    slip = {"bill": "W-1", "amount": 15_000, "currency": "ZAR", "channel": "cash"}
    first, second, third = (desk.does("payments", slip) for _ in range(3))
    assert [each.get("possible_duplicate_of") for each in (first, second, third)] == [None, first["id"], second["id"]]

    # With a reference it could not have happened.
    numbered = {**slip, "external_reference": "SLIP-9"}
    payment = desk.does("payments", numbered)
    again = desk.client.post("/billing/payments", numbered, Idempotency_Key="another")
    assert (again.status, again.code, again.json()["payment_id"]) == (409, "conflict", payment["id"])
    desk.does("payments/SLIP-9/reversals", {"reason": "error"}, "only tried")

    # In the evening she looks through what may be doubled.
    doubtful = desk.sees("payments?possible_duplicates=true")["data"]
    assert [each["id"] for each in doubtful] == [payment["id"], third["id"], second["id"]]
    desk.does(f"payments/{second['id']}/reversals", {"reason": "error"}, "keyed in twice")
    desk.does(f"payments/{third['id']}/moves", {"bill": "W-2"}, "the shop's slip")

    assert [desk.sees(f"bills/{bill}")["amount_remaining"] for bill in ("W-1", "W-2")] == [45_000, 10_000]
    assert desk.books()["clearing:cash"] == 30_000
