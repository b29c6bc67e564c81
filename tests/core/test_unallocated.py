"""Money that fits nothing: received, unallocated, allocated, moved, and given back (contract, section 6)."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owed.core.outcomes import Code, Done
from owed.model.bill import BillStatus
from owed.model.payment import MAX_PAYMENT, Payment
from owed.model.payment_rules import PaymentRules
from owed.model.transfer import Cause, Transfer
from tests.core.samples import (
    JANE,
    NOW,
    SECOND,
    Books,
    allocate,
    allocate_all,
    create,
    create_account,
    create_bill,
    move,
    pay,
    places,
    receive,
    refund,
    refuse_broken,
    reverse,
    update_bill,
    void,
)

ANY_AMOUNT = PaymentRules(1, MAX_PAYMENT, underpayment_allowed=True, overpayment_allowed=True)
WHOLE_ONLY = PaymentRules(1, 5_000, underpayment_allowed=False, overpayment_allowed=False)


@pytest.fixture
def books() -> Books:
    """Books with bills of 1000 of two customers, one voided, one in dollars, and an account that owes 500."""
    return Books(
        create("UCR1", currency="ZAR", balance=0),
        create("UCR2"),
        create_account("ACC1", customer="UCR1", currency="ZAR", balance=500),
        create_bill("INV1", customer="UCR1"),
        create_bill("INV2", customer="UCR2"),
        create_bill("USD1", customer="UCR1", currency="USD"),
        create_bill("VOID", customer="UCR1"),
        void("VOID"),
    )


def of(books: Books, kind: str, name: str) -> Any:
    found = books.state.shelves[kind].find(1, name)
    assert found is not None
    return found


def parts(payment: Payment) -> list[tuple[str, int]]:
    """List what each application of a payment is on, and what it holds of it."""
    return [(each.kind, each.held) for each in payment.applications]


def told(books: Books, event_type: str) -> list[dict[str, Any]]:
    """List the data of the events of a type."""
    return [json.loads(event.body)["data"] for event in books.state.events if event.type == event_type]


def breaches(payment: Payment) -> list[tuple[str, str, int]]:
    return [(each.rule, each.object_id or f"no {each.name}", each.amount) for each in payment.rule_breaches]


def test_each_target_takes_what_it_can_and_the_rest_is_unallocated(books: Books) -> None:
    payment = books.done(receive(("bill", "INV1", 1500), ("account", "ACC1", 900), amount=3000))

    assert parts(payment) == [("bill", 1000), ("account", 900)]
    assert (payment.amount_unallocated, payment.unallocated_customer_id) == (1100, of(books, "customer", "UCR1").id)
    assert of(books, "bill", "INV1").status is BillStatus.PAID
    assert of(books, "account", "ACC1").obligation.total == -400


@pytest.mark.parametrize("target", [("bill", "VOID"), ("bill", "USD1"), ("bill", "nowhere"), ("customer", "UCR2")])
def test_a_target_that_takes_nothing_has_no_application(books: Books, target: tuple[str, str]) -> None:
    payment = books.done(receive((*target, 1000)))

    assert (payment.applications, payment.amount_unallocated) == ((), 1000)
    assert told(books, "obligation.amount_applied") == []


def test_what_a_payment_would_have_been_refused_for_is_kept_with_it_in_the_order_of_its_targets(books: Books) -> None:
    books.done(update_bill("INV1", payment_rules=WHOLE_ONLY))
    payment = books.done(
        receive(("bill", "INV1", 400), ("bill", "gone", 5), ("bill", "VOID", 6), ("customer", "UCR2", 7), amount=1000)
    )

    bill, voided, customer = of(books, "bill", "INV1"), of(books, "bill", "VOID"), of(books, "customer", "UCR2")
    assert breaches(payment) == [
        ("underpayment_allowed", bill.id, 400),
        ("not_found", "no gone", 5),
        ("voided", voided.id, 6),
        ("currency", customer.id, 7),
    ]
    assert payment.shown()["rule_breaches"][1] == {
        "rule": "not_found",
        "detail": "There is no bill with the id or external reference 'gone' for this key.",
        "bill": "gone",
        "amount": 5,
    }


def test_money_that_keeps_all_rules_is_received_as_it_would_be_paid(books: Books) -> None:
    books.done(update_bill("INV1", payment_rules=WHOLE_ONLY))
    payment = books.done(receive(("bill", "INV1", 1000)))

    assert (payment.rule_breaches, payment.amount_unallocated, payment.unallocated_customer_id) == ((), 0, None)
    assert payment.shown()["received"] is True


@pytest.mark.parametrize(
    ("owner", "expected"), [(None, "UCR2"), ("UCR1", "UCR1"), ("nobody", "UCR2")], ids=["none", "given", "absent"]
)
def test_the_rest_is_of_the_customer_that_is_named_or_else_of_the_first_target_there_is(
    books: Books, owner: str | None, expected: str
) -> None:
    payment = books.done(receive(("bill", "gone", 1), ("bill", "INV2", 900), ("bill", "INV1", 1), owner=owner))

    assert payment.unallocated_customer_id == of(books, "customer", expected).id
    assert ("not_found", "no nobody", 99) in breaches(payment) or owner != "nobody"


def test_money_of_nobody_is_received_too(books: Books) -> None:
    payment = books.done(receive(amount=250, channel="eft", actor=JANE))

    (transfer,) = books.posted(payment.id)
    assert (transfer.amount, transfer.debit, transfer.credit) == (-250, "clearing:eft", "unallocated")
    assert payment.shown()["applications"] == []
    assert "unallocated_customer_id" not in payment.shown()


def test_a_payment_that_fits_writes_no_transfer_of_its_own(books: Books) -> None:
    payment = books.done(receive(("bill", "INV1", 1000)))

    assert books.posted(payment.id) == []


def test_a_reference_that_is_taken_is_refused_though_the_money_is_received(books: Books) -> None:
    books.done(receive(amount=1, external_reference="P1"))

    assert books.refused(receive(amount=1, external_reference="P1")).code is Code.CONFLICT


def test_faults_of_form_are_refused_though_the_money_is_received(books: Books) -> None:
    repeated = receive(("bill", "INV1", 1), ("bill", of(books, "bill", "INV1").id, 1))

    assert books.refused(repeated).code is Code.INVALID_REQUEST
    assert places(books.refused(receive(amount=1, paid_at=NOW + SECOND))) == ["/paid_at"]


def test_an_allocation_applies_unallocated_money_as_a_payment_would(books: Books) -> None:
    payment = books.done(receive(amount=1500, external_reference="P1"))
    books.stamps.now += SECOND
    allocation = books.done(allocate("P1", ("bill", "INV1", 1000), ("account", "ACC1", 200), reason="found it"))

    after, bill = of(books, "payment", "P1"), of(books, "bill", "INV1")
    assert (after.amount_unallocated, after.held, after.version) == (300, 1500, 2)
    assert (bill.status, bill.amount_received) == (BillStatus.PAID, 1000)
    assert books.told(bill.id) == ["bill.created", "obligation.amount_applied", "bill.paid"]
    assert told(books, "obligation.amount_applied")[0] == {
        "id": after.applications[0].id,
        "amount": 1000,
        "currency": "ZAR",
        "payment_id": payment.id,
        "bill_id": bill.id,
        "metadata": {},
        "created_at": "2026-03-04T05:06:08.890123Z",
        "updated_at": "2026-03-04T05:06:08.890123Z",
        "allocation_id": allocation.id,
    }
    assert after.shown()["applications"][0]["allocation_id"] == allocation.id


def test_an_allocation_is_two_transfers_that_come_to_nothing_between_them(books: Books) -> None:
    payment = books.done(receive(amount=700, external_reference="P1"))
    allocation = books.done(allocate("P1", ("bill", "INV1", 700)))

    (_, off), on = books.posted(payment.id), books.posted(of(books, "bill", "INV1").id)[-1]
    assert (off.amount, off.debit, off.credit) == (700, "unallocated", "reallocation")
    assert (on.amount, on.debit, on.credit) == (-700, "reallocation", "receivable")
    assert {(each.document_id, each.payment_id, each.cause) for each in (off, on)} == {
        (allocation.id, payment.id, Cause.ALLOCATION)
    }


@pytest.mark.parametrize(("held", "expected"), [(400, 400), (1500, 1000)])
def test_all_that_fits_is_allocated_where_no_amount_is_given(books: Books, held: int, expected: int) -> None:
    books.done(receive(amount=held, external_reference="P1"))

    assert books.done(allocate_all("P1", "bill", "INV1")).amount == expected


@pytest.mark.parametrize(
    ("wanted", "place", "fits"),
    [
        ([("bill", "INV1", 1001)], "/applications/0/amount", 1000),
        ([("bill", "VOID", 1)], "/applications/0/bill", 0),
        ([("bill", "USD1", 1)], "/applications/0/bill", 0),
        ([("customer", "UCR2", 1)], "/applications/0/customer", 0),
        ([("account", "ACC1", 2001)], "/applications/0/amount", 2000),
        ([("account", "ACC1", 1), ("bill", "INV1", 1001)], "/applications/1/amount", 1000),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(
    books: Books, wanted: list[tuple[str, str, int]], place: str, fits: int
) -> None:
    books.done(receive(amount=2000, external_reference="P1"))
    refusal = books.refused(allocate("P1", *wanted))

    assert (refusal.code, places(refusal), refusal.further["fits"]) == (Code.CONFLICT, [place], fits)


def test_nothing_is_allocated_twice(books: Books) -> None:
    books.done(receive(amount=10, external_reference="P1"))
    books.done(allocate_all("P1", "bill", "INV1"))

    assert books.refused(allocate("P1", ("bill", "INV1", 1))).code is Code.CONFLICT
    assert books.refused(allocate_all("P1", "bill", "INV1")).code is Code.CONFLICT


def test_what_an_allocation_names_must_be_there(books: Books) -> None:
    books.done(receive(amount=10, external_reference="P1"))

    assert books.refused(allocate("P2", ("bill", "INV1", 1))).code is Code.PAYMENT_NOT_FOUND
    assert books.refused(allocate("P1", ("bill", "gone", 1))).code is Code.NOT_FOUND
    assert books.refused(allocate("P1", ("bill", "INV1", 1), ("bill", "INV1", 1))).code is Code.INVALID_REQUEST


def test_misposted_money_is_moved_to_where_it_belongs(books: Books) -> None:
    books.done(update_bill("INV1", payment_rules=ANY_AMOUNT))
    payment = books.done(pay("INV1", 1000, external_reference="P1"))
    moved = books.done(move("P1", payment.applications[0].id, "bill", "INV2", amount=900))

    after, wrong, right = of(books, "payment", "P1"), of(books, "bill", "INV1"), of(books, "bill", "INV2")
    assert parts(after) == [("bill", 100), ("bill", 900)]
    assert [each.shown().get("amount_taken_back") for each in after.applications] == [900, None]
    assert (wrong.status, wrong.amount_paid, right.amount_paid) == (BillStatus.UNPAID, 100, 900)
    assert told(books, "obligation.amount_reversed")[0]["move_id"] == moved.id
    assert told(books, "obligation.amount_applied")[-1]["move_id"] == moved.id
    assert moved.shown()["from"] == {"id": payment.applications[0].id, "amount": 900, "bill_id": wrong.id}
    assert moved.shown()["to"] == {"id": after.applications[1].id, "amount": 900, "bill_id": right.id}
    assert (after.status, after.held) == ("succeeded", 1000)


def test_the_credit_on_an_overpaid_bill_becomes_unallocated_money_of_its_customer(books: Books) -> None:
    books.done(update_bill("INV2", payment_rules=ANY_AMOUNT))
    payment = books.done(pay("INV2", 1200, external_reference="P1"))
    moved = books.done(move("P1", payment.applications[0].id, amount=200))

    after = of(books, "payment", "P1")
    assert (after.amount_unallocated, after.unallocated_customer_id) == (200, of(books, "customer", "UCR2").id)
    assert of(books, "bill", "INV2").amount_paid == 1000
    assert "to" not in moved.shown()


@pytest.mark.parametrize(
    ("application", "given", "code"),
    [
        ("", {"kind": "bill", "name": "INV1"}, Code.CONFLICT),
        ("", {"kind": "bill", "name": "VOID"}, Code.CONFLICT),
        ("", {"kind": "bill", "name": "gone"}, Code.NOT_FOUND),
        ("", {"amount": 1001}, Code.CONFLICT),
        ("ob_other", {}, Code.NOT_FOUND),
    ],
)
def test_a_move_that_cannot_be_is_refused(books: Books, application: str, given: dict[str, Any], code: Code) -> None:
    payment = books.done(receive(("bill", "INV1", 1000), external_reference="P1"))

    refusal = books.refused(move("P1", application or payment.applications[0].id, **given))
    assert refusal.code is code


def test_what_was_moved_away_cannot_be_moved_again(books: Books) -> None:
    payment = books.done(receive(("bill", "INV1", 1000), external_reference="P1"))
    books.done(move("P1", payment.applications[0].id))

    assert books.refused(move("P1", payment.applications[0].id)).code is Code.CONFLICT


@pytest.mark.parametrize(("take", "other"), [(refund, "refunds_payable"), (reverse, "clearing")])
def test_unallocated_money_is_taken_back_first(books: Books, take: Any, other: str) -> None:
    payment = books.done(receive(("bill", "INV1", 1000), amount=1300, external_reference="P1"))
    taken = books.done(take("P1", amount=500))

    after, last = of(books, "payment", "P1"), books.posted(payment.id)[-1]
    assert (taken.amount, taken.amount_unallocated, [each.amount for each in taken.applications]) == (500, 300, [200])
    assert (after.amount_unallocated, parts(after)) == (0, [("bill", 800)])
    assert (last.amount, last.debit, last.credit, last.taken_back_id) == (300, "unallocated", other, taken.id)


def test_what_is_taken_of_named_applications_leaves_unallocated_money_alone(books: Books) -> None:
    payment = books.done(receive(("bill", "INV1", 1000), amount=1300, external_reference="P1"))
    taken = books.done(refund("P1", (payment.applications[0].id, 10)))

    assert "amount_unallocated" not in taken.shown()
    assert of(books, "payment", "P1").amount_unallocated == 300


def test_several_applications_on_one_bill_are_taken_back_together(books: Books) -> None:
    books.done(receive(("bill", "INV1", 400), amount=900, external_reference="P1"))
    books.done(allocate("P1", ("bill", "INV1", 500)))
    books.done(refund("P1"))

    bill = of(books, "bill", "INV1")
    assert (bill.amount_paid, bill.obligation.total) == (0, 1000)
    refuse_broken(books.posted(bill.id))


def test_who_reallocated_money_is_always_on_record(books: Books) -> None:
    books.done(receive(amount=100, external_reference="P1"))
    allocation = books.done(allocate("P1", ("bill", "INV1", 100)))
    books.done(move("P1", of(books, "payment", "P1").applications[0].id))

    assert [each.command for each in books.state.attributions][-2:] == ["allocation.create", "move.create"]
    assert books.state.attributions[-2].object_id == allocation.id


def conserved(books: Books, payment: Payment) -> None:
    """Assert that all of a payment is somewhere, and that the ledger says so."""
    held = sum(each.held for each in payment.applications)
    taken_back = payment.amount_refunded + payment.amount_reversed
    assert payment.amount == held + payment.amount_unallocated + taken_back
    assert payment.amount_unallocated >= 0
    assert all(each.held >= 0 for each in payment.applications)
    assert payment.amount_unallocated == -sum(each.amount for each in books.posted(payment.id))
    refuse_broken(books.posted(payment.id))


def accounts(transfers: list[Transfer]) -> Counter[str]:
    """Give debits less credits, by account."""
    totals = Counter[str]()
    for each in transfers:
        totals[each.debit] += abs(each.amount)
        totals[each.credit] -= abs(each.amount)
    return totals


TARGETS = st.sampled_from(
    [("bill", "INV1"), ("bill", "INV2"), ("bill", "VOID"), ("bill", "gone"), ("account", "ACC1"), ("customer", "UCR1")]
)
AMOUNT = st.integers(1, 1500)
STEPS = st.lists(
    st.tuples(st.sampled_from(["allocate", "all", "move", "aside", "refund", "reverse"]), TARGETS, AMOUNT, AMOUNT),
    max_size=12,
)


@given(
    wanted=st.lists(st.tuples(TARGETS, AMOUNT), max_size=4, unique_by=lambda each: each[0]), more=AMOUNT, steps=STEPS
)
def test_all_of_a_payment_is_somewhere_whatever_is_done_with_it(
    wanted: list[tuple[tuple[str, str], int]], more: int, steps: list[tuple[str, tuple[str, str], int, int]]
) -> None:
    books = Books(
        create("UCR1", currency="ZAR", balance=0),
        create_account("ACC1", customer="UCR1", currency="ZAR"),
        *(create_bill(reference, customer="UCR1") for reference in ("INV1", "INV2", "VOID")),
        void("VOID"),
    )
    amount = more + sum(part for _, part in wanted)
    books.done(receive(*((*target, part) for target, part in wanted), amount=amount, external_reference="P1"))
    conserved(books, of(books, "payment", "P1"))
    for step in steps:
        act(books, *step)
        conserved(books, of(books, "payment", "P1"))

    totals, owed = accounts(books.state.transfers), Counter[str]()
    for name in (("bill", "INV1"), ("bill", "INV2"), ("bill", "VOID"), ("account", "ACC1"), ("customer", "UCR1")):
        refuse_broken(books.posted(of(books, *name).id))
        owed["receivable"] += of(books, *name).obligation.total
    assert totals["receivable"] == owed["receivable"]
    assert totals["unallocated"] == -of(books, "payment", "P1").amount_unallocated
    assert totals["reallocation"] == 0


def act(books: Books, verb: str, target: tuple[str, str], amount: int, which: int) -> None:
    """Do something with the payment, or see it refused."""
    applications = of(books, "payment", "P1").applications
    application = applications[which % len(applications)].id if applications else "ob_none"
    command: Any = {
        "allocate": allocate("P1", (*target, amount)),
        "all": allocate_all("P1", *target),
        "move": move("P1", application, *target, amount=amount),
        "aside": move("P1", application),
        "refund": refund("P1", amount=amount),
        "reverse": reverse("P1", amount=amount),
    }[verb]
    outcome = books.decide(command)
    assert isinstance(outcome, Done) or outcome.code in {Code.CONFLICT, Code.NOT_FOUND}
