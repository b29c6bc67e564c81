from collections.abc import Iterable
from itertools import product
from typing import Any

import msgspec
import pytest

from owed.core.ledger import sealed, sides
from owed.core.verification.broken import Broken
from owed.core.verification.chain import Chain, Head
from owed.core.verification.payments import Exactly, Line, Sums
from owed.core.verification.posting import Posting, posting_fault
from owed.model.payment_rules import PaymentRules
from owed.model.tenant_settings import TenantSettings
from owed.model.transfer import Cause, LedgerAccount, Transfer
from tests.core.samples import NOW, SECOND, Books, create, pay, refund

ACCOUNTS = [*(account.value for account in LedgerAccount), "clearing:card", "other"]
LINE = Line("pay_1", "pay_1", "bill_1", "ZAR", "clearing", NOW)


ANY_IDS = list(product([False, True], [None, "ref_", "rev_", "bill"], [None, "all_", "mov_", "chg_", "crd_", "bill"]))

RIGHT_IDS = {
    **dict.fromkeys(Cause, ((False, None, None),)),
    Cause.PAYMENT: ((True, None, None),),
    Cause.REFUND: ((True, "ref_", None),),
    Cause.REVERSAL: ((True, "rev_", None),),
    Cause.ALLOCATION: ((True, None, "all_"),),
    Cause.MOVE: ((True, None, "mov_"),),
    Cause.CHARGE: ((False, None, "chg_"),),
    **dict.fromkeys((Cause.CREDIT, Cause.CREDIT_NOTE, Cause.DISCOUNT, Cause.WRITE_OFF), ((False, None, "crd_"),)),
    Cause.PASSED_ON: (
        (True, None, None), (True, "ref_", None), (True, "rev_", None), (True, None, "all_"), (True, None, "mov_"),
    ),
}  # fmt: skip
"""Whether it is of a payment, and the prefixes of what takes back and of its document, by cause."""

RECEIVABLE_SIGNS = {
    **dict.fromkeys(Cause, (-1, 0, 1)),
    **dict.fromkeys((Cause.BILL_RAISED, Cause.REFUND, Cause.REVERSAL), (1,)),
    **dict.fromkeys((Cause.PAYMENT, Cause.VOID, Cause.ALLOCATION), (-1,)),
    Cause.MOVE: (-1, 1),
}
UNALLOCATED_SIGNS: dict[Cause, tuple[int, ...]] = {
    Cause.PAYMENT: (-1,), Cause.REFUND: (1,), Cause.REVERSAL: (1,), Cause.ALLOCATION: (1,), Cause.MOVE: (-1,),
}  # fmt: skip
SIGNS: dict[str, dict[Cause, tuple[int, ...]]] = {"receivable": RECEIVABLE_SIGNS, "unallocated": UNALLOCATED_SIGNS}
"""The signs that an amount may have, by the account of the obligation and the cause."""


def posting(cause: Cause, sign: int, debit: str, credit: str, own: str) -> Posting:
    return Posting(cause, sign, debit, credit, *RIGHT_IDS[cause][0], own)


@pytest.mark.parametrize("own", SIGNS)
@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("sign", [-1, 0, 1])
def test_a_posting_fits_where_the_ledger_would_post_so_and_nowhere_else(cause: Cause, sign: int, own: str) -> None:
    may_be = sign in SIGNS[own].get(cause, ())
    right = {sides(cause, sign, channel, own) for channel in (None, "card")} if may_be else set()

    fitting = {pair for pair in product(ACCOUNTS, ACCOUNTS) if posting_fault(posting(cause, sign, *pair, own)) is None}
    assert fitting == right


@pytest.mark.parametrize("cause", Cause)
def test_a_transfer_is_of_what_its_cause_says_and_of_nothing_else(cause: Cause) -> None:
    sign = min(RECEIVABLE_SIGNS[cause])
    debit, credit = sides(cause, sign)

    fitting = [ids for ids in ANY_IDS if posting_fault(Posting(cause, sign, debit, credit, *ids)) is None]
    assert sorted(fitting, key=str) == sorted(RIGHT_IDS[cause], key=str)


def test_an_unknown_cause_fits_nothing() -> None:
    gift = Posting("gift", 1, "receivable", "billed", is_of_payment=False, taken_back=None, document=None)

    assert posting_fault(gift) is not None


def test_sums_agree_whatever_the_order_of_their_sides() -> None:
    sums = Sums()
    lines = [LINE._replace(payment_id=f"pay_{number}", part=f"bill_{number % 7}") for number in range(100)]
    for line in lines:
        sums.say(line, 3)
    for line in reversed(lines):
        sums.find(line, 1)
        sums.find(line, 2)

    assert sums.differing() == []


@pytest.mark.parametrize("member", Line._fields)
def test_sums_differ_where_an_amount_is_of_something_else(member: str) -> None:
    other: Any = NOW + SECOND if member == "occurred_at" else "other"
    sums = Sums()
    sums.say(LINE, 3)
    sums.find(LINE._replace(**{member: other}), 3)

    assert sums.differing() != []


@pytest.mark.parametrize("number", range(100))
def test_what_came_and_went_again_elsewhere_makes_a_difference(number: int) -> None:
    sums = Sums()
    for sign, moment in ((1, NOW), (-1, NOW + number * SECOND + SECOND)):
        sums.say(LINE._replace(occurred_at=moment), sign * 100)
        sums.find(LINE._replace(account="discounts", occurred_at=moment), sign * 100)

    assert sums.differing() != []


def test_only_the_payments_of_some_sums_are_compared_one_by_one() -> None:
    sums = Sums()
    sums.say(LINE, 3)
    (differing,) = sums.differing()
    some, others = Exactly([differing]), Exactly([differing + 1])
    for exactly in (some, others):
        exactly.say(LINE, 3)

    assert [len([*each.faults()]) for each in (some, others)] == [1, 0]


def passed_on_books() -> Books:
    """Give the books of a customer whose payment of 300, and whose refund of 100, were passed on."""
    rules = PaymentRules(1, 1000, underpayment_allowed=True, overpayment_allowed=True)
    books = Books(
        create(currency="ZAR", balance=1000, payment_rules=rules),
        settings=TenantSettings(payments_reduce_balance=False),
    )
    payment = books.done(pay("UCR1", 300, kind="customer"))
    books.done(refund(payment.id, amount=100))
    return books


def followed(transfers: Iterable[Transfer]) -> None:
    """Follow a chain, whose hashes are put right."""
    chain, previous = Chain(Head("bcus_1", "ZAR", 0, 0, b"", None)), b""
    for transfer in transfers:
        whole = sealed(transfer, previous)
        chain.add(whole)
        previous = whole.hash


def test_what_is_passed_on_takes_back_just_what_the_transfer_before_it_did() -> None:
    (customer,) = passed_on_books().state.customers.created()

    followed(passed_on_books().posted(customer.id))


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 299, "total_after": 999},
        {"payment_id": "pay_other"},
        {"taken_back_id": "ref_other"},
        {"occurred_at": NOW - SECOND},
    ],
    ids=str,
)
def test_what_is_passed_on_otherwise_is_broken(wrong: dict[str, Any]) -> None:
    books = passed_on_books()
    (customer,) = books.state.customers.created()
    opening, payment, passed_on, *_ = books.posted(customer.id)

    with pytest.raises(Broken, match="it does not take back just what the transfer before it did"):
        followed([opening, payment, msgspec.structs.replace(passed_on, **wrong)])


def test_nothing_is_passed_on_without_what_it_takes_back() -> None:
    books = passed_on_books()
    (customer,) = books.state.customers.created()
    opening, _, passed_on, *_ = books.posted(customer.id)

    with pytest.raises(Broken, match="it does not take back just what the transfer before it did"):
        followed([opening, msgspec.structs.replace(passed_on, version=2, total_after=1300)])
