"""What a payment does beside lowering a debt: it is remembered, and passed on where the merchant subtracts (6)."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from owed.model.obligation import MOST_RECENT
from owed.model.payment_rules import PaymentRules
from owed.model.tenant_settings import TenantSettings
from owed.model.transfer import Cause
from tests.core.samples import SECOND, Books, create, create_account, create_bill, pay, pay_many, refund, refuse_broken

MINUTE = timedelta(minutes=1)
OPEN = PaymentRules(1, 999_999_999_999, underpayment_allowed=True, overpayment_allowed=True)


def books(**settings: Any) -> Books:
    """Give books of a customer with an account and a bill, each owing 1000."""
    given: dict[str, Any] = {"payment_rules": OPEN, "currency": "ZAR"}
    return Books(
        create(**given, balance=1000),
        create_account(customer="UCR1", **given, balance=1000),
        create_bill(account="ACC1", payment_rules=OPEN),
        settings=TenantSettings(**settings),
    )


@pytest.mark.parametrize(
    ("minutes", "later", "is_flagged"),
    [
        (10, 0 * SECOND, True),
        (10, 10 * MINUTE, True),
        (10, 10 * MINUTE + timedelta(microseconds=1), False),
        (1440, 1440 * MINUTE, True),
        (0, 0 * SECOND, False),
    ],
)
def test_a_payment_is_a_possible_duplicate_for_so_many_minutes(
    minutes: int, later: timedelta, is_flagged: bool
) -> None:
    ours = books(duplicate_minutes=minutes)
    first = ours.done(pay("INV1", 10))
    ours.stamps.now += later
    second = ours.done(pay("INV1", 10))

    assert second.possible_duplicate_of == (first.id if is_flagged else None)


def test_what_looks_different_in_between_hides_nothing() -> None:
    ours = books()
    first = ours.done(pay("INV1", 10))
    for number in range(MOST_RECENT - 1):
        ours.done(pay("INV1", 11 + number))

    assert ours.done(pay("INV1", 10)).possible_duplicate_of == first.id


def test_an_obligation_remembers_only_so_many_that_differ() -> None:
    ours = books()
    for number in range(MOST_RECENT + 1):
        ours.done(pay("ACC1", 10 + number, kind="account"))
    account = ours.state.accounts.find(1, "ACC1")

    assert account is not None
    assert [each.amount for each in account.obligation.recent] == list(range(10 + MOST_RECENT, 10, -1))
    assert ours.done(pay("ACC1", 10, kind="account")).possible_duplicate_of is None


def test_what_is_too_old_is_forgotten_with_the_next_payment() -> None:
    ours = books()
    ours.done(pay("INV1", 10))
    ours.stamps.now += 11 * MINUTE
    ours.done(pay("INV1", 20))
    bill = ours.state.bills.find(1, "INV1")

    assert bill is not None
    assert [each.amount for each in bill.obligation.recent] == [20]


def test_nothing_is_remembered_where_nobody_looks() -> None:
    ours = books(duplicate_minutes=0)
    ours.done(pay("INV1", 10))
    bill = ours.state.bills.find(1, "INV1")

    assert bill is not None
    assert bill.obligation.recent == ()


def test_a_refund_is_not_remembered_as_a_payment() -> None:
    ours = books()
    payment = ours.done(pay("INV1", 10))
    ours.done(refund(payment.id, amount=4))
    bill = ours.state.bills.find(1, "INV1")

    assert bill is not None
    assert [each.amount for each in bill.obligation.recent] == [10]


@pytest.mark.parametrize(("kind", "name"), [("customer", "UCR1"), ("account", "ACC1")])
def test_what_moves_a_balance_is_taken_back_at_once_where_the_merchant_subtracts(kind: str, name: str) -> None:
    ours = books(payments_reduce_balance=False)
    payment = ours.done(pay(name, 300, kind=kind, channel="retail"))
    taken_back = ours.done(refund(payment.id, amount=100))
    (item,) = ours.state.shelves[kind].created()
    transfers = ours.posted(item.id)

    refuse_broken(transfers)
    assert item.shown()["balance"] == 1000
    assert [(each.cause, each.amount) for each in transfers[1:]] == [
        (Cause.PAYMENT, -300), (Cause.PASSED_ON, 300), (Cause.REFUND, 100), (Cause.PASSED_ON, -100),
    ]  # fmt: skip
    assert {each.payment_id for each in transfers[1:]} == {payment.id}
    assert [each.taken_back_id for each in transfers[1:]] == [None, None, taken_back.id, taken_back.id]
    for one, other in zip(transfers[1::2], transfers[2::2], strict=True):
        assert one.occurred_at == other.occurred_at


def test_of_a_payment_of_both_only_the_balance_is_left_as_it_was() -> None:
    ours = books(payments_reduce_balance=False)
    ours.done(pay_many(("bill", "INV1", 1000), ("account", "ACC1", 500)))
    bill, account = ours.state.bills.find(1, "INV1"), ours.state.accounts.find(1, "ACC1")

    assert bill is not None
    assert account is not None
    assert (bill.shown()["status"], account.shown()["balance"]) == ("paid", 1000)
    assert [each.cause for each in ours.posted(bill.id)] == [Cause.BILL_RAISED, Cause.PAYMENT]


def test_the_events_say_the_same_whoever_subtracts() -> None:
    told = []
    for reduces in (True, False):
        ours = books(payments_reduce_balance=reduces)
        ours.done(pay("ACC1", 300, kind="account"))
        told.append([msgspec.json.decode(event.body)["type"] for event in ours.state.events])

    assert told[0] == told[1]
