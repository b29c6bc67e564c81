"""Payments: how one is decided, and what it does to what it pays (contract, sections 5 to 7)."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from owed.core.journal import Journal
from owed.core.outcomes import Code, Done, Fault, Refused
from owed.core.payments import Pay
from owed.core.rules import Range
from owed.core.state import Name, State, Unread
from owed.model import search
from owed.model.bill import Bill, BillStatus
from owed.model.billing_object import BillingObject
from owed.model.payment import MAX_PAYMENT, Payment
from owed.model.payment_rules import PaymentRules
from owed.model.transfer import Cause, Transfer
from tests.core.samples import (
    JANE,
    NOW,
    RULES,
    SECOND,
    Books,
    create,
    create_account,
    create_bill,
    pay,
    pay_many,
    places,
    refuse_broken,
    update,
    update_account,
    update_bill,
    void,
)

UNPAID, PAID = BillStatus.UNPAID, BillStatus.PAID
ANY_AMOUNT = PaymentRules(1, MAX_PAYMENT, underpayment_allowed=True, overpayment_allowed=True)
ATTEMPT = {"channel": "eft", "external_reference": "R1"}
YESTERDAY = NOW - timedelta(days=1)


@pytest.fixture
def books() -> Books:
    """Books with a customer and an account of his, who each owe 500, and a bill of 1000 on each of them."""
    return Books(
        create("UCR1", currency="ZAR", balance=500),
        create_account("ACC1", customer="UCR1", currency="ZAR", balance=500),
        create_bill("INV1", customer="UCR1"),
        create_bill("INV2", account="ACC1"),
    )


def standing(books: Books, name: str = "INV1", kind: str = "bill") -> Any:
    item = books.state.shelves[kind].find(1, name)
    assert item is not None
    return item


def told(books: Books, name: str = "INV1", kind: str = "bill") -> list[str]:
    """List what events have told of an object since it was created."""
    return books.told(standing(books, name, kind).id)[1:]


def data_of(books: Books, object_id: str, event_type: str) -> list[dict[str, Any]]:
    """List what the events of one type tell of an object."""
    events = [event for event in books.state.events if (event.object_id, event.type) == (object_id, event_type)]
    return [json.loads(event.body)["data"] for event in events]


def moves(books: Books, name: str, kind: str) -> list[tuple[Cause, int]]:
    """List what has moved on an obligation."""
    posted = books.posted(standing(books, name, kind).id)
    refuse_broken(posted)
    return [(transfer.cause, transfer.amount) for transfer in posted]


# What a payment is


def test_a_payment_has_every_member_in_the_order_of_the_contract(books: Books) -> None:
    given: dict[str, Any] = {
        "external_reference": "R1",
        "channel": "eft",
        "method": "debit_order",
        "provider_reference": "No 7/é",
        "metadata": {"run": "7"},
        "paid_at": YESTERDAY,
    }
    payment: Payment = books.done(pay("INV1", 400, **given))

    (application,) = payment.applications
    bill_id = standing(books).id
    assert [*payment.shown().items()] == [
        ("id", payment.id),
        ("status", "succeeded"),
        ("amount", 400),
        ("amount_refunded", 0),
        ("amount_reversed", 0),
        ("amount_unallocated", 0),
        ("currency", "ZAR"),
        ("bill_id", bill_id),
        ("applications", [{"id": application.id, "amount": 400, "bill_id": bill_id}]),
        *given.items(),
        ("created_at", NOW),
    ]
    assert (payment.id[:4], application.id[:3], payment.version, payment.updated_at) == ("pay_", "ob_", 1, NOW)


def test_what_is_not_given_of_a_payment_is_absent_and_it_was_paid_now(books: Books) -> None:
    payment: Payment = books.done(pay())

    absent = {"external_reference", "channel", "method", "provider_reference", "metadata"}
    assert payment.shown().keys().isdisjoint(absent)
    assert payment.paid_at == payment.created_at == NOW


@pytest.mark.parametrize(("kind", "name"), [("bill", "INV1"), ("account", "ACC1"), ("customer", "UCR1")])
@pytest.mark.parametrize("by_id", [True, False])
def test_what_one_payment_pays_is_named_beside_it_and_in_its_application(
    books: Books, kind: str, name: str, *, by_id: bool
) -> None:
    item = standing(books, name, kind)
    shown = books.done(pay(item.id if by_id else name, 500, kind=kind)).shown()

    assert shown[f"{kind}_id"] == shown["applications"][0][f"{kind}_id"] == item.id
    assert [key for key in shown if key.endswith("_id")] == [f"{kind}_id"]


def test_what_several_are_paid_is_named_in_the_applications_alone_in_the_order_of_the_request(books: Books) -> None:
    parts = [("account", "ACC1", 1), ("bill", "INV2", 2), ("customer", "UCR1", 3), ("bill", "INV1", 4)]
    payment: Payment = books.done(pay_many(*parts))
    shown = payment.shown()

    assert [{**each, "id": ""} for each in shown["applications"]] == [
        {"id": "", "amount": amount, f"{kind}_id": standing(books, name, kind).id} for kind, name, amount in parts
    ]
    assert not [key for key in shown if key.endswith("_id")]
    assert (payment.amount, payment.amount_unallocated) == (10, 0)
    ids = [each["id"] for each in shown["applications"]]
    assert ids == sorted({*ids})  # each an id of its own, in their order


def test_a_payment_is_found_by_all_that_it_pays_and_by_all_whose_that_is(books: Books) -> None:
    """Section 6: the payments of a customer are those of all that is under it, too."""
    ids = {
        name: standing(books, name, kind).id
        for kind, name in (("customer", "UCR1"), ("account", "ACC1"), ("bill", "INV2"))
    }
    pays = {("bill", "INV2"): [*ids], ("account", "ACC1"): ["UCR1", "ACC1"], ("customer", "UCR1"): ["UCR1"]}

    for (kind, name), expected in pays.items():
        terms = {*books.done(pay(name, 1, kind=kind)).terms()}
        assert [name for name, each in ids.items() if search.owner_term(each) in terms] == expected


def test_a_payment_names_what_must_be_loaded_and_claims_its_reference_in_its_channel() -> None:
    command = pay_many(("bill", "INV1", 1), ("account", "ACC1", 2))

    assert command.reads() == (Name("bill", 1, "INV1"), Name("account", 1, "ACC1"))
    assert command.claims() == ()
    assert pay(external_reference="R1", channel="eft").claims() == (Name("payment", 1, "eft:R1"),)
    assert pay(external_reference="R1").claims() == (Name("payment", 1, ":R1"),)
    assert pay(channel="eft").claims() == ()


# What it does to a bill


@pytest.mark.parametrize(
    ("amounts", "status", "remaining", "expected"),
    [
        ([1], UNPAID, 999, ["applied"]),
        ([999], UNPAID, 1, ["applied"]),
        ([1000], PAID, 0, ["applied", "paid"]),
        ([400, 600], PAID, 0, ["applied", "applied", "paid"]),
        ([400, 599], UNPAID, 1, ["applied", "applied"]),
        ([1001], PAID, 0, ["applied", "paid"]),
        ([400, 5000], PAID, 0, ["applied", "applied", "paid"]),
        ([1000, 1], PAID, 0, ["applied", "paid", "applied"]),  # it was paid already
    ],
)
def test_what_remains_of_a_bill_and_its_status_follow_what_is_paid(
    books: Books, amounts: list[int], status: BillStatus, remaining: int, expected: list[str]
) -> None:
    books.done(update_bill(payment_rules=ANY_AMOUNT))
    for amount in amounts:
        books.done(pay("INV1", amount))

    bill: Bill = standing(books)
    assert (bill.status, bill.amount_remaining) == (status, remaining)
    assert (bill.amount_paid, bill.amount_received, bill.obligation.total) == (*[sum(amounts)] * 2, 1000 - sum(amounts))
    assert moves(books, "INV1", "bill")[1:] == [(Cause.PAYMENT, -amount) for amount in amounts]
    names = {"applied": "obligation.amount_applied", "paid": "bill.paid"}
    assert told(books)[1:] == [names[word] for word in expected]


def test_every_payment_is_a_new_version_of_what_it_pays_at_a_new_time(books: Books) -> None:
    before = standing(books)
    books.stamps.now += SECOND
    books.done(pay())

    bill: Bill = standing(books)
    assert (bill.version, bill.event_sequence, bill.obligation.version) == (2, 3, 2)
    assert (before.updated_at, bill.updated_at) == (NOW, NOW + SECOND)


def test_what_was_paid_elsewhere_and_what_was_paid_here_add_up(books: Books) -> None:
    books.done(update_bill(amount_paid=300))
    books.done(pay("INV1", 200))
    books.done(update_bill(amount_paid=600))

    bill: Bill = standing(books)
    assert (bill.amount_paid, bill.amount_received, bill.amount_remaining) == (600, 200, 400)
    assert moves(books, "INV1", "bill")[1:] == [
        (Cause.CORRECTION, -300),
        (Cause.PAYMENT, -200),
        (Cause.CORRECTION, -100),
    ]


@pytest.mark.parametrize("amount_paid", [0, 199])
def test_what_payments_hold_cannot_be_corrected_away(books: Books, amount_paid: int) -> None:
    """Section 4: PATCH gives the absolute value; below what payments through Owed hold: 409."""
    books.done(update_bill(amount_paid=300))
    books.done(pay("INV1", 200))

    refusal = books.refused(update_bill(amount_paid=amount_paid))
    assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/amount_paid"])
    assert books.done(update_bill(amount_paid=200)).amount_paid == 200


def test_a_bill_that_a_payment_is_on_cannot_be_voided_nor_change_its_currency(books: Books) -> None:
    books.done(pay("INV1", 1))

    assert [books.refused(command).code for command in (void(), update_bill(currency="USD"))] == [Code.CONFLICT] * 2


# What it does to a balance


@pytest.mark.parametrize(("kind", "name"), [("account", "ACC1"), ("customer", "UCR1")])
@pytest.mark.parametrize(
    ("balance", "amounts", "after"),
    [
        (500, [500], 0),
        (500, [1], 499),
        (500, [499, 1], 0),
        (500, [700], -200),  # the overpayment is a credit
        (0, [700], -700),
        (-200, [1], -201),
    ],
)
def test_a_balance_falls_by_what_is_paid(
    books: Books, kind: str, name: str, balance: int, amounts: list[int], after: int
) -> None:
    change = {"account": update_account, "customer": update}[kind]
    books.done(change(payment_rules=ANY_AMOUNT))
    books.done(change(balance=balance))
    before = len(moves(books, name, kind))
    for amount in amounts:
        books.done(pay(name, amount, kind=kind))

    assert standing(books, name, kind).shown()["balance"] == after
    assert moves(books, name, kind)[before:] == [(Cause.PAYMENT, -amount) for amount in amounts]
    assert told(books, name, kind)[-len(amounts) :] == ["obligation.amount_applied"] * len(amounts)


def test_where_no_balance_is_tracked_the_total_runs_all_the_same_and_tracking_starts_from_it() -> None:
    """Section 6: a running total runs wherever there is a currency."""
    books = Books(create("UCR1", currency="ZAR"), pay("UCR1", 300, kind="customer"), pay("UCR1", 50, kind="customer"))

    customer = standing(books, "UCR1", "customer")
    assert ("balance" in customer.shown(), customer.obligation.total) == (False, -350)
    books.done(update(balance=100))
    assert moves(books, "UCR1", "customer") == [(Cause.PAYMENT, -300), (Cause.PAYMENT, -50), (Cause.OPENING, 450)]


def test_a_currency_that_a_payment_used_cannot_change_though_no_balance_is_tracked() -> None:
    books = Books(create("UCR1", currency="ZAR"), pay("UCR1", 300, kind="customer"))

    assert books.refused(update(currency="USD")).code == Code.CONFLICT


def test_a_payment_of_a_bill_moves_no_balance_and_one_of_a_balance_pays_no_bill(books: Books) -> None:
    """Section 4: bills and balances are separate obligations."""
    account, customer, bill = (standing(books, *it) for it in (("ACC1", "account"), ("UCR1", "customer"), ("INV2",)))
    books.done(pay("INV2", 1000))
    assert (standing(books, "ACC1", "account"), standing(books, "UCR1", "customer")) == (account, customer)

    paid = standing(books, "INV2")
    books.done(pay("ACC1", 500, kind="account"))
    assert (standing(books, "INV2"), standing(books, "UCR1", "customer")) == (paid, customer)
    assert paid != bill


# The ledger


@pytest.mark.parametrize(("channel", "clearing"), [(None, "clearing"), ("eft", "clearing:eft")])
def test_the_money_of_each_channel_is_cleared_apart(books: Books, channel: str | None, clearing: str) -> None:
    payment: Payment = books.done(pay_many(("bill", "INV1", 10), ("customer", "UCR1", 20), channel=channel))

    transfers = [books.posted(each.object_id)[-1] for each in payment.applications]
    assert [(transfer.cause, transfer.debit, transfer.credit, transfer.amount) for transfer in transfers] == [
        (Cause.PAYMENT, clearing, "receivable", -10),
        (Cause.PAYMENT, clearing, "receivable", -20),
    ]
    assert {(transfer.payment_id, transfer.taken_back_id) for transfer in transfers} == {(payment.id, None)}


def test_a_transfer_happened_when_the_payer_paid_and_was_recorded_when_we_heard(books: Books) -> None:
    books.done(pay("INV1", 10, paid_at=YESTERDAY))
    books.stamps.now += SECOND
    books.done(pay("INV1", 10))

    times = [(transfer.occurred_at, transfer.recorded_at) for transfer in books.posted(standing(books).id)[1:]]
    now = NOW + SECOND
    assert [times[0][0], times[1][0], times[1][1]] == [YESTERDAY, now, now]
    assert NOW < times[0][1] < now


def test_what_only_payments_moved_was_sealed_as_all_else(books: Books) -> None:
    for amount in (1, 2, 3):
        books.done(pay_many(("bill", "INV1", amount), ("account", "ACC1", amount), ("customer", "UCR1", amount)))

    for kind, name in (("bill", "INV1"), ("account", "ACC1"), ("customer", "UCR1")):
        assert moves(books, name, kind)[1:] == [(Cause.PAYMENT, -amount) for amount in (1, 2, 3)]


def test_what_no_payment_moved_is_sealed_as_it_was_before_there_were_payments(books: Books) -> None:
    """Or the chains of an older version would not verify."""
    books.done(pay())
    raised, paid = books.posted(standing(books).id)

    members = Transfer.__struct_fields__[:-1]
    assert members[-3:] == ("payment_id", "taken_back_id", "document_id")
    for transfer, sealed, previous in ((raised, members[:-3], b""), (paid, members[:-1], raised.hash)):
        line = msgspec.json.encode([getattr(transfer, member) for member in sealed])
        assert transfer.hash == hashlib.sha256(previous + line).digest()


def test_who_took_a_payment_is_kept_once_and_proved_by_every_transfer_of_it(books: Books) -> None:
    payment: Payment = books.done(pay_many(("bill", "INV1", 10), ("customer", "UCR1", 20), actor=JANE))

    (words,) = books.state.attributions
    assert (words.object_id, words.command, words.recorded_at) == (payment.id, "payment.create", NOW)
    transfers = [books.posted(each.object_id)[-1] for each in payment.applications]
    assert [transfer.attribution_id for transfer in transfers] == [words.id] * 2


# Events


def test_an_amount_that_was_applied_is_told_as_documented(books: Books) -> None:
    """Section 7, [M]: the members and no others."""
    parts = [("bill", "INV1", 10), ("account", "ACC1", 20)]
    payment: Payment = books.done(pay_many(*parts, metadata={"a": "b"}, paid_at=YESTERDAY))

    at = msgspec.to_builtins(NOW)
    for application in payment.applications:
        assert data_of(books, application.object_id, "obligation.amount_applied") == [
            {
                "id": application.id,
                "amount": application.amount,
                "currency": "ZAR",
                "payment_id": payment.id,
                f"{application.kind}_id": application.object_id,
                "metadata": {"a": "b"},
                "created_at": at,
                "updated_at": at,
            }
        ]


def test_metadata_that_is_not_given_is_told_as_empty(books: Books) -> None:
    books.done(pay())

    assert data_of(books, standing(books).id, "obligation.amount_applied")[0]["metadata"] == {}


def test_a_bill_that_is_settled_is_told_after_the_amount_as_it_stands_then(books: Books) -> None:
    books.done(pay_many(("bill", "INV1", 1000), ("bill", "INV2", 999)))

    bill: Bill = standing(books)
    applied, paid = [event for event in books.state.events if event.object_id == bill.id][1:]
    assert [(event.type, event.sequence) for event in (applied, paid)] == [
        ("obligation.amount_applied", 2),
        ("bill.paid", 3),
    ]
    assert applied.id < paid.id
    assert json.loads(paid.body)["data"] == msgspec.to_builtins(bill.shown())
    assert told(books, "INV2") == ["obligation.amount_applied"]


def test_a_payment_has_no_event_of_its_own(books: Books) -> None:
    before = len(books.state.events)
    books.done(pay_many(("bill", "INV1", 1), ("account", "ACC1", 2), ("customer", "UCR1", 3)))

    assert [event.type for event in books.state.events[before:]] == ["obligation.amount_applied"] * 3


# Many at once: all or none


def test_one_payment_pays_a_hundred_bills(books: Books) -> None:
    for number in range(100):
        books.done(create_bill(f"B{number}", customer="UCR1", amount_due=number + 1))
    payment: Payment = books.done(pay_many(*(("bill", f"B{number}", number + 1) for number in range(100))))

    assert (payment.amount, len(payment.applications)) == (5050, 100)
    assert {standing(books, f"B{number}").status for number in range(100)} == {PAID}


@pytest.mark.parametrize("refused", [(0,), (1,), (2,), (0, 2), (0, 1, 2)])
def test_where_one_part_is_refused_nothing_is_paid_and_each_refusal_has_its_place(
    books: Books, refused: tuple[int, ...]
) -> None:
    kinds, names, owed = ("bill", "account", "customer"), ("INV1", "ACC1", "UCR1"), (1000, 500, 500)
    amounts = [amount + (number in refused) for number, amount in enumerate(owed)]
    refusal = books.refused(pay_many(*zip(kinds, names, amounts, strict=True)))

    assert refusal.code == Code.PAYMENT_REFUSED
    assert {*places(refusal)} == {f"/applications/{number}/amount" for number in refused}
    applications = refusal.further["applications"]
    assert [each["allowed"] for each in applications] == [number not in refused for number in range(3)]
    ids = [standing(books, name, kind).id for kind, name in zip(kinds, names, strict=True)]
    assert [each[f"{kind}_id"] for kind, each in zip(kinds, applications, strict=True)] == ids
    assert [each["amount"] for each in applications] == amounts


def test_the_parts_of_a_payment_are_judged_each_by_its_own_rules() -> None:
    """What is told of the whole is what is told of the first part that is refused."""
    strict = PaymentRules(100, 1000, underpayment_allowed=False, overpayment_allowed=False)
    books = Books(
        create("UCR1", currency="ZAR", balance=500, payment_rules=None),
        create_bill("INV1", customer="UCR1"),
        create_bill("INV2", customer="UCR1", payment_rules=strict),
        create_bill("INV3", customer="UCR1", currency="USD"),
    )
    parts = [("bill", "INV1", 7), ("bill", "INV2", 99), ("customer", "UCR1", 1), ("bill", "INV3", 1)]
    refusal = books.refused(pay_many(*parts))

    assert places(refusal) == [
        "/applications/1/amount", "/applications/1/amount", "/applications/2/customer", "/currency",
    ]  # fmt: skip
    further = refusal.further
    assert (further["rule"], further["would_pass"], "settles" in further) == ("min_amount", Range(1000, 1000), False)
    assert further["rules"] == ["not_payable", "currency", "min_amount", "underpayment_allowed"]
    own = [([*each["rules"]], each.get("would_pass")) for each in further["applications"]]
    assert own == [
        ([], Range(1, 1000)),
        (["min_amount", "underpayment_allowed"], Range(1000, 1000)),
        (["not_payable"], None),
        (["currency"], None),
    ]


# Refusals


def test_a_refusal_says_what_would_pass_and_what_settles(books: Books) -> None:
    rules = PaymentRules(600, 2000, underpayment_allowed=True, overpayment_allowed=True)
    books.done(update_account(payment_rules=rules))
    refusal = books.refused(pay("ACC1", 501, kind="account"))

    assert (refusal.code, places(refusal)) == (Code.PAYMENT_REFUSED, ["/amount"])
    assert refusal.further == {
        "rule": "min_amount", "rules": ["min_amount"], "would_pass": Range(600, 2000), "settles": 500,
    }  # fmt: skip
    assert "600 to 2000" in refusal.detail
    assert "500" in refusal.detail


@pytest.mark.parametrize(
    ("change", "given", "expected"),
    [
        (update_bill(payment_rules=None), {}, [("not_payable", "/bill")]),
        (void(), {}, [("voided", "/bill")]),
        (update_bill(), {"currency": "USD"}, [("currency", "/currency")]),
        (update_bill(payment_rules=RULES), {"amount": 99},
         [("min_amount", "/amount"), ("underpayment_allowed", "/amount")]),
        (update_bill(payment_rules=RULES), {"amount": 5001}, [("max_amount", "/amount")]),
        (update_bill(), {"amount": 1001}, [("max_amount", "/amount"), ("overpayment_allowed", "/amount")]),
    ],
)  # fmt: skip
def test_every_rule_that_refuses_is_named_with_its_place_and_the_first_is_the_rule(
    books: Books, change: Any, given: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    books.done(change)
    refusal = books.refused(pay("INV1", given.pop("amount", 1000), **given))

    assert [*zip(refusal.further["rules"], places(refusal), strict=True)] == expected
    assert refusal.further["rule"] == expected[0][0]
    assert refusal.detail == refusal.faults[0].detail


def test_an_object_without_a_currency_cannot_be_paid(books: Books) -> None:
    books.done(create("UCR2"))
    refusal = books.refused(pay("UCR2", 1, kind="customer"))

    assert (refusal.further, places(refusal)) == ({"rule": "currency", "rules": ["currency"]}, ["/currency"])


def test_each_refusal_comes_in_its_turn(books: Books) -> None:
    """Section 1.1: validation, then 404 of what the body names, then 409; the rules come last."""
    books.done(pay("INV1", 1, **ATTEMPT))
    wrong, absent, taken = {"paid_at": NOW + SECOND}, ("bill", "nobody", 1), ATTEMPT
    beyond = ("bill", "INV2", 1001)

    outcomes = [
        books.refused(pay_many(absent, beyond, **wrong, **taken)).code,
        books.refused(pay_many(absent, beyond, **taken)).code,
        books.refused(pay_many(beyond, ("bill", "INV1", 1), **taken)).code,
        books.refused(pay_many(beyond, ("bill", "INV1", 1))).code,
    ]
    assert outcomes == [Code.INVALID_REQUEST, Code.NOT_FOUND, Code.CONFLICT, Code.PAYMENT_REFUSED]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([("bill", "nobody", 1)], ["/applications/0/bill"]),
        ([("bill", "INV1", 1), ("account", "nobody", 1)], ["/applications/1/account"]),
        ([("customer", "x", 1), ("bill", "INV1", 1), ("bill", "x", 1)],
         ["/applications/0/customer", "/applications/2/bill"]),
        ([("bill", "ACC1", 1)], ["/applications/0/bill"]),  # an account is no bill
    ],
)  # fmt: skip
def test_all_that_is_named_and_does_not_exist_is_told_at_its_place(
    books: Books, parts: list[tuple[str, str, int]], expected: list[str]
) -> None:
    refusal = books.refused(pay_many(*parts))

    assert (refusal.code, places(refusal)) == (Code.NOT_FOUND, expected)


def test_what_a_payment_alone_names_is_missed_where_it_is_named(books: Books) -> None:
    assert places(books.refused(pay("nobody"))) == ["/bill"]
    assert places(books.refused(pay("nobody", kind="account"))) == ["/account"]


def test_the_objects_of_another_tenant_cannot_be_paid(books: Books) -> None:
    for name in ("INV1", standing(books).id):
        assert books.refused(pay(name, tenant=2)).code == Code.NOT_FOUND


def test_the_same_object_is_given_once_by_whatever_name(books: Books) -> None:
    bill_id = standing(books).id
    names = ("INV1", "INV2", bill_id, "INV1", "nobody", "nobody")
    refusal = books.refused(pay_many(*(("bill", name, 1) for name in names)))

    assert refusal.code == Code.INVALID_REQUEST
    assert places(refusal) == [f"/applications/{number}/bill" for number in (2, 3, 5)]
    assert ["/applications/0/bill" in fault.detail for fault in refusal.faults] == [True, True, False]
    assert places(books.refused(pay_many(("bill", "INV1", 1), ("bill", bill_id, 1)))) == ["/applications/1/bill"]


def test_objects_of_different_kinds_may_have_one_reference() -> None:
    books = Books(
        create("SAME", currency="ZAR", balance=5),
        create_account("SAME", customer="SAME", currency="ZAR", balance=5),
        create_bill("SAME", account="SAME"),
    )

    assert len(books.done(pay_many(*((kind, "SAME", 5) for kind in ("customer", "account", "bill")))).applications) == 3


def test_the_form_of_a_request_is_refused_whatever_stands(books: Books) -> None:
    faults = (Fault("/amount", "This is no integer."),)
    command = Pay(
        tenant_id=1, actor=JANE, currency=UNSET, faults=faults, metadata=dict.fromkeys("abcdefghijklmnopqrstu", "")
    )

    refusal = books.refused(command)
    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, ["/amount", "/metadata"])


@pytest.mark.parametrize(
    ("later", "expected"),
    [(-SECOND, []), (timedelta(0), []), (timedelta(microseconds=1), ["/paid_at"]), (SECOND, ["/paid_at"])],
)
def test_nobody_has_paid_in_the_future(books: Books, later: timedelta, expected: list[str]) -> None:
    outcome = books.decide(pay(paid_at=NOW + later))

    assert (places(outcome) if isinstance(outcome, Refused) else []) == expected


# Currencies


def test_a_currency_that_is_no_longer_active_pays_what_stands_in_it() -> None:
    """Section 1.1: checked when a value is first given, never again for a value that stands."""
    books = Books(create(), create_bill("INV1", customer="UCR1"), create_bill("INV2", customer="UCR1"))
    kuna = msgspec.structs.replace(standing(books).obligation, currency="HRK")
    books.state = State([msgspec.structs.replace(standing(books), obligation=kuna), standing(books, "INV2")])

    assert books.done(pay("INV1", currency="HRK")).currency == "HRK"
    assert places(books.refused(pay("INV2", currency="HRK"))) == ["/currency"]
    assert books.refused(pay("INV2", currency="HRK")).code == Code.INVALID_REQUEST
    assert books.refused(pay("INV2", currency="USD")).code == Code.PAYMENT_REFUSED
    mixed = books.refused(pay_many(("bill", "INV2", 1), ("bill", "INV1", 1), currency="HRK"))
    assert (mixed.code, mixed.further["rule"]) == (Code.PAYMENT_REFUSED, "currency")


# References


@pytest.mark.parametrize(
    ("first", "second", "is_taken"),
    [
        ({"channel": "eft"}, {"channel": "eft"}, True),
        ({}, {}, True),
        ({"channel": "eft"}, {"channel": "card"}, False),
        ({"channel": "eft"}, {}, False),
        ({}, {"channel": "eft"}, False),
        ({"external_reference": "R2"}, {}, False),
        ({"external_reference": None}, {"external_reference": None}, False),
        ({"external_reference": None, "channel": "eft"}, {"channel": "eft"}, False),
        ({"method": "cash"}, {"method": "card"}, True),
    ],
)
def test_a_reference_is_of_one_payment_in_each_channel_and_none_counts_as_one(
    books: Books, first: dict[str, Any], second: dict[str, Any], *, is_taken: bool
) -> None:
    payment = books.done(pay("INV1", 1, **{"external_reference": "R1", **first}))
    outcome = books.decide(pay("INV2", 1, **{"external_reference": "R1", **second}))

    if is_taken:
        assert isinstance(outcome, Refused)
        assert (outcome.code, places(outcome)) == (Code.CONFLICT, ["/external_reference"])
        assert outcome.further == {"payment_id": payment.id}
    else:
        assert isinstance(outcome, Done)


def test_a_reference_is_free_for_another_tenant(books: Books) -> None:
    books.done(create("UCR9", tenant=2, currency="ZAR", balance=5))
    books.done(pay("INV1", 1, **ATTEMPT))

    assert isinstance(books.decide(pay("UCR9", 1, kind="customer", tenant=2, **ATTEMPT)), Done)


def test_a_second_attempt_of_a_file_learns_that_the_first_has_paid(books: Books) -> None:
    """Told before the rules: that the bill is paid already would be no help."""
    first = books.done(pay("INV1", 1000, **ATTEMPT))

    refusal = books.refused(pay("INV1", 1000, **ATTEMPT))
    assert (refusal.code, refusal.further) == (Code.CONFLICT, {"payment_id": first.id})


def test_a_payment_may_have_the_id_of_another_as_its_reference(books: Books) -> None:
    first = books.done(pay("INV1", 1))
    second = books.done(pay("INV1", 1, external_reference=first.id))

    assert books.state.payments.find(1, first.id) == first  # the id is tried first
    assert books.state.payments.find(1, second.id) == second


def test_a_reference_alone_stands_for_the_newest_payment_of_several_channels(books: Books) -> None:
    payments = [books.done(pay("INV1", 1, external_reference="R1", channel=channel)) for channel in ("b", None, "a")]

    shelf = books.state.payments
    assert shelf.find(1, "R1") == payments[-1]
    assert [shelf.find(1, name) for name in ("b:R1", ":R1", "a:R1")] == payments
    assert State(reversed(payments)).payments.find(1, "R1") == payments[-1]


# A batch: each command is decided on what the ones before have made of the state


def in_a_batch(books: Books, *commands: Any, knows_claims: bool = True) -> list[str]:
    """Decide commands on what was loaded once, and say what became of each."""
    loaded = [item for shelf in books.state.shelves.values() for item in shelf.created()]
    books.state = State(loaded, knows_claims=knows_claims)
    outcomes = [books.decide(command) for command in commands]
    return [outcome.code if isinstance(outcome, Refused) else "done" for outcome in outcomes]


def test_of_two_full_payments_of_one_bill_in_a_batch_the_second_is_refused(books: Books) -> None:
    assert in_a_batch(books, pay(), pay()) == ["done", Code.PAYMENT_REFUSED]

    ((before, after),) = books.state.bills.changed()
    assert (before.version, after.version, after.amount_paid) == (1, 2, 1000)
    assert len(books.state.payments.created()) == len(books.state.transfers) == 1


def test_part_payments_of_one_bill_in_a_batch_pay_until_nothing_remains(books: Books) -> None:
    outcomes = in_a_batch(books, *(pay("INV1", 300) for _ in range(4)), pay("INV1", 100), pay("INV1", 1))

    refused = Code.PAYMENT_REFUSED
    assert outcomes == ["done", "done", "done", refused, "done", refused]
    assert told(books) == [*["obligation.amount_applied"] * 3, "bill.paid"]
    assert [transfer.total_after for transfer in books.state.transfers] == [700, 400, 100, 0]


def test_a_hundred_payments_of_one_account_in_a_batch_all_land(books: Books) -> None:
    books.done(update_account(payment_rules=ANY_AMOUNT))
    assert in_a_batch(books, *(pay("ACC1", amount, kind="account") for amount in range(1, 101))) == ["done"] * 100

    ((before, after),) = books.state.accounts.changed()
    assert (after.obligation.balance, after.version - before.version) == (500 - 5050, 100)
    assert [event.sequence for event in books.state.events] == [
        *range(before.event_sequence + 1, after.event_sequence + 1)
    ]
    versions = [transfer.version for transfer in books.state.transfers]
    assert versions == [*range(before.obligation.version + 1, after.obligation.version + 1)]


def test_of_two_payments_with_one_reference_in_a_batch_the_second_names_the_first(books: Books) -> None:
    assert in_a_batch(books, pay("INV1", 1, **ATTEMPT), pay("INV2", 1, **ATTEMPT)) == ["done", Code.CONFLICT]

    (payment,) = books.state.payments.created()
    assert payment.applications[0].object_id == standing(books).id


def test_a_reference_is_still_free_after_a_payment_that_was_refused(books: Books) -> None:
    outcomes = in_a_batch(books, pay("INV1", 1001, **ATTEMPT), pay("INV1", 1000, **ATTEMPT))

    assert outcomes == [Code.PAYMENT_REFUSED, "done"]


def test_a_bill_that_is_made_in_a_batch_is_paid_voided_and_refused_in_it(books: Books) -> None:
    outcomes = in_a_batch(
        books,
        create_bill("NEW", customer="UCR1"),
        pay("NEW", 1000),
        void("NEW"),
        create_bill("VOID", customer="UCR1"),
        void("VOID"),
        pay("VOID", 1000),
    )

    assert outcomes == ["done", "done", Code.CONFLICT, "done", "done", Code.PAYMENT_REFUSED]
    refuse_broken(books.posted(standing(books, "NEW").id))


def test_one_payment_of_many_in_a_batch_sees_what_the_ones_before_have_left(books: Books) -> None:
    both = (("bill", "INV1", 600), ("bill", "INV2", 600))
    outcomes = in_a_batch(books, pay_many(*both), pay_many(*both), pay_many(*((*each[:2], 400) for each in both)))

    assert outcomes == ["done", Code.PAYMENT_REFUSED, "done"]
    assert [standing(books, name).status for name in ("INV1", "INV2")] == [PAID, PAID]


# Where nobody has looked whose a reference is


def test_a_refusal_by_the_rules_waits_until_it_is_known_whose_the_reference_is(books: Books) -> None:
    """A reference that is taken is told before the rules."""
    with pytest.raises(Unread):
        in_a_batch(books, pay("INV1", 1001, **ATTEMPT), knows_claims=False)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (pay("INV1", 1000, **ATTEMPT), "done"),  # if it is taken, that shows when the batch is saved
        (pay("INV1", 1001), Code.PAYMENT_REFUSED),
        (pay("nobody", 1, **ATTEMPT), Code.NOT_FOUND),
        (pay("INV1", 1, paid_at=NOW + SECOND, **ATTEMPT), Code.INVALID_REQUEST),
    ],
)
def test_what_does_not_hang_on_a_reference_is_decided_without_it(books: Books, command: Pay, expected: str) -> None:
    assert in_a_batch(books, command, knows_claims=False) == [expected]


# Asking only


def checked(books: Books, command: Pay) -> dict[str, Any]:
    """Ask whether a payment would be taken, and see that it changes nothing."""
    before = books.kept()
    answer = command.check(books.state, Journal(1, JANE, books.stamps()))
    assert books.kept() == before
    assert isinstance(answer, dict)
    return answer


PARTS = [("bill", "INV1", 1000), ("account", "ACC1", 100), ("customer", "UCR1", 500)]


@pytest.mark.parametrize("number", range(1, 4))
def test_what_would_be_after_a_payment_is_what_is_after_it(books: Books, number: int) -> None:
    parts = PARTS[:number]
    answer = checked(books, pay_many(*parts))
    books.done(pay_many(*parts))

    assert (answer["allowed"], answer["rules"]) == (True, [])
    assert answer["after"] == [standing(books, name, kind).shown() for kind, name, _ in parts]


def test_after_a_payment_that_would_be_refused_all_stands_as_it_does(books: Books) -> None:
    """All or none: the parts that would pass, too."""
    parts = [*PARTS, ("bill", "INV2", 1001)]
    answer = checked(books, pay_many(*parts))

    assert answer["allowed"] is False
    assert answer["after"] == [standing(books, name, kind).shown() for kind, name, _ in parts]
    assert [each["allowed"] for each in answer["applications"]] == [True, True, True, False]


@pytest.mark.parametrize(
    "parts",
    [
        [("bill", "INV1", 1001)],
        [("account", "ACC1", 501)],
        [("bill", "INV1", 1000), ("account", "ACC1", 501)],
        [("bill", "INV1", 1001), ("account", "ACC1", 501), ("customer", "UCR1", 1)],
    ],
)
def test_a_check_and_a_refusal_give_the_same_explanation(books: Books, parts: list[tuple[str, str, int]]) -> None:
    """Section 5: one pure function decides for every caller."""
    answer, refusal = checked(books, pay_many(*parts)), books.refused(pay_many(*parts))

    shared = {name: value for name, value in refusal.further.items() if name != "rule"}
    assert {name: value for name, value in answer.items() if name not in {"allowed", "after"}} == shared
    assert answer["rules"][0] == refusal.further["rule"]


def test_a_check_of_one_payment_says_what_would_pass_though_it_passes(books: Books) -> None:
    answer = checked(books, pay("INV1", 400))

    assert [*answer] == ["allowed", "rules", "would_pass", "after"]
    assert answer["would_pass"] == Range(1, 1000)


def test_a_check_looks_at_no_reference(books: Books) -> None:
    books.done(pay("INV1", 1, **ATTEMPT))

    assert checked(books, pay("INV1", 1, **ATTEMPT))["allowed"]


def test_a_check_of_what_is_no_payment_is_refused_as_a_payment_is(books: Books) -> None:
    for command in (pay("nobody"), pay(paid_at=NOW + SECOND), pay(currency="XXQ")):
        assert command.check(books.state, Journal(1, JANE, books.stamps())) == books.refused(command)


def test_a_payment_that_comes_to_nothing_leaves_no_trace_though_it_was_applied(books: Books) -> None:
    """A journal counts for nothing until it is applied: what fails after it has paid, has not paid."""
    before: tuple[BillingObject, ...] = tuple(standing(books, *it) for it in (("INV1",), ("ACC1", "account")))
    kept = books.kept()
    command = pay_many(("bill", "INV1", 1000), ("account", "ACC1", 500), **ATTEMPT)
    journal = Journal(1, JANE, books.stamps())

    assert isinstance(command.decide(books.state, journal), Done)
    assert (len(journal.objects), len(journal.transfers), len(journal.events)) == (3, 2, 3)
    assert books.kept() == kept
    assert tuple(standing(books, *it) for it in (("INV1",), ("ACC1", "account"))) == before
    assert isinstance(books.decide(command), Done)
