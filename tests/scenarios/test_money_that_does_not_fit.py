"""Money that does not fit, as a clerk at the merchant's desk has it on her screen."""

from typing import Any
from uuid import uuid4

import pytest

from tests.contract.client import Client, Json
from tests.contract.service import Service


class Desk:
    """A clerk, who has a bank statement in one hand and signs with her name."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def does(self, path: str, members: Json, why: str = "bank statement") -> Json:
        """Do something that must be done, and give what is shown of it."""
        signed = {"Owed_Actor": "thandi", "Owed_Reason": why, "Idempotency_Key": str(uuid4())}
        answer = self.client.post(f"/billing/{path}", members, **signed)
        assert answer.status == 201, answer.body
        made: Json = answer.json()
        return made

    def sees(self, path: str) -> Any:
        """Look at something that must be there."""
        answer = self.client.get(f"/billing/{path}")
        assert answer.status == 200, answer.body
        return answer.json()


@pytest.fixture
def desk(service: Service) -> Desk:
    """A clerk of a merchant of his own, with two customers: a school, and a shop that has the same name."""
    desk = Desk(service.client(service.merchant("Paarl Water").keys["sk_test"]))
    for customer in ("SCHOOL", "SHOP"):
        desk.does("customers", {"external_reference": customer, "name": "Acacia", "currency": "ZAR", "balance": 0})
    desk.does("bills", {"external_reference": "W-1", "customer": "SCHOOL", "currency": "ZAR", "amount_due": 60_000})
    desk.does("bills", {"external_reference": "W-2", "customer": "SHOP", "currency": "ZAR", "amount_due": 25_000})
    return desk


def received(desk: Desk, amount: int, **members: Any) -> Json:
    return desk.does("payments", {"received": True, "amount": amount, "currency": "ZAR", "channel": "eft"} | members)


def account(desk: Desk, name: str) -> int:
    """Give what an account of the ledger comes to."""
    lines = desk.sees("ledger/trial-balance")["data"]
    return sum(line["total"] for line in lines if line["account"] == name)


def test_a_transfer_with_a_mistyped_reference(desk: Desk) -> None:
    """On Monday 600 rand are in the bank "for bill W-11", which there is not. On Tuesday the school rings up."""
    payment = received(desk, 60_000, bill="W-11", external_reference="EFT-1")
    assert [breach["rule"] for breach in payment["rule_breaches"]] == ["not_found"]

    # Whose it is nobody knows. It is on the list of what must be looked into, and in the books as a liability.
    assert [each["id"] for each in desk.sees("unallocated")["data"]] == [payment["id"]]
    assert (account(desk, "clearing:eft"), account(desk, "unallocated")) == (60_000, -60_000)

    allocation = desk.does("payments/EFT-1/allocations", {"bill": "W-1", "reason": "they meant W-1"}, "phone call")
    assert desk.sees("bills/W-1")["status"] == "paid"
    assert desk.sees("unallocated") == {"data": []}
    assert account(desk, "unallocated") == 0

    entry = desk.sees("bills/W-1/entries")["data"][0]
    assert (entry["cause"], entry["allocation_id"]) == ("allocation", allocation["id"])
    assert (entry["actor"], entry["reason"]) == ("thandi", "phone call")


def test_a_customer_who_pays_too_much(desk: Desk) -> None:
    """The school pays 650 for a bill of 600. It wants 20 back, and the rest kept for the next bill."""
    payment = received(desk, 65_000, bill="W-1", external_reference="EFT-2")
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
    received(desk, 25_000, bill="W-1", external_reference="EFT-3")
    move = desk.does("payments/EFT-3/moves", {"bill": "W-2"}, "wrong Acacia")

    assert desk.sees("bills/W-1")["amount_remaining"] == 60_000
    assert desk.sees("bills/W-2")["status"] == "paid"
    causes = [(each["cause"], each["amount"]) for each in desk.sees("bills/W-1/entries")["data"]]
    assert causes == [("move", 25_000), ("payment", -25_000), ("bill_raised", 60_000)]
    assert desk.sees(f"payments/EFT-3/moves/{move['id']}") == move
    assert account(desk, "reallocation") == 0


def test_a_debit_order_that_bounces_after_all_was_sorted_out(desk: Desk) -> None:
    """300 were received for nothing in particular, 250 of them found their bill, and then the bank takes all back."""
    received(desk, 30_000, applications=[], customer="SHOP", external_reference="DO-1")
    desk.does("payments/DO-1/allocations", {"bill": "W-2"})
    reversal = desk.does("payments/DO-1/reversals", {"reason": "dishonoured"})

    assert (reversal["amount"], reversal["amount_unallocated"]) == (30_000, 5000)
    assert desk.sees("bills/W-2")["status"] == "unpaid"
    payment = desk.sees("payments/DO-1")
    assert (payment["status"], payment["amount_unallocated"]) == ("reversed", 0)
    assert (account(desk, "clearing:eft"), account(desk, "unallocated")) == (0, 0)
