"""Charges and credits, and what they do to balances and bills (docs/api.md, "Charges and credits")."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owed.core.adjusting import Adjust
from owed.core.outcomes import Code, Refused
from owed.core.state import Name, State, Unread
from owed.model.adjustment import Charge, Credit
from owed.model.bill import MAX_AMOUNT, BillStatus
from owed.model.money import MAX_TOTAL
from owed.model.payment import MAX_PAYMENT
from owed.model.payment_rules import PaymentRules
from owed.model.transfer import Cause
from tests.core.samples import (
    JANE,
    NOW,
    SECOND,
    Books,
    charge,
    create,
    create_account,
    create_bill,
    credit,
    credit_bill,
    pay,
    places,
    refuse_broken,
    undo,
    update_bill,
    void,
)

YESTERDAY = NOW - timedelta(days=1)
TYPES = ["credit_note", "discount", "write_off"]
ACCOUNTS = {"credit_note": "credit_notes", "discount": "discounts", "write_off": "bad_debt"}
ANY_AMOUNT = PaymentRules(1, MAX_PAYMENT, underpayment_allowed=True, overpayment_allowed=True)
ALL = [charge("UCR1"), credit("UCR1"), credit_bill("INV1")]


@pytest.fixture
def books() -> Books:
    """Books with a prepaid customer of 1000 in credit, an account that nobody tracks, and a bill of 1000."""
    return Books(
        create("UCR1", currency="ZAR", balance=-1000),
        create_account("ACC1", customer="UCR1", payment_rules=ANY_AMOUNT),
        create_bill("INV1", customer="UCR1", payment_rules=ANY_AMOUNT),
    )


def standing(books: Books, name: str = "UCR1", kind: str = "customer") -> Any:
    item = books.state.shelves[kind].find(1, name)
    assert item is not None
    return item


def bill(books: Books) -> Any:
    return standing(books, "INV1", "bill")


def undo_credit(name: str, **given: Any) -> Any:
    return undo(name, on="INV1", object_kind="bill", kind="credit", **given)


def last_told(books: Books, object_id: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads([event for event in books.state.events if event.object_id == object_id][-1].body)
    return body


# Balances


def test_a_charge_raises_a_balance_and_says_what_stands(books: Books) -> None:
    made = books.done(charge("UCR1", 300, reason="units", external_reference="G1", occurred_at=YESTERDAY))

    customer = standing(books)
    assert isinstance(made, Charge)
    assert customer.obligation.total == made.total_after == -700
    assert made.shown() == {
        "id": made.id,
        "customer_id": customer.id,
        "amount": 300,
        "currency": "ZAR",
        "balance_after": -700,
        "reason": "units",
        "external_reference": "G1",
        "occurred_at": YESTERDAY,
        "created_at": NOW,
    }


def test_a_charge_is_one_object_one_transfer_and_one_event(books: Books) -> None:
    before = books.kept()
    made = books.done(charge("UCR1", 300))

    grown = sum(books.kept()) - sum(before)
    transfer = books.posted(standing(books).id)[-1]
    assert grown == 3
    assert (transfer.amount, transfer.debit, transfer.credit) == (300, "receivable", "billed")
    assert (transfer.cause, transfer.document_id, transfer.occurred_at) == (Cause.CHARGE, made.id, NOW)


def test_a_credit_is_the_reverse_of_a_charge(books: Books) -> None:
    made = books.done(credit("UCR1", 300))

    transfer = books.posted(standing(books).id)[-1]
    assert isinstance(made, Credit)
    assert standing(books).obligation.total == made.total_after == -1300
    assert (transfer.amount, transfer.debit, transfer.credit) == (-300, "billed", "receivable")
    assert (transfer.cause, transfer.document_id) == (Cause.CREDIT, made.id)


@pytest.mark.parametrize("command", [charge("UCR1", 300), credit("UCR1", 300)])
def test_the_object_tells_of_it_as_it_stands_after_it(command: Adjust, books: Books) -> None:
    version = standing(books).version
    books.done(command)

    customer = standing(books)
    told = last_told(books, customer.id)
    assert customer.version == version + 1
    assert (told["type"], told["data"]["balance"]) == ("customer.updated", customer.obligation.total)


@pytest.mark.parametrize(
    ("floor", "amount", "available"),
    [
        (0, 1000, None),
        (0, 1001, 1000),
        (400, 600, None),
        (400, 601, 600),
        (-500, 1500, None),
        (-500, 1501, 1500),
        (1000, 1, 0),
        (1001, 1, 0),
        (None, 5000, None),
    ],
)
def test_a_floor_is_the_credit_that_must_be_left(
    floor: int | None, amount: int, available: int | None, books: Books
) -> None:
    command = charge("UCR1", amount, floor=floor)
    if available is None:
        assert books.done(command).total_after == amount - 1000
        return
    refusal = books.refused(command)

    assert (refusal.code, places(refusal)) == (Code.INSUFFICIENT_CREDIT, ["/amount"])
    assert refusal.further == {"balance": -1000, "floor": floor, "available": available}


def test_charges_use_up_exactly_the_credit(books: Books) -> None:
    outcomes = [books.decide(charge("UCR1", 90, floor=0)) for _ in range(20)]

    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert (len(refusals), standing(books).obligation.total) == (9, -10)


def test_the_running_total_runs_where_no_balance_is_tracked(books: Books) -> None:
    made = books.done(charge("ACC1", 300, kind="account", currency="ZAR"))

    account = standing(books, "ACC1", "account")
    assert (account.obligation.total, account.obligation.balance, account.obligation.currency) == (300, None, "ZAR")
    assert made.shown()["balance_after"] == 300


@pytest.mark.parametrize("command", [charge, credit])
def test_what_has_no_currency_needs_one(command: Any, books: Books) -> None:
    refusal = books.refused(command("ACC1", 300, kind="account"))

    assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/currency"])


@pytest.mark.parametrize("command", ALL)
def test_another_currency_than_the_objects_is_a_conflict(command: Adjust, books: Books) -> None:
    refusal = books.refused(msgspec.structs.replace(command, currency="USD"))

    assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/currency"])
    books.done(msgspec.structs.replace(command, currency="ZAR"))


def test_a_currency_that_is_not_active_is_invalid(books: Books) -> None:
    refusal = books.refused(charge("ACC1", 300, kind="account", currency="XXZ"))

    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, ["/currency"])


@pytest.mark.parametrize(("balance", "command"), [(MAX_TOTAL, charge("U")), (-MAX_TOTAL, credit("U"))])
def test_no_balance_leaves_its_bounds(balance: int, command: Adjust) -> None:
    books = Books(create("U", currency="ZAR", balance=balance))
    refusal = books.refused(command)

    assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/amount"])


# Bills


@pytest.mark.parametrize("credit_type", TYPES)
def test_a_credit_on_a_bill_counts_as_paid_and_has_its_own_account(credit_type: str, books: Books) -> None:
    made = books.done(credit_bill("INV1", 300, credit_type))

    transfer = books.posted(bill(books).id)[-1]
    assert (bill(books).amount_paid, bill(books).amount_credited, bill(books).amount_remaining) == (300, 300, 700)
    assert (transfer.amount, transfer.debit, transfer.credit) == (-300, ACCOUNTS[credit_type], "receivable")
    assert (transfer.cause, transfer.document_id) == (Cause(credit_type), made.id)
    assert made.shown().items() >= {"bill_id": bill(books).id, "type": credit_type, "total_after": 700}.items()


@pytest.mark.parametrize("credit_type", TYPES)
def test_a_bill_that_a_credit_settles_is_paid(credit_type: str, books: Books) -> None:
    books.done(pay("INV1", 600))
    books.done(credit_bill("INV1", 400, credit_type))

    assert bill(books).status is BillStatus.PAID
    assert books.told(bill(books).id)[-2:] == ["bill.updated", "bill.paid"]


@pytest.mark.parametrize(
    ("credit_type", "paid", "credited", "most"),
    [
        ("discount", 0, 0, 1000),
        ("discount", 600, 0, 400),
        ("discount", 1000, 0, 0),
        ("write_off", 600, 100, 300),
        ("credit_note", 0, 0, 1000),
        ("credit_note", 1000, 0, 1000),
        ("credit_note", 600, 100, 900),
    ],
)
def test_a_discount_is_of_what_remains_and_a_credit_note_of_what_was_due(
    credit_type: str, paid: int, credited: int, most: int, books: Books
) -> None:
    if paid:
        books.done(pay("INV1", paid))
    if credited:
        books.done(credit_bill("INV1", credited))
    refusal = books.refused(credit_bill("INV1", most + 1, credit_type))

    assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/amount"])
    if most:
        books.done(credit_bill("INV1", most, credit_type))
        assert bill(books).amount_credited == credited + most


def test_what_a_bill_holds_has_bounds_for_credit_notes_too(books: Books) -> None:
    books.done(pay("INV1", MAX_AMOUNT - 5))

    assert books.refused(credit_bill("INV1", 6, "credit_note")).code is Code.CONFLICT
    assert books.done(credit_bill("INV1", 5, "credit_note")).amount == 5


def test_a_voided_bill_takes_no_credit(books: Books) -> None:
    books.done(void())

    assert books.refused(credit_bill()).code is Code.CONFLICT


def test_a_bill_with_a_credit_is_not_voided(books: Books) -> None:
    books.done(credit_bill("INV1", 300))
    refusal = books.refused(void())

    assert (refusal.code, "reverse its credits, which come to 300" in refusal.detail) == (Code.CONFLICT, True)


@pytest.mark.parametrize(("amount_paid", "is_taken"), [(899, False), (900, True), (1000, True)])
def test_no_correction_goes_below_payments_and_credits(amount_paid: int, is_taken: bool, books: Books) -> None:
    books.done(pay("INV1", 600))
    books.done(credit_bill("INV1", 300))
    outcome = books.decide(update_bill(amount_paid=amount_paid))

    assert isinstance(outcome, Refused) is not is_taken
    assert bill(books).amount_paid == (amount_paid if is_taken else 900)


def test_who_credits_a_bill_is_kept_whether_they_give_their_name_or_not(books: Books) -> None:
    made = books.done(credit_bill())
    undone = books.done(undo_credit(made.id, actor=JANE))

    assert [(words.object_id, words.command, words.actor.name) for words in books.state.attributions] == [
        (made.id, "credit.create", None), (undone.id, "credit.reverse", "Jane"),
    ]  # fmt: skip


def test_a_charge_keeps_no_words_where_there_are_none(books: Books) -> None:
    books.done(charge())

    assert books.state.attributions == []


# Reversals


@pytest.mark.parametrize("command", ALL)
def test_a_reversal_undoes_all_of_it_and_stays_on_the_record(command: Adjust, books: Books) -> None:
    kind, name = command.object_kind, command.name
    before = standing(books, name, kind)
    made = books.done(msgspec.structs.replace(command, external_reference="G1"))
    books.stamps.now += SECOND
    undone = books.done(undo("G1", on=name, object_kind=kind, kind=made.kind))

    after = standing(books, name, kind)
    first, second = books.posted(after.id)[-2:]
    refuse_broken(books.posted(after.id))
    assert (after.obligation.total, after.version) == (before.obligation.total, before.version + 2)
    assert (undone.reversed_at, undone.version, undone.total_after) == (NOW + SECOND, 2, made.total_after)
    assert (second.amount, second.debit, second.credit) == (-first.amount, first.credit, first.debit)
    assert (second.cause, second.document_id, second.occurred_at) == (first.cause, made.id, undone.reversed_at)
    assert books.told(after.id)[-1] == f"{kind}.updated"


def test_a_bill_is_unpaid_again_once_its_credit_is_reversed(books: Books) -> None:
    made = books.done(credit_bill("INV1", 1000))
    books.done(undo_credit(made.id))

    assert (bill(books).status, bill(books).amount_paid, bill(books).amount_credited) == (BillStatus.UNPAID, 0, 0)


def test_nothing_is_reversed_twice(books: Books) -> None:
    made = books.done(charge())
    books.done(undo(made.id))

    assert books.refused(undo(made.id)).code is Code.CONFLICT


@pytest.mark.parametrize(
    "command",
    [
        undo("chg_other"),
        undo("G1", on="other"),
        undo("G1", on="ACC1", object_kind="account"),
        undo("G1", kind="credit"),
        undo("G1", tenant=2),
    ],
)
def test_only_what_is_on_the_object_is_reversed(command: Any, books: Books) -> None:
    books.done(charge(external_reference="G1"))

    assert books.refused(command).code is Code.NOT_FOUND


def test_a_reversal_is_meant_for_the_version_that_it_names(books: Books) -> None:
    made = books.done(charge())

    assert books.refused(undo(made.id, if_match=frozenset("2"))).code is Code.PRECONDITION_FAILED
    assert books.done(undo(made.id, if_match=frozenset("1"))).version == 2


def test_no_reversal_takes_a_balance_out_of_its_bounds() -> None:
    books = Books(create("UCR1", currency="ZAR", balance=MAX_TOTAL))
    made = books.done(credit())
    books.done(charge())

    assert books.refused(undo(made.id, kind="credit")).code is Code.CONFLICT


# Refusals


@pytest.mark.parametrize("command", ALL)
def test_what_is_not_there_takes_nothing(command: Adjust, books: Books) -> None:
    assert books.refused(msgspec.structs.replace(command, name="other")).code is Code.NOT_FOUND
    assert books.refused(msgspec.structs.replace(command, tenant_id=2)).code is Code.NOT_FOUND


@pytest.mark.parametrize("command", ALL)
def test_what_has_not_happened_yet_is_invalid(command: Adjust, books: Books) -> None:
    refusal = books.refused(msgspec.structs.replace(command, occurred_at=NOW + SECOND))

    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, ["/occurred_at"])


@pytest.mark.parametrize("command", ALL)
def test_it_is_meant_for_the_version_of_the_object_that_it_names(command: Adjust, books: Books) -> None:
    stale = msgspec.structs.replace(command, if_match=frozenset({"7"}))

    assert books.refused(stale).code is Code.PRECONDITION_FAILED


@pytest.mark.parametrize("command", ALL)
def test_a_reference_is_taken_once_among_those_of_its_kind(command: Adjust, books: Books) -> None:
    named = msgspec.structs.replace(command, external_reference="X1")
    made = books.done(named)
    refusal = books.refused(named)

    assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/external_reference"])
    assert refusal.further[f"{made.kind}_id"] == made.id


def test_a_charge_and_a_credit_may_share_a_reference(books: Books) -> None:
    books.done(charge(external_reference="X1"))
    books.done(credit(external_reference="X1"))


@pytest.mark.parametrize(
    "command", [charge("UCR1", 2000, floor=0), credit_bill("INV1", 2000), charge("UCR1", currency="USD")]
)
def test_a_taken_reference_is_told_before_all_else_that_stands(command: Adjust, books: Books) -> None:
    named = msgspec.structs.replace(command, external_reference="X1")
    unread = State(knows_claims=False)
    for kind in ("customer", "bill"):
        unread.shelves[kind].load(standing(books, {"customer": "UCR1", "bill": "INV1"}[kind], kind))

    with pytest.raises(Unread):
        Books.decide(_with_state(books, unread), named)
    assert named.claims() == (Name(named.makes.kind, 1, "X1"),)


def _with_state(books: Books, state: State) -> Books:
    other = Books(stamps=books.stamps)
    other.state = state
    return other


# Any history


AMOUNTS = st.sampled_from([1, 50, 99, 100, 400, 600, 1000])


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("charge"), AMOUNTS, st.none() | st.sampled_from([-100, 0, 200])),
            st.tuples(st.just("credit"), AMOUNTS),
            st.tuples(st.just("credit_bill"), AMOUNTS, st.sampled_from(TYPES)),
            st.tuples(st.just("pay"), AMOUNTS),
            st.tuples(st.just("undo"), st.integers(0, 10)),
        ),
        max_size=20,
    )
)
def test_after_any_history_what_stands_is_what_was_charged_and_credited(history: list[Any]) -> None:
    books = Books(create("UCR1", currency="ZAR", balance=-1000), create_bill(customer="UCR1", payment_rules=ANY_AMOUNT))
    for step in history:
        happen(books, step)

    state, customer = books.state, standing(books)
    made = [*state.charges.created(), *state.credits.created()]
    effects = {
        item.id: sum(it.effect for it in made if it.object_id == item.id and not it.reversed_at)
        for item in (customer, bill(books))
    }
    refuse_broken(books.posted(customer.id))
    refuse_broken(books.posted(bill(books).id))
    assert customer.obligation.total == effects[customer.id] - 1000
    assert bill(books).amount_credited == -effects[bill(books).id] <= bill(books).amount_due
    assert bill(books).amount_paid == bill(books).amount_received + bill(books).amount_credited
    for each in made:
        moved = [transfer.amount for transfer in state.transfers if transfer.document_id == each.id]
        assert moved == [each.effect, -each.effect][: 2 if each.reversed_at else 1]


def happen(books: Books, step: Any) -> None:
    """Let one step of a history happen, if it may. What floors forbid never happens."""
    match step:
        case ("charge", amount, floor):
            outcome = books.decide(charge("UCR1", amount, floor=floor))
            is_within = floor is None or -standing(books).obligation.total >= floor
            assert is_within or isinstance(outcome, Refused)
        case ("credit", amount):
            books.decide(credit("UCR1", amount))
        case ("credit_bill", amount, credit_type):
            books.decide(credit_bill("INV1", amount, credit_type))
        case ("pay", amount):
            books.decide(pay("INV1", amount))
        case ("undo", number):
            undo_one(books, number)


def undo_one(books: Books, number: int) -> None:
    made = sorted([*books.state.charges.created(), *books.state.credits.created()], key=lambda it: it.id)
    if made:
        each = made[number % len(made)]
        books.decide(undo(each.id, on=each.object_id, object_kind=each.object_kind, kind=each.kind))
