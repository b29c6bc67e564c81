"""Taking back: refunds and reversals, and what they do to the payment and to what it paid (contract, section 6)."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owed.core.outcomes import Code, Done, Fault, Refused
from owed.core.state import Name, State, Unread
from owed.core.taking_back import TakeBack
from owed.model.bill import Bill, BillStatus
from owed.model.money import MAX_TOTAL
from owed.model.payment import MAX_PAYMENT, Payment
from owed.model.payment_rules import PaymentRules
from owed.model.taken_back import Refund, Reversal, TakenBack
from owed.model.transfer import Cause, Transfer
from tests.core.samples import (
    JANE,
    NOW,
    SECOND,
    Books,
    create,
    create_account,
    create_bill,
    pay,
    pay_many,
    places,
    refund,
    refuse_broken,
    reverse,
    update,
    update_bill,
    void,
)

UNPAID, PAID = BillStatus.UNPAID, BillStatus.PAID
ANY_AMOUNT = PaymentRules(1, MAX_PAYMENT, underpayment_allowed=True, overpayment_allowed=True)
TAKES = pytest.mark.parametrize("take", [refund, reverse])
YESTERDAY = NOW - timedelta(days=1)
KIND = {refund: "refund", reverse: "reversal"}


@pytest.fixture
def books() -> Books:
    """Books with a bill of 1000, and an account that owes 500 and its bill of 1000, and no payment yet."""
    return Books(
        create("UCR1", currency="ZAR", balance=0),
        create_account("ACC1", customer="UCR1", currency="ZAR", balance=500),
        create_bill("INV1", customer="UCR1"),
        create_bill("INV2", account="ACC1"),
    )


PARTS = [("bill", "INV1", 100), ("bill", "INV2", 200), ("account", "ACC1", 300)]
"""What a payment of three parts pays, the newest last."""


def standing(books: Books, name: str = "INV1", kind: str = "bill") -> Any:
    item = books.state.shelves[kind].find(1, name)
    assert item is not None
    return item


def told(books: Books, object_id: str, event_type: str = "obligation.amount_reversed") -> list[dict[str, Any]]:
    """List what events of one type tell of an object."""
    events = [event for event in books.state.events if (event.object_id, event.type) == (object_id, event_type)]
    return [json.loads(event.body)["data"] for event in events]


def last_transfer(books: Books, object_id: str) -> Transfer:
    posted = books.posted(object_id)
    refuse_broken(posted)
    return posted[-1]


# What a refund and a reversal are


def test_a_refund_has_every_member_in_the_order_of_the_contract(books: Books) -> None:
    payment = books.done(pay("INV1", 400))
    given: dict[str, Any] = {"reason": "paid twice", "external_reference": "R1", "metadata": {"run": "7"}}
    taken: Refund = books.done(refund(payment.id, amount=100, **given))

    (application,) = payment.applications
    assert [*taken.shown().items()] == [
        ("id", taken.id),
        ("payment_id", payment.id),
        ("amount", 100),
        ("currency", "ZAR"),
        ("applications", [{"id": application.id, "amount": 100, "bill_id": standing(books).id}]),
        *given.items(),
        ("created_at", NOW),
    ]
    assert (taken.id[:4], taken.version) == ("ref_", 1)
    assert taken.path == f"/billing/payments/{payment.id}/refunds/{taken.id}"


def test_a_reversal_shows_when_it_happened_too(books: Books) -> None:
    payment = books.done(pay("INV1", 400))
    taken: Reversal = books.done(reverse(payment.id, reason="chargeback", occurred_at=YESTERDAY))

    shown = taken.shown()
    assert [*shown] == [
        "id", "payment_id", "amount", "currency", "applications", "reason", "occurred_at", "created_at",
    ]  # fmt: skip
    assert (shown["reason"], shown["occurred_at"], shown["created_at"]) == ("chargeback", YESTERDAY, NOW)
    assert (taken.id[:4], taken.path) == ("rev_", f"/billing/payments/{payment.id}/reversals/{taken.id}")


@TAKES
def test_what_is_not_given_is_absent_and_it_happened_now(books: Books, take: Any) -> None:
    taken: TakenBack = books.done(take(books.done(pay()).id, reason=None))

    assert taken.shown().keys().isdisjoint({"external_reference", "metadata", "reason"})
    assert taken.occurred_at == taken.created_at == taken.updated_at == NOW


def test_it_names_the_payment_that_must_be_loaded_and_claims_its_reference() -> None:
    assert refund("R1").reads() == (Name("payment", 1, "R1"),)
    assert refund("R1").claims() == reverse("R1").claims() == ()
    assert refund("R1", external_reference="X1").claims() == (Name("refund", 1, "X1"),)
    assert reverse("R1", external_reference="X1").claims() == (Name("reversal", 1, "X1"),)


# How much is taken of what


@TAKES
@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ([None], [[(2, 300), (1, 200), (0, 100)]]),
        ([1], [[(2, 1)]]),
        ([300], [[(2, 300)]]),
        ([301], [[(2, 300), (1, 1)]]),
        ([600], [[(2, 300), (1, 200), (0, 100)]]),
        ([299, 2, None], [[(2, 299)], [(2, 1), (1, 1)], [(1, 199), (0, 100)]]),
        ([500, 99, 1], [[(2, 300), (1, 200)], [(0, 99)], [(0, 1)]]),
    ],
)
def test_the_newest_application_is_taken_back_first(
    books: Books, take: Any, amounts: list[int | None], expected: list[list[tuple[int, int]]]
) -> None:
    payment: Payment = books.done(pay_many(*PARTS))
    places_of = {application.id: place for place, application in enumerate(payment.applications)}
    taken = [books.done(take(payment.id, **({"amount": amount} if amount else {}))) for amount in amounts]

    assert [[(places_of[share.id], share.amount) for share in each.applications] for each in taken] == expected
    assert [each.amount for each in taken] == [sum(amount for _, amount in parts) for parts in expected]
    left = [amount - sum(dict(parts).get(place, 0) for parts in expected) for place, (*_, amount) in enumerate(PARTS)]
    assert [each.held for each in standing(books, payment.id, "payment").applications] == left


@TAKES
def test_a_request_may_say_what_to_take_of_which(books: Books, take: Any) -> None:
    payment: Payment = books.done(pay_many(*PARTS))
    first, second, third = (application.id for application in payment.applications)
    one: TakenBack = books.done(take(payment.id, (first, 60), (third, 1)))
    other: TakenBack = books.done(take(payment.id, (first, 40), amount=40))

    assert [(share.id, share.amount) for share in one.applications] == [(first, 60), (third, 1)]
    assert [(share.id, share.amount) for share in other.applications] == [(first, 40)]
    assert (one.amount, other.amount) == (61, 40)
    held = {application.id: application.held for application in standing(books, payment.id, "payment").applications}
    assert held == {first: 0, second: 200, third: 299}


@TAKES
@pytest.mark.parametrize(
    ("before", "given", "expected"),
    [
        (None, {"amount": 601}, ["/amount"]),
        (100, {"amount": 501}, ["/amount"]),
        (600, {}, []),
        (600, {"amount": 1}, []),
    ],
)
def test_no_more_is_taken_back_than_the_payment_still_holds(
    books: Books, take: Any, before: int | None, given: dict[str, Any], expected: list[str]
) -> None:
    payment = books.done(pay_many(*PARTS))
    if before:
        books.done(reverse(payment.id, amount=before))

    refusal = books.refused(take(payment.id, **given))
    assert (refusal.code, places(refusal)) == (Code.CONFLICT, expected)


@TAKES
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([(0, 101)], ["/applications/0/amount"]),
        ([(0, 100), (1, 201), (2, 300)], ["/applications/1/amount"]),
        ([(2, 301), (0, 101)], ["/applications/0/amount", "/applications/1/amount"]),
    ],
)
def test_no_more_is_taken_of_an_application_than_it_still_holds(
    books: Books, take: Any, wanted: list[tuple[int, int]], expected: list[str]
) -> None:
    payment: Payment = books.done(pay_many(*PARTS))
    claims = [(payment.applications[place].id, amount) for place, amount in wanted]

    for amount in ({}, {"amount": sum(amount for _, amount in wanted)}):
        refusal = books.refused(take(payment.id, *claims, **amount))
        assert (refusal.code, places(refusal)) == (Code.CONFLICT, expected)


@TAKES
def test_an_application_of_another_payment_is_not_found(books: Books, take: Any) -> None:
    payment, other = books.done(pay("INV1", 10)), books.done(pay("INV1", 10))
    own, alien = payment.applications[0].id, other.applications[0].id

    refusal = books.refused(take(payment.id, (own, 1), (alien, 1), ("ob_none", 1)))
    assert (refusal.code, places(refusal)) == (Code.NOT_FOUND, ["/applications/1/id", "/applications/2/id"])


# What becomes of the payment


@pytest.mark.parametrize(
    ("takes", "expected"),
    [
        ([], "succeeded"),
        ([(refund, 1)], "partially_refunded"),
        ([(refund, 999)], "partially_refunded"),
        ([(refund, 1000)], "refunded"),
        ([(refund, 400), (refund, 600)], "refunded"),
        ([(reverse, 1)], "partially_reversed"),
        ([(reverse, 1000)], "reversed"),
        ([(refund, 1), (reverse, 1)], "partially_reversed"),
        ([(reverse, 1), (refund, 1)], "partially_refunded"),
        ([(refund, 999), (reverse, 1)], "reversed"),
        ([(reverse, 999), (refund, 1)], "refunded"),
    ],
)
def test_the_status_of_a_payment_is_by_what_happened_last_and_whether_anything_is_left(
    books: Books, takes: list[tuple[Any, int]], expected: str
) -> None:
    payment: Payment = books.done(pay())
    for number, (take, amount) in enumerate(takes, start=1):
        books.stamps.now += SECOND
        books.done(take(payment.id, amount=amount))

        changed: Payment = standing(books, payment.id, "payment")
        assert (changed.version, changed.updated_at) == (1 + number, books.stamps.now)
    shown = standing(books, payment.id, "payment").shown()
    amounts: Counter[Any] = Counter()
    for take, amount in takes:
        amounts[take] += amount
    assert (shown["status"], shown["amount_refunded"], shown["amount_reversed"]) == (
        expected, amounts[refund], amounts[reverse],
    )  # fmt: skip
    assert (shown["amount"], shown["applications"][0]["amount"]) == (1000, 1000)


# What becomes of what was paid


@TAKES
def test_a_bill_is_open_again_by_what_was_taken_back(books: Books, take: Any) -> None:
    payment = books.done(pay())
    books.stamps.now += SECOND
    books.done(take(payment.id, amount=1))

    bill: Bill = standing(books)
    assert (bill.status, bill.amount_remaining, bill.amount_paid, bill.amount_received) == (UNPAID, 1, 999, 999)
    assert (bill.obligation.total, bill.version, bill.updated_at) == (1, 3, NOW + SECOND)


@TAKES
def test_what_was_paid_elsewhere_stays_paid(books: Books, take: Any) -> None:
    books.done(update_bill(amount_paid=300))
    books.done(take(books.done(pay("INV1", 700)).id))

    bill: Bill = standing(books)
    assert (bill.amount_paid, bill.amount_received, bill.amount_remaining) == (300, 0, 700)
    assert books.done(update_bill(amount_paid=0)).amount_remaining == 1000


@TAKES
def test_a_bill_that_is_overpaid_stays_paid_until_more_than_the_credit_is_taken_back(books: Books, take: Any) -> None:
    books.done(update_bill(payment_rules=ANY_AMOUNT))
    payment = books.done(pay("INV1", 1200))

    statuses = []
    for amount in (150, 50, 1):
        books.done(take(payment.id, amount=amount))
        statuses.append(standing(books).status)
    assert statuses == [PAID, PAID, UNPAID]


@TAKES
def test_a_bill_that_is_open_again_can_be_paid_again_and_is_told_so_again(books: Books, take: Any) -> None:
    books.done(take(books.done(pay()).id))
    books.done(pay())

    applied, paid, reversed_ = "obligation.amount_applied", "bill.paid", "obligation.amount_reversed"
    assert books.told(standing(books).id) == ["bill.created", applied, paid, reversed_, applied, paid]


@TAKES
def test_a_bill_from_which_all_was_taken_back_can_be_voided(books: Books, take: Any) -> None:
    payment = books.done(pay("INV1", 400))
    assert books.refused(void()).code == Code.CONFLICT
    books.done(take(payment.id))

    assert books.done(void()).status == BillStatus.VOIDED
    assert books.refused(take(payment.id)).code == Code.CONFLICT


@TAKES
@pytest.mark.parametrize(("balance", "after"), [(500, 500), (0, 0), (-200, -200)])
def test_a_balance_rises_again(books: Books, take: Any, balance: int, after: int) -> None:
    books.done(update(balance=balance, payment_rules=ANY_AMOUNT))
    payment = books.done(pay("UCR1", 300, kind="customer"))
    books.done(take(payment.id, amount=299))
    assert standing(books, "UCR1", "customer").obligation.balance == after - 1

    books.done(take(payment.id))
    assert standing(books, "UCR1", "customer").obligation.balance == after


@TAKES
def test_an_untracked_total_rises_again_and_is_no_balance(take: Any) -> None:
    books = Books(create("UCR1", currency="ZAR"))
    payment = books.done(pay("UCR1", 300, kind="customer"))
    books.done(take(payment.id, amount=100))

    customer = standing(books, "UCR1", "customer")
    assert (customer.obligation.total, "balance" in customer.shown()) == (-200, False)


@TAKES
@pytest.mark.parametrize(
    "rules", [None, PaymentRules(5000, 5000, underpayment_allowed=False, overpayment_allowed=False)]
)
def test_the_payment_rules_have_no_say_in_it(books: Books, take: Any, rules: PaymentRules | None) -> None:
    payment = books.done(pay())
    books.done(update_bill(payment_rules=rules))

    assert books.done(take(payment.id, amount=1)).amount == 1


@TAKES
def test_a_balance_does_not_rise_beyond_what_it_may_be(books: Books, take: Any) -> None:
    payment: Payment = books.done(pay_many(("bill", "INV1", 10), ("account", "ACC1", 10)))
    bill, account = (standing(books, *it) for it in (("INV1",), ("ACC1", "account")))
    full = msgspec.structs.replace(account.obligation, total=MAX_TOTAL - 5)
    books.state = State([payment, bill, msgspec.structs.replace(account, obligation=full)])

    assert places(books.refused(take(payment.id, amount=6))) == ["/amount"]
    assert places(books.refused(take(payment.id, (payment.applications[1].id, 6)))) == ["/applications/0/amount"]
    assert books.refused(take(payment.id)).code == Code.CONFLICT
    assert books.done(take(payment.id, amount=5)).amount == 5
    assert books.done(take(payment.id, (payment.applications[0].id, 10))).amount == 10


# The ledger


@pytest.mark.parametrize(
    ("take", "channel", "cause", "credit"),
    [
        (refund, None, Cause.REFUND, "refunds_payable"),
        (refund, "eft", Cause.REFUND, "refunds_payable"),
        (reverse, None, Cause.REVERSAL, "clearing"),
        (reverse, "eft", Cause.REVERSAL, "clearing:eft"),
    ],
)
def test_a_refund_is_to_be_paid_out_and_a_reversal_undoes_what_was_cleared(
    books: Books, take: Any, channel: str | None, cause: Cause, credit: str
) -> None:
    payment: Payment = books.done(pay_many(*PARTS, channel=channel))
    taken: TakenBack = books.done(take(payment.id, occurred_at=YESTERDAY))

    for application in payment.applications:
        transfer = last_transfer(books, application.object_id)
        assert (transfer.cause, transfer.debit, transfer.credit) == (cause, "receivable", credit)
        assert (transfer.amount, transfer.currency) == (application.amount, "ZAR")
        assert (transfer.payment_id, transfer.taken_back_id) == (payment.id, taken.id)
        assert (transfer.occurred_at, transfer.recorded_at > NOW) == (YESTERDAY, True)


@TAKES
def test_who_took_it_back_is_kept_once(books: Books, take: Any) -> None:
    payment = books.done(pay_many(*PARTS))
    taken = books.done(take(payment.id, actor=JANE))

    (words,) = books.state.attributions
    assert (words.object_id, words.command) == (taken.id, f"{KIND[take]}.create")
    attributed = {last_transfer(books, each.object_id).attribution_id for each in payment.applications}
    assert attributed == {words.id}


# Events


@TAKES
def test_an_amount_that_was_taken_back_is_told_like_one_that_was_applied(books: Books, take: Any) -> None:
    """Section 7: the same data, with `refund_id` or `reversal_id`."""
    payment: Payment = books.done(pay_many(*PARTS, metadata={"a": "b"}))
    books.stamps.now += SECOND
    taken = books.done(take(payment.id, amount=350, metadata={"c": "d"}))

    first, second, third = payment.applications
    assert told(books, first.object_id) == []
    for application, amount in ((second, 50), (third, 300)):
        assert told(books, application.object_id) == [
            {
                "id": application.id,
                "amount": amount,
                "currency": "ZAR",
                "payment_id": payment.id,
                f"{application.kind}_id": application.object_id,
                "metadata": {"a": "b"},
                "created_at": msgspec.to_builtins(NOW),
                "updated_at": msgspec.to_builtins(NOW + SECOND),
                f"{KIND[take]}_id": taken.id,
            }
        ]


@TAKES
def test_nothing_else_is_told_and_the_newest_first(books: Books, take: Any) -> None:
    payment: Payment = books.done(pay_many(*PARTS))
    before = len(books.state.events)
    books.done(take(payment.id))

    events = books.state.events[before:]
    assert [event.type for event in events] == ["obligation.amount_reversed"] * 3
    assert [event.object_id for event in events] == [each.object_id for each in reversed(payment.applications)]
    assert [event.sequence for event in events] == [3, 3, 3]


# Which payment


@TAKES
def test_a_payment_goes_by_its_id_or_its_reference_in_a_channel_or_not(books: Books, take: Any) -> None:
    old, new = (books.done(pay("INV1", 10, external_reference="R1", channel=channel)) for channel in ("eft", "card"))

    assert [books.done(take(name, amount=1)).payment_id for name in ("R1", "card:R1", "eft:R1", old.id, new.id)] == [
        new.id, new.id, old.id, old.id, new.id,
    ]  # fmt: skip


@TAKES
def test_a_payment_that_does_not_exist_has_a_code_of_its_own(books: Books, take: Any) -> None:
    payment = books.done(pay("INV1", 10, external_reference="R1"))

    for command in (take("nobody"), take(payment.id, tenant=2), take("R1", tenant=2), take("eft:R1")):
        assert books.refused(command).code == Code.PAYMENT_NOT_FOUND


# Refusals


@TAKES
def test_each_refusal_comes_in_its_turn(books: Books, take: Any) -> None:
    """Section 1.1: the path's object, `If-Match`, validation, 404 of what the body names, 409."""
    payment = books.done(pay())
    books.done(take(payment.id, amount=400, external_reference="R1"))
    stale, absent = frozenset({"1"}), ("ob_none", 1)
    wrong: dict[str, Any] = {"faults": (Fault("/amount", "This is no integer."),)}
    taken: dict[str, Any] = {"external_reference": "R1"}

    refusals = [
        books.refused(take("nobody", absent, if_match=stale, **wrong, **taken)),
        books.refused(take(payment.id, absent, if_match=stale, **wrong, **taken)),
        books.refused(take(payment.id, absent, if_match=frozenset({"2"}), **wrong, **taken)),
        books.refused(take(payment.id, absent, **taken)),
        books.refused(take(payment.id, amount=601, **taken)),
        books.refused(take(payment.id, amount=601)),
    ]
    assert [refusal.code for refusal in refusals] == [
        Code.PAYMENT_NOT_FOUND,
        Code.PRECONDITION_FAILED,
        Code.INVALID_REQUEST,
        Code.NOT_FOUND,
        Code.CONFLICT,
        Code.CONFLICT,
    ]
    assert [places(refusal) for refusal in refusals[-2:]] == [["/external_reference"], ["/amount"]]


@TAKES
def test_nothing_was_taken_back_in_the_future(books: Books, take: Any) -> None:
    payment = books.done(pay())

    assert places(books.refused(take(payment.id, occurred_at=NOW + SECOND))) == ["/occurred_at"]
    assert books.done(take(payment.id, occurred_at=NOW)).occurred_at == NOW


@TAKES
def test_metadata_has_its_limit_here_too(books: Books, take: Any) -> None:
    payment = books.done(pay())

    assert places(books.refused(take(payment.id, metadata=dict.fromkeys("abcdefghijklmnopqrstu", "")))) == ["/metadata"]


@TAKES
def test_a_reference_is_of_one_of_each_kind_whatever_the_payment(books: Books, take: Any) -> None:
    one, other = books.done(pay("INV1", 10)), books.done(pay("INV1", 10))
    taken = books.done(take(one.id, amount=1, external_reference="R1"))

    refusal = books.refused(take(other.id, amount=1, external_reference="R1"))
    assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/external_reference"])
    assert refusal.further == {f"{KIND[take]}_id": taken.id, "payment_id": one.id}
    for command in (refund, reverse):
        is_free = command is not take
        assert isinstance(books.decide(command(other.id, amount=1, external_reference="R1")), Done) == is_free


# A batch


def in_a_batch(books: Books, *commands: Any, knows_claims: bool = True) -> list[str]:
    """Decide commands on what was loaded once, and say what became of each."""
    loaded = [item for shelf in books.state.shelves.values() for item in shelf.created()]
    books.state = State(loaded, knows_claims=knows_claims)
    outcomes = [books.decide(command) for command in commands]
    return [outcome.code if isinstance(outcome, Refused) else "done" for outcome in outcomes]


@TAKES
def test_a_payment_is_taken_back_in_the_batch_that_took_it(books: Books, take: Any) -> None:
    outcomes = in_a_batch(books, pay(external_reference="R1"), take("R1", amount=400), take("R1"), take("R1"))

    assert outcomes == ["done", "done", "done", Code.CONFLICT]
    (payment,) = books.state.payments.created()
    ((before, after),) = books.state.bills.changed()
    assert (payment.held, payment.version, after.amount_paid, after.version) == (0, 3, 0, before.version + 3)
    assert [transfer.amount for transfer in books.state.transfers] == [-1000, 400, 600]


@TAKES
def test_of_two_full_ones_in_a_batch_the_second_is_refused(books: Books, take: Any) -> None:
    payment = books.done(pay())

    assert in_a_batch(books, take(payment.id), take(payment.id)) == ["done", Code.CONFLICT]
    ((before, after),) = books.state.payments.changed()
    assert (before, after.held, after.version) == (payment, 0, 2)


@TAKES
def test_a_bill_is_paid_taken_back_and_paid_again_in_a_batch(books: Books, take: Any) -> None:
    first, again = (pay(external_reference=name) for name in ("R1", "R2"))

    assert in_a_batch(books, first, again, take("R1"), again) == ["done", Code.PAYMENT_REFUSED, "done", "done"]
    assert standing(books).status == PAID


@TAKES
def test_of_two_with_one_reference_in_a_batch_the_second_is_refused(books: Books, take: Any) -> None:
    payment = books.done(pay())
    command = take(payment.id, amount=1, external_reference="R1")

    assert in_a_batch(books, command, command) == ["done", Code.CONFLICT]
    assert standing(books, payment.id, "payment").held == 999


def test_refunds_and_reversals_of_one_payment_in_a_batch_share_what_it_holds(books: Books) -> None:
    payment = books.done(pay())
    outcomes = in_a_batch(
        books, refund(payment.id, amount=400), reverse(payment.id, amount=601), reverse(payment.id), refund(payment.id)
    )

    assert outcomes == ["done", Code.CONFLICT, "done", Code.CONFLICT]
    (taken,) = books.state.reversals.created()
    assert (taken.amount, standing(books, payment.id, "payment").status) == (600, "reversed")


@TAKES
def test_a_refusal_waits_until_it_is_known_whose_the_reference_is(books: Books, take: Any) -> None:
    """A reference that is taken is told before what the payment still holds."""
    payment = books.done(pay())

    with pytest.raises(Unread):
        in_a_batch(books, take(payment.id, amount=1001, external_reference="R1"), knows_claims=False)


@TAKES
def test_what_does_not_hang_on_a_reference_is_decided_without_it(books: Books, take: Any) -> None:
    payment = books.done(pay())
    outcomes = in_a_batch(
        books,
        take("nobody", external_reference="R1"),
        take(payment.id, if_match=frozenset({"9"}), external_reference="R1"),
        take(payment.id, ("ob_none", 1), external_reference="R1"),
        take(payment.id, amount=1001),
        take(payment.id, external_reference="R1"),
        knows_claims=False,
    )

    assert outcomes == [
        Code.PAYMENT_NOT_FOUND, Code.PRECONDITION_FAILED, Code.NOT_FOUND, Code.CONFLICT, "done",
    ]  # fmt: skip


# Any history


AMOUNTS = st.sampled_from([1, 2, 99, 100, 500, 1000, 1001])
KINDS = {"INV1": "bill", "INV2": "bill", "ACC1": "account", "UCR1": "customer"}


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Draw what happens: payments of one or several, what takes them back, and what is put right by hand."""
    take = st.sampled_from([refund, reverse])
    step = st.one_of(
        st.tuples(st.just("pay"), st.dictionaries(st.sampled_from([*KINDS]), AMOUNTS, min_size=1)),
        st.tuples(st.just("take"), st.tuples(take, st.integers(0, 3), st.none() | AMOUNTS)),
        st.tuples(st.just("correct"), st.integers(0, 1200)),
    )
    return draw(st.lists(step, max_size=20))


def happen(books: Books, step: tuple[str, Any]) -> None:
    """Let one step of a history happen, if it may."""
    payments = books.state.payments.created()
    match step:
        case ("pay", amounts):
            books.decide(pay_many(*((KINDS[name], name, amount) for name, amount in amounts.items())))
        case ("take", (take, number, amount)) if payments:
            payment = sorted(payments, key=lambda it: it.id)[number % len(payments)]
            command: TakeBack = take(payment.id, **({"amount": amount} if amount else {}))
            books.decide(command)
        case ("correct", amount):
            books.decide(update_bill(amount_paid=amount))


@given(histories())
def test_after_any_history_the_objects_the_payments_and_the_ledger_agree(history: list[tuple[str, Any]]) -> None:
    books = Books(
        create("UCR1", currency="ZAR", payment_rules=ANY_AMOUNT),
        create_account("ACC1", customer="UCR1", currency="ZAR", balance=500),
        create_bill("INV1", customer="UCR1", payment_rules=ANY_AMOUNT),
        create_bill("INV2", account="ACC1"),
    )
    for step in history:
        happen(books, step)

    payments, state = books.state.payments.created(), books.state
    held: Counter[str] = Counter()
    for payment in payments:
        taken = [it for it in (*state.refunds.created(), *state.reversals.created()) if it.payment_id == payment.id]
        assert payment.amount_refunded + payment.amount_reversed == sum(it.amount for it in taken)
        assert payment.held == sum(application.held for application in payment.applications) >= 0
        held.update({application.object_id: application.held for application in payment.applications})
    for name, kind in KINDS.items():
        item = standing(books, name, kind)
        refuse_broken(books.posted(item.id))
        moved = [it for it in books.posted(item.id) if it.payment_id is not None]
        assert -sum(transfer.amount for transfer in moved) == held[item.id]
        if isinstance(item, Bill):
            assert item.amount_received == held[item.id] <= item.amount_paid
            assert item.obligation.total == item.amount_due - item.amount_paid
    cleared: Counter[str] = Counter()
    for transfer in state.transfers:
        cleared[transfer.debit] += abs(transfer.amount)
        cleared[transfer.credit] -= abs(transfer.amount)
    assert cleared["clearing"] == sum(payment.amount - payment.amount_reversed for payment in payments)
    assert -cleared["refunds_payable"] == sum(payment.amount_refunded for payment in payments)
