"""The end of a clerk's day: what came in, what is still owed, and the proof that all of it was counted."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest

from tests.contract.client import Json
from tests.contract.service import Service
from tests.scenarios.desk import Desk, days_ago

Totals = dict[tuple[str, ...], tuple[int, ...]]
"""Of each channel, method and currency: count, amount, refunded, reversed, unallocated."""

TODAY: Final[Totals] = {
    ("card", "visa", "USD"): (1, 9000, 0, 0, 0),
    ("card", "visa", "ZAR"): (1, 25_000, 5000, 0, 0),
    ("cash", "", "ZAR"): (1, 3000, 0, 0, 0),
    ("debit_order", "", "ZAR"): (1, 10_000, 0, 10_000, 0),
    ("eft", "", "ZAR"): (2, 46_500, 0, 0, 6500),
}


@pytest.fixture(scope="module")
def desk(service: Service, unused_keys: Iterator[str]) -> Desk:
    """A clerk in the evening of a day on which a little of everything came in; she only looks at it now."""
    desk = Desk(service.client(next(unused_keys)))
    billed(desk)
    # The bank's statement: 450 for W-1, of which the school wants 50 kept; and 15 for a bill that nobody knows.
    desk.receives(45_000, applications=[{"bill": "W-1", "amount": 40_000}], customer="SCHOOL", external_reference="E-1")
    desk.receives(1500, bill="W-77", external_reference="E-2")
    # The shop pays both of its bills by card, and gets 50 back.
    desk.does("payments", {"bill": "W-2", "amount": 25_000, "currency": "ZAR", "channel": "card", "method": "visa",
                           "external_reference": "C-1"})  # fmt: skip
    desk.does("payments", {"bill": "W-3", "amount": 9000, "currency": "USD", "channel": "card", "method": "visa"})
    desk.does("payments/C-1/refunds", {"amount": 5000, "reason": "the meter was read twice"})
    # A debit order bounces the day that it was made, and a slip of the day before yesterday turns up.
    desk.does("payments", {"bill": "W-1", "amount": 10_000, "currency": "ZAR", "channel": "debit_order",
                           "external_reference": "D-1"})  # fmt: skip
    desk.does("payments/D-1/reversals", {"reason": "dishonoured"})
    desk.does("payments", {"customer": "SCHOOL", "amount": 3000, "currency": "ZAR", "channel": "cash",
                           "paid_at": f"{days_ago(2)}T09:00:00Z"})  # fmt: skip
    return desk


def billed(desk: Desk) -> None:
    """Have a school owe 100 on its balance and 600 on a bill that is late, and a shop two bills."""
    desk.does("customers", {"external_reference": "SCHOOL", "currency": "ZAR", "balance": 10_000})
    desk.does("customers", {"external_reference": "SHOP"})
    for reference, customer, amount, currency, late in [
        ("W-1", "SCHOOL", 60_000, "ZAR", 40), ("W-2", "SHOP", 25_000, "ZAR", -10), ("W-3", "SHOP", 9000, "USD", 5),
    ]:  # fmt: skip
        bill = {"external_reference": reference, "customer": customer, "currency": currency, "amount_due": amount}
        desk.does("bills", bill | {"due_date": days_ago(late), "bill_date": days_ago(50)})


def cleared(totals: Totals, currency: str) -> dict[str, int]:
    """Add up what the clearing account of each channel must have moved by."""
    added: Counter[str] = Counter()
    for (channel, _, of), (_, amount, _, taken_back, _) in totals.items():
        if of == currency:
            added[f"clearing:{channel}"] += amount - taken_back
    return dict(added)


def totals_of(lines: list[Json]) -> Totals:
    """Read control totals, or payments that count as one each."""
    totals: Totals = {}
    for line in lines:
        name = tuple(str(line.get(member, "")) for member in ("channel", "method", "currency"))
        numbers = tuple(int(line[each]) for each in ("count", "amount", "refunded", "reversed", "unallocated"))
        totals[name] = tuple(map(sum, zip(totals.get(name, (0,) * 5), numbers, strict=True)))
    return totals


def test_the_control_totals_are_what_the_ledger_and_the_export_come_to(desk: Desk) -> None:
    assert totals_of(desk.sees("reports/payments")["data"]) == TODAY
    assert totals_of(desk.table("reports/payments")) == TODAY

    # The trial balance has just that in clearing, for nothing was there in the morning.
    for currency in ("ZAR", "USD"):
        books = desk.books(currency)
        moved = {name: total for name, total in books.items() if name.startswith("clearing:")}
        assert moved == cleared(TODAY, currency)
    assert (desk.books()["refunds_payable"], desk.books()["unallocated"]) == (-5000, -6500)

    # So has whoever adds up the payments of the export in a spreadsheet, or its entries.
    payments = [
        {"count": 1} | {name.removeprefix("amount_"): value for name, value in row.items()}
        for row in desk.table("exports/payments")
    ]
    assert totals_of(payments) == TODAY
    sides: Counter[tuple[str, str]] = Counter()
    for entry in desk.table("exports/entries"):
        sides[entry["debit"], entry["currency"]] += abs(int(entry["amount"]))
        sides[entry["credit"], entry["currency"]] -= abs(int(entry["amount"]))
    for currency in ("ZAR", "USD"):
        assert {name: total for (name, of), total in sides.items() if of == currency} == desk.books(currency)


@pytest.mark.parametrize("basis", ["effective", "recorded"])
def test_the_school_s_statement_tells_of_each_thing_by_itself(desk: Desk, basis: str) -> None:
    path = f"customers/SCHOOL/statement?basis={basis}"
    sections = {section["external_reference"]: section for section in desk.sees(path)["data"]}
    closings = {"SCHOOL": 7000, "W-1": 20_000, "E-1": -5000}
    assert {name: section["closing"] for name, section in sections.items()} == closings
    assert [(line["cause"], line["amount"]) for line in sections["W-1"]["lines"]] == [
        ("bill_raised", 60_000), ("payment", -40_000), ("payment", -10_000), ("reversal", 10_000),
    ]  # fmt: skip

    # What it closes with is what the clerk sees of each, and what is in the spreadsheet.
    shown = desk.sees("customers/SCHOOL")["balance"], desk.sees("bills/W-1")["amount_remaining"]
    assert (*shown, -desk.sees("payments/E-1")["amount_unallocated"]) == (7000, 20_000, -5000)
    rows = [row for row in desk.table(path) if row["row"] == "closing"]
    assert {row["external_reference"]: int(row["total_after"]) for row in rows} == closings


def test_the_late_slip_is_in_the_period_of_either_basis(desk: Desk) -> None:
    """The cash was paid two days ago, before the balance was ever given here; it was recorded today."""
    then = f"customers/SCHOOL/statement?from={days_ago(2)}&to={days_ago(2)}"
    (happened,) = desk.sees(then)["data"]
    assert [(line["amount"], line["total_after"]) for line in happened["lines"]] == [(-3000, -3000)]
    assert desk.sees(f"{then}&basis=recorded")["data"] == []


def test_what_is_left_of_the_bills_ages_by_customer(desk: Desk) -> None:
    report = desk.sees("reports/ageing")
    late = ("current", "days_30", "days_60", "days_90", "over", "total")
    lines = {(line["external_reference"], line["currency"]): tuple(line[each] for each in late)
             for line in report["data"]}  # fmt: skip
    assert lines == {("SCHOOL", "ZAR"): (0, 0, 20_000, 0, 0, 20_000), ("SHOP", "ZAR"): (5000, 0, 0, 0, 0, 5000)}

    left = sum(bill["amount_remaining"] for bill in desk.sees("bills?status=unpaid")["data"])
    assert [(line["currency"], line["total"]) for line in report["totals"]] == [("ZAR", left)]
    assert sum(int(row["total"]) for row in desk.table("reports/ageing")) == left
