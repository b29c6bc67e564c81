"""Bills: how one is changed and voided (contract, section 4)."""

import json
from datetime import date
from typing import Any

import msgspec
import pytest

from owed.core.outcomes import Code, Fault
from owed.core.update import Update
from owed.model.bill import MAX_AMOUNT, Bill, BillStatus
from owed.model.payment_rules import PaymentRules
from owed.model.transfer import Cause
from tests.core.samples import (
    JANE,
    NOW,
    RULES,
    SECOND,
    Books,
    create,
    create_account,
    create_bill,
    places,
    refuse_broken,
    update_bill,
    void,
)

UNPAID, PAID, VOIDED = BillStatus.UNPAID, BillStatus.PAID, BillStatus.VOIDED
STRICT = PaymentRules(1, 1000, underpayment_allowed=False, overpayment_allowed=False)
KEYS = {f"k{number}": "" for number in range(20)}


@pytest.fixture
def books() -> Books:
    """Books with a bill of 1000 in ZAR."""
    return Books(create("UCR1"), create_bill("INV1", customer="UCR1"))


def standing(books: Books) -> Bill:
    bill = books.state.bills.find(1, "INV1")
    assert bill is not None
    return bill


def moves(books: Books) -> list[tuple[Cause, int, str]]:
    """List what has moved on the bill since it was raised."""
    posted = books.posted(standing(books).id)
    refuse_broken(posted)
    return [(transfer.cause, transfer.amount, transfer.currency) for transfer in posted[1:]]


# amount_paid


@pytest.mark.parametrize(
    ("amounts", "status", "remaining", "corrections", "told"),
    [
        ([0], UNPAID, 1000, [], []),
        ([1], UNPAID, 999, [-1], ["updated"]),
        ([999], UNPAID, 1, [-999], ["updated"]),
        ([1000], PAID, 0, [-1000], ["updated", "paid"]),
        ([400, 1000], PAID, 0, [-400, -600], ["updated", "updated", "paid"]),
        ([400, 400], UNPAID, 600, [-400], ["updated"]),
        ([400, 100], UNPAID, 900, [-400, 300], ["updated", "updated"]),
        ([1000, 0], UNPAID, 1000, [-1000, 1000], ["updated", "paid", "updated"]),
        ([1000, 999, 1000], PAID, 0, [-1000, 1, -1], ["updated", "paid", "updated", "updated", "paid"]),
    ],
)
def test_amount_paid_is_absolute_and_remaining_and_status_follow(
    books: Books, amounts: list[int], status: BillStatus, remaining: int, corrections: list[int], told: list[str]
) -> None:
    for amount in amounts:
        assert books.done(update_bill(amount_paid=amount)).amount_paid == amount

    bill = standing(books)
    assert (bill.status, bill.amount_remaining, bill.obligation.total) == (status, remaining, remaining)
    assert moves(books) == [(Cause.CORRECTION, amount, "ZAR") for amount in corrections]
    assert books.told(bill.id) == ["bill.created", *(f"bill.{word}" for word in told)]


def test_a_change_that_settles_is_told_twice_of_one_version_in_two_places(books: Books) -> None:
    bill: Bill = books.done(update_bill(amount_paid=1000))

    updated, paid = books.state.events[-2:]
    assert [(event.type, event.sequence) for event in (updated, paid)] == [("bill.updated", 2), ("bill.paid", 3)]
    assert (bill.version, bill.event_sequence, bill.obligation.version) == (2, 3, 2)
    assert updated.id < paid.id
    data = msgspec.to_builtins(bill.shown())
    assert json.loads(updated.body)["data"] == json.loads(paid.body)["data"] == data
    assert (data["status"], data["amount_remaining"]) == ("paid", 0)


def test_who_settled_it_is_kept_once(books: Books) -> None:
    bill = books.done(update_bill(actor=JANE, amount_paid=1000))

    (words,) = books.state.attributions
    assert (words.object_id, words.command, words.recorded_at) == (bill.id, "bill.update", NOW)
    assert books.posted(bill.id)[-1].attribution_id == words.id


# More than is due


@pytest.mark.parametrize(
    ("standing_rules", "given", "is_taken"),
    [
        (STRICT, {}, False),
        (None, {}, False),  # a bill without rules takes no payment at all
        (RULES, {}, True),
        (STRICT, {"payment_rules": RULES}, True),  # the rules that the same request brings
        (None, {"payment_rules": RULES}, True),
        (RULES, {"payment_rules": STRICT}, False),
        (RULES, {"payment_rules": None}, False),
    ],
)
def test_more_than_is_due_is_taken_where_the_rules_that_the_request_leaves_allow_it(
    standing_rules: PaymentRules | None, given: dict[str, Any], *, is_taken: bool
) -> None:
    books = Books(create("UCR1"), create_bill("INV1", customer="UCR1", payment_rules=standing_rules))
    command = update_bill(amount_paid=1001, **given)

    if is_taken:
        bill: Bill = books.done(command)
        assert (bill.status, bill.amount_remaining, bill.obligation.total) == (PAID, 0, -1)
    else:
        refusal = books.refused(command)
        assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, ["/amount_paid"])


def test_the_most_that_can_be_paid_is_the_most_that_a_bill_can_be() -> None:
    books = Books(create("UCR1"), create_bill("INV1", customer="UCR1", amount_due=1, payment_rules=RULES))
    bill: Bill = books.done(update_bill(amount_paid=MAX_AMOUNT))

    assert (bill.amount_remaining, bill.obligation.total) == (0, 1 - MAX_AMOUNT)


def test_what_was_paid_over_the_amount_stands_though_the_rules_no_longer_allow_it() -> None:
    books = Books(create("UCR1"), create_bill("INV1", customer="UCR1", payment_rules=RULES))
    books.done(update_bill(amount_paid=1500))

    assert books.done(update_bill(payment_rules=STRICT, amount_paid=1500)).payment_rules == STRICT
    assert places(books.refused(update_bill(amount_paid=1400))) == ["/amount_paid"]
    assert books.done(update_bill(amount_paid=1000)).status == PAID
    assert books.told(standing(books).id).count("bill.paid") == 1  # it was paid all the while


def test_an_amount_is_not_judged_by_rules_that_the_request_would_replace_but_has_wrong(books: Books) -> None:
    """Section 1.5: every fault found. That the amount is over what the old rules allow is none."""
    wrong = (Fault("/payment_rules/min_amount", "no"),)
    command = update_bill(amount_paid=1500, faults=wrong, faulty=frozenset({"payment_rules"}))

    assert places(books.refused(command)) == ["/payment_rules/min_amount"]


# Currency


def test_a_change_of_currency_is_two_transfers_out_of_the_old_one_and_into_the_new(books: Books) -> None:
    bill: Bill = books.done(update_bill(currency="USD"))

    changed = Cause.CURRENCY_CHANGED
    assert moves(books) == [(changed, -1000, "ZAR"), (changed, 1000, "USD")]
    assert [transfer.total_after for transfer in books.posted(bill.id)] == [1000, 0, 1000]
    assert (bill.currency, bill.obligation.total, bill.version, bill.obligation.version) == ("USD", 1000, 2, 3)
    assert books.told(bill.id) == ["bill.created", "bill.updated"]


def test_a_currency_and_what_is_paid_in_it_may_come_together(books: Books) -> None:
    bill: Bill = books.done(update_bill(currency="USD", amount_paid=1000))

    changed = Cause.CURRENCY_CHANGED
    assert moves(books) == [(changed, -1000, "ZAR"), (changed, 1000, "USD"), (Cause.CORRECTION, -1000, "USD")]
    assert (bill.currency, bill.status) == ("USD", PAID)


@pytest.mark.parametrize("with_it", [{}, {"amount_paid": 0}])
def test_a_currency_cannot_change_while_there_is_money_in_it(books: Books, with_it: dict[str, int]) -> None:
    books.done(update_bill(amount_paid=1))

    refusal = books.refused(update_bill(currency="USD", **with_it))
    assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/currency"])


def test_a_currency_can_change_again_once_the_money_is_out(books: Books) -> None:
    books.done(update_bill(amount_paid=1))
    books.done(update_bill(amount_paid=0))

    assert books.done(update_bill(currency="USD")).currency == "USD"


def test_a_currency_that_is_not_active_is_refused_before_it_is_seen_that_none_could_come(books: Books) -> None:
    books.done(update_bill(amount_paid=1))

    assert books.refused(update_bill(currency="XXQ")).code == Code.INVALID_REQUEST


def test_the_currency_that_stands_is_taken_whatever_has_become_of_it(books: Books) -> None:
    old = msgspec.structs.replace(standing(books).obligation, currency="HRK")
    books.state.bills.put(msgspec.structs.replace(standing(books), obligation=old))

    assert books.done(update_bill(currency="HRK", amount_paid=1000)).currency == "HRK"


# The other members


def test_a_due_date_comes_changes_and_goes(books: Books) -> None:
    for due in (date(2026, 2, 28), date(2026, 3, 1), None):
        assert books.done(update_bill(due_date=due)).due_date == due
    assert "due_date" not in standing(books).shown()
    assert moves(books) == []


def test_rules_come_change_and_go(books: Books) -> None:
    for rules in (RULES, STRICT, None):
        assert books.done(update_bill(payment_rules=rules)).payment_rules == rules


def test_metadata_of_a_bill_is_merged_and_has_twenty_keys_at_the_most(books: Books) -> None:
    books.done(update_bill(metadata=KEYS))

    assert places(books.refused(update_bill(metadata={"more": ""}))) == ["/metadata"]
    assert len(books.done(update_bill(metadata={"more": "", "k0": None})).metadata) == 20


def test_a_change_is_a_new_version_of_its_own_time(books: Books) -> None:
    books.stamps.now += SECOND
    bill: Bill = books.done(update_bill(due_date=date(2026, 2, 28)))

    assert (bill.version, bill.created_at, bill.updated_at) == (2, NOW, NOW + SECOND)


# What is sent back


def test_a_bill_that_is_sent_back_whole_changes_nothing() -> None:
    books = Books(create("UCR1"), create_account("ACC1", customer="UCR1"))
    given = {"due_date": date(2026, 2, 28), "metadata": {"a": "b"}}
    bill = books.done(create_bill("INV1", account="ACC1", **given))
    before = books.kept()
    sent = {**msgspec.to_builtins(bill.shown()), **given, "payment_rules": bill.payment_rules}
    del sent["bill_date"]

    assert books.done(update_bill(actor=JANE, **sent, bill_date="2026-03-04")) == bill
    assert books.kept() == before


@pytest.mark.parametrize(
    ("member", "values"),
    [
        ("id", ["bill_other", 7, True, {}]),
        ("external_reference", ["INV2", "inv1", 1]),
        ("customer_id", ["UCR1", "bcus_other", ["x"]]),
        ("account_id", ["bacc_other", ""]),  # the bill is on no account
        ("amount_due", [999, "1000", 1000.0, True]),
        ("bill_date", ["2026-03-05", "2026-03-04T00:00:00Z", 20260304]),
    ],
)
def test_a_member_that_never_changes_is_refused_where_it_differs_in_value_or_type(
    books: Books, member: str, values: list[object]
) -> None:
    for value in values:
        other: dict[str, Any] = {member: value}
        refusal = books.refused(update_bill(**other))
        assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, [f"/{member}"]), value


def test_true_is_no_amount_of_one_and_a_float_is_no_whole_number() -> None:
    books = Books(create("UCR1"), create_bill("INV1", customer="UCR1", amount_due=1))

    for value in (True, 1.0, "1"):
        assert places(books.refused(update_bill(amount_due=value))) == ["/amount_due"]
        assert books.refused(update_bill(amount_remaining=value)).code == Code.CONFLICT
    assert books.done(update_bill(amount_due=1, amount_remaining=1)).version == 1


@pytest.mark.parametrize(
    ("member", "values"),
    [("status", ["paid", "voided", "open", 1, None]), ("amount_remaining", [0, 999, 1000.0, "1000", True, None])],
)
def test_a_member_that_follows_from_others_is_a_conflict_where_it_differs(
    books: Books, member: str, values: list[object]
) -> None:
    for value in values:
        other: dict[str, Any] = {member: value}
        refusal = books.refused(update_bill(**other))
        assert (refusal.code, places(refusal)) == (Code.CONFLICT, [f"/{member}"]), value


def test_what_follows_from_others_is_as_it_stands_before_the_change(books: Books) -> None:
    as_it_stood = {"status": "unpaid", "amount_remaining": 1000}
    assert books.done(update_bill(**as_it_stood, amount_paid=1000)).status == PAID

    refusal = books.refused(update_bill(**as_it_stood, due_date=None))
    assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/status", "/amount_remaining"])


def test_refusals_of_a_change_come_in_the_order_of_the_contract(books: Books) -> None:
    """Section 1.1: the path's object, then If-Match, then validation, then state."""
    books.done(update_bill(amount_paid=1))
    stale, wrong = {"if_match": frozenset({"9"})}, {"amount_due": 7}
    conflict: dict[str, Any] = {"currency": "USD"}

    outcomes = [
        books.refused(update_bill("nobody", **stale, **wrong, **conflict)).code,
        books.refused(update_bill(**stale, **wrong, **conflict)).code,
        books.refused(update_bill(**wrong, **conflict)).code,
        books.refused(update_bill(**conflict)).code,
    ]
    assert outcomes == [Code.NOT_FOUND, Code.PRECONDITION_FAILED, Code.INVALID_REQUEST, Code.CONFLICT]


# Void


def test_a_void_leaves_what_remains_and_takes_what_is_owed(books: Books) -> None:
    books.stamps.now += SECOND
    bill: Bill = books.done(void())

    assert (bill.status, bill.amount_remaining, bill.amount_paid, bill.amount_due) == (VOIDED, 1000, 0, 1000)
    assert (bill.obligation.total, moves(books)) == (0, [(Cause.VOID, -1000, "ZAR")])
    assert (bill.version, bill.updated_at) == (2, NOW + SECOND)


def test_a_void_is_told_once_also_with_metadata(books: Books) -> None:
    bill: Bill = books.done(void(metadata={"why": "twice billed"}))

    assert (bill.metadata, books.told(bill.id)) == ({"why": "twice billed"}, ["bill.created", "bill.voided"])
    (event,) = books.state.events[-1:]
    assert json.loads(event.body)["data"] == msgspec.to_builtins(bill.shown())


def test_a_void_says_who_did_it(books: Books) -> None:
    bill = books.done(void(actor=JANE))

    (words,) = books.state.attributions
    assert (words.object_id, words.command, words.actor) == (bill.id, "bill.void", JANE)


def test_a_void_is_of_the_currency_that_the_bill_has_by_then(books: Books) -> None:
    books.done(update_bill(currency="USD"))
    books.done(void())

    assert moves(books)[-1] == (Cause.VOID, -1000, "USD")


@pytest.mark.parametrize("paid", [1, 1000])
def test_a_bill_with_money_on_it_cannot_be_voided(books: Books, paid: int) -> None:
    books.done(update_bill(amount_paid=paid))
    refusal = books.refused(void())

    assert (refusal.code, f"There is money on the bill, {paid} in all" in refusal.detail) == (Code.CONFLICT, True)
    books.done(update_bill(amount_paid=0))
    assert books.done(void()).status == VOIDED


def test_a_bill_cannot_be_voided_twice(books: Books) -> None:
    books.done(void())

    assert books.refused(void()).code == books.refused(void(metadata={"a": "b"})).code == Code.CONFLICT


@pytest.mark.parametrize(
    "command",
    [
        update_bill(),
        update_bill(metadata={"a": "b"}),
        update_bill(amount_paid=0),
        update_bill(amount_paid=1000),
        update_bill(currency="USD"),
        update_bill(due_date=None),
        update_bill(status="voided"),
        update_bill(external_reference="INV1"),
    ],
)
def test_a_voided_bill_cannot_be_changed_at_all(books: Books, command: Update) -> None:
    """Section 4: a PATCH of any kind, be it one that would change nothing."""
    books.done(void())

    assert books.refused(command).code == Code.CONFLICT


def test_refusals_of_a_void_come_in_the_order_of_the_contract(books: Books) -> None:
    books.done(void())
    stale, many = {"if_match": frozenset({"9"})}, {"metadata": {**KEYS, "more": ""}}

    outcomes = [
        books.refused(void("nobody", **stale, **many)).code,
        books.refused(void(**stale, **many)).code,
        books.refused(void(**many)).code,
        books.refused(void()).code,
    ]
    assert outcomes == [Code.NOT_FOUND, Code.PRECONDITION_FAILED, Code.INVALID_REQUEST, Code.CONFLICT]


def test_a_void_is_for_the_version_that_it_names(books: Books) -> None:
    assert books.done(void(if_match=frozenset({"1"}))).status == VOIDED


def test_nobody_changes_or_voids_another_tenants_bill(books: Books) -> None:
    for name in ("INV1", standing(books).id):
        assert books.refused(update_bill(name, tenant=2, amount_paid=1)).code == Code.NOT_FOUND
        assert books.refused(void(name, tenant=2)).code == Code.NOT_FOUND
