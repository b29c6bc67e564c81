from itertools import product
from typing import Any

import pytest

from owed.core.ledger import sides
from owed.core.verification.payments import Exactly, Line, Sums
from owed.core.verification.posting import (
    DOCUMENTS,
    LOWERING,
    OF_PAYMENTS,
    RAISING,
    TAKING_BACK,
    Posting,
    posting_fault,
)
from owed.model.transfer import Cause, LedgerAccount
from tests.core.samples import NOW, SECOND

ACCOUNTS = [*(account.value for account in LedgerAccount), "clearing:card", "other"]
LINE = Line("pay_1", "pay_1", "bill_1", "ZAR", "clearing", NOW)


def posting(cause: Cause, sign: int, debit: str, credit: str) -> Posting:
    return Posting(cause, sign, debit, credit, cause in OF_PAYMENTS, TAKING_BACK.get(cause), DOCUMENTS.get(cause))


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("sign", [-1, 0, 1])
def test_a_posting_fits_where_the_ledger_would_post_so_and_nowhere_else(cause: Cause, sign: int) -> None:
    channels = (None, "card")
    may_be = not (sign <= 0 and cause in RAISING) and not (sign >= 0 and cause in LOWERING)
    right = {sides(cause, sign, channel) for channel in channels} if may_be else set()

    fitting = {pair for pair in product(ACCOUNTS, ACCOUNTS) if posting_fault(posting(cause, sign, *pair)) is None}
    assert fitting == right


@pytest.mark.parametrize("cause", Cause)
def test_a_transfer_is_of_a_payment_or_a_document_where_its_cause_says_so(cause: Cause) -> None:
    sign = -1 if cause in LOWERING else 1
    debit, credit = sides(cause, sign)
    fitting = {
        (is_of_payment, taken_back, document)
        for is_of_payment, taken_back, document in product(
            [False, True], [None, "ref_", "rev_", "bill"], [None, "chg_", "crd_", "bill"]
        )
        if posting_fault(Posting(cause, sign, debit, credit, is_of_payment, taken_back, document)) is None
    }

    assert fitting == {(cause in OF_PAYMENTS, TAKING_BACK.get(cause), DOCUMENTS.get(cause))}


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


def test_only_the_payments_of_some_sums_are_compared_one_by_one() -> None:
    sums = Sums()
    sums.say(LINE, 3)
    (differing,) = sums.differing()
    some, others = Exactly([differing]), Exactly([differing + 1])
    for exactly in (some, others):
        exactly.say(LINE, 3)

    assert [len([*each.faults()]) for each in (some, others)] == [1, 0]
