from datetime import date

import pytest

from owed.model.bill import Bill, BillStatus
from owed.model.obligation import Obligation
from owed.model.payment_rules import BillRules, PaymentRules
from tests.core.samples import NOW


def a_bill(amount_paid: int, *, is_voided: bool = False) -> Bill:
    return Bill(
        tenant_id=1,
        id="bill_1",
        external_reference="INV1",
        created_at=NOW,
        updated_at=NOW,
        customer_id="bcus_1",
        amount_due=1000,
        amount_paid=amount_paid,
        is_voided=is_voided,
        bill_date=date(2026, 3, 4),
        obligation=Obligation("ZAR"),
    )


@pytest.mark.parametrize(
    ("amount_paid", "is_voided", "status", "remaining"),
    [
        (0, False, BillStatus.UNPAID, 1000),
        (999, False, BillStatus.UNPAID, 1),  # a part payment leaves it unpaid
        (1000, False, BillStatus.PAID, 0),
        (1001, False, BillStatus.PAID, 0),
        (0, True, BillStatus.VOIDED, 1000),  # what remains stays
    ],
)
def test_status_and_remaining_follow_from_the_amounts(
    amount_paid: int, *, is_voided: bool, status: BillStatus, remaining: int
) -> None:
    bill = a_bill(amount_paid, is_voided=is_voided)

    assert (bill.status, bill.amount_remaining) == (status, remaining)
    assert bill.shown()["status"] == status


def test_a_bill_is_where_the_api_has_it() -> None:
    assert a_bill(0).path == "/billing/bills/bill_1"


@pytest.mark.parametrize("amount_due", [1, 99, 100, 101, 99_999_999])
@pytest.mark.parametrize("max_amount", [None, 100, 999_999_999_999])
def test_the_rules_of_a_new_bill_are_in_order_whatever_its_amount(amount_due: int, max_amount: int | None) -> None:
    rules = BillRules(min_amount=100, max_amount=max_amount, underpayment_allowed=False, overpayment_allowed=True)
    most = amount_due if max_amount is None else max_amount

    assert rules.of_bill(amount_due) == PaymentRules(
        min(100, amount_due), most, underpayment_allowed=False, overpayment_allowed=True
    )
