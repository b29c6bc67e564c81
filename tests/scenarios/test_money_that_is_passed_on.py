"""A merchant whose own system subtracts payments: money is put right here, and no balance moves by it."""

import pytest

from tests.contract.client import Client, Json
from tests.scenarios.desk import Desk


@pytest.fixture
def desk(newcomer: Client) -> Desk:
    """A clerk of such a merchant, who has two meters with 500 rand owed on each, and a bill of 100 rand."""
    desk = Desk(newcomer)
    desk.changes("settings", {"payments_reduce_balance": False})
    desk.does("customers", {"external_reference": "NOMSA"})
    for meter in ("WATER", "POWER"):
        owing: Json = {"external_reference": meter, "customer": "NOMSA", "currency": "ZAR", "balance": 50_000}
        desk.does("accounts", owing)
    desk.does("bills", {"external_reference": "B-1", "customer": "NOMSA", "currency": "ZAR", "amount_due": 10_000})
    return desk


def balances(desk: Desk) -> list[int]:
    return [desk.sees(f"accounts/{meter}")["balance"] for meter in ("WATER", "POWER")]


def told(desk: Desk, obligation: str, basis: str = "effective") -> list[tuple[str, int, int]]:
    """Give the lines of what the statement tells of one thing: cause, amount, total after it."""
    sections = desk.sees(f"customers/NOMSA/statement?basis={basis}")["data"]
    (lines,) = (section["lines"] for section in sections if section.get("external_reference") == obligation)
    return [(line["cause"], line["amount"], line["total_after"]) for line in lines]


def test_unallocated_money_is_allocated_moved_and_given_back_and_no_balance_moves(desk: Desk) -> None:
    # 300 rand with no reference: at first nobody's, then for the water, of which they were really 200 for the power.
    desk.receives(30_000, external_reference="EFT-1")
    desk.does("payments/EFT-1/allocations", {"account": "WATER"}, "phone call")
    desk.does("payments/EFT-1/moves", {"account": "POWER", "amount": 20_000}, "the other meter")
    assert balances(desk) == [50_000, 50_000]

    # 50 of the water's are taken off again, and given back; 80 of the power's are given back as well.
    water = desk.sees("payments/EFT-1")["applications"][0]["id"]
    desk.does("payments/EFT-1/moves", {"application": water, "amount": 5000})
    refund = desk.does("payments/EFT-1/refunds", {"amount": 13_000})
    assert (refund["amount_unallocated"], [part["amount"] for part in refund["applications"]]) == (5000, [8000])
    assert balances(desk) == [50_000, 50_000]

    # Her statement has each step, and beside it the step back: on either basis nothing is left of them.
    for basis in ("effective", "recorded"):
        assert told(desk, "WATER", basis) == [
            ("opening", 50_000, 50_000),
            ("allocation", -30_000, 20_000), ("passed_on", 30_000, 50_000),
            ("move", 20_000, 70_000), ("passed_on", -20_000, 50_000),
            ("move", 5000, 55_000), ("passed_on", -5000, 50_000),
        ]  # fmt: skip
        assert told(desk, "POWER", basis) == [
            ("opening", 50_000, 50_000),
            ("move", -20_000, 30_000), ("passed_on", 20_000, 50_000),
            ("refund", 8000, 58_000), ("passed_on", -8000, 50_000),
        ]  # fmt: skip

    # What was passed on is what the payment still holds on balances, and the books say so.
    held = [each["amount"] - each.get("amount_taken_back", 0) for each in desk.sees("payments/EFT-1")["applications"]]
    assert held == [5000, 12_000]
    books = desk.books()
    assert (books["passed_on"], books["reallocation"], books["unallocated"]) == (-17_000, 0, 0)
    assert (books["clearing:eft"], books["refunds_payable"], books["receivable"]) == (30_000, -13_000, 110_000)


def test_from_a_balance_to_a_bill_only_the_bill_moves(desk: Desk) -> None:
    desk.receives(15_000, account="WATER", external_reference="EFT-2")
    move = desk.does("payments/EFT-2/moves", {"bill": "B-1", "amount": 10_000}, "it was for the bill")
    assert desk.sees("bills/B-1")["status"] == "paid"
    assert balances(desk) == [50_000, 50_000]
    assert told(desk, "B-1") == [("bill_raised", 10_000, 10_000), ("move", -10_000, 0)]
    entries = desk.sees("accounts/WATER/entries?limit=2")["data"]
    assert [(entry["cause"], entry["move_id"]) for entry in entries] == [
        ("passed_on", move["id"]), ("move", move["id"]),
    ]  # fmt: skip

    # And back again, whereupon the bank takes all of it back.
    (paid,) = (each for each in desk.sees("payments/EFT-2")["applications"] if "bill_id" in each)
    desk.does("payments/EFT-2/moves", {"application": paid["id"], "account": "POWER"})
    desk.does("payments/EFT-2/reversals", {"reason": "dishonoured"})
    assert (desk.sees("bills/B-1")["amount_remaining"], balances(desk)) == (10_000, [50_000, 50_000])
    books = desk.books()
    assert [books[name] for name in ("passed_on", "reallocation", "clearing:eft")] == [0, 0, 0]
    assert desk.sees("reports/payments")["totals"] == [
        {"currency": "ZAR", "count": 1, "amount": 15_000, "refunded": 0, "reversed": 15_000, "unallocated": 0}
    ]


def test_an_extract_of_the_night_finds_nothing_to_apply_again(desk: Desk) -> None:
    as_of = desk.sees("accounts/WATER/entries")["data"][0]["recorded_at"]
    desk.receives(20_000, external_reference="EFT-3")
    desk.does("payments/EFT-3/allocations", {"account": "WATER"})
    desk.does("payments/EFT-3/moves", {"account": "POWER"})
    desk.does("accounts/WATER/charges", {"amount": 700, "reason": "a reading of this morning"})

    # Its own system has the allocation and the move by now; the charge was made here alone.
    extract = {"balance": 48_000, "balance_as_of": as_of}
    answer = desk.client.patch("/billing/accounts/WATER", extract)
    assert (answer.json()["balance"], answer.headers["Owed-Balance-Reapplied"]) == (48_700, "1")
    assert balances(desk) == [48_700, 50_000]
