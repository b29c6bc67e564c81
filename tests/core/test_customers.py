import json
from typing import Any

import msgspec
import pytest

from owed.core.command import Command
from owed.core.outcomes import Code, Fault
from owed.model.customer import Customer
from owed.model.money import MAX_TOTAL
from owed.model.transfer import Cause
from tests.core.samples import DEFAULT_RULES, JANE, KEY, NOW, RULES, SECOND, Books, create, places, update

FULL: dict[str, Any] = {
    "name": "John Doe",
    "email": "john@example.com",
    "phone": "+27821234567",
    "payment_rules": RULES,
    "metadata": {"plan": "gold"},
}


WRONG_CURRENCY: dict[str, Any] = {
    "balance": 5,
    "faults": (Fault("/currency", "no"),),
    "faulty": frozenset({"currency"}),
}


def counters(customer: Customer) -> tuple[int, int, int]:
    return customer.version, customer.obligation.version, customer.event_sequence


# Create


def test_a_created_customer_has_what_was_given_and_the_rest_is_absent() -> None:
    shown = Books().done(create("UCR1", name="John Doe")).shown()

    del shown["id"]
    assert shown == {"external_reference": "UCR1", "name": "John Doe", "payment_rules": DEFAULT_RULES.customer}


def test_a_created_customer_has_every_member_that_can_be_given() -> None:
    shown = Books().done(create("UCR1", **FULL, currency="ZAR", balance=-5)).shown()

    assert list(shown) == [
        "id", "external_reference", "name", "email", "phone", "currency", "balance", "payment_rules", "metadata",
    ]  # fmt: skip
    assert {**FULL, "currency": "ZAR", "balance": -5}.items() <= shown.items()


def test_a_customer_begins_at_version_one_with_one_event_and_no_transfer() -> None:
    customer = Books().done(create())

    assert counters(customer) == (1, 0, 1)
    assert customer.created_at == customer.updated_at == NOW


def test_a_creation_tells_of_the_customer_as_the_api_shows_it() -> None:
    books = Books(create(currency="ZAR", balance=100))

    (event,) = books.state.events
    (customer,) = books.state.customers.created()
    assert (event.type, event.sequence, event.object_id) == ("customer.created", 1, customer.id)
    assert json.loads(event.body) == {
        "id": event.id,
        "type": "customer.created",
        "data": msgspec.to_builtins(customer.shown()),
    }


def test_a_reference_is_taken_once_for_each_tenant() -> None:
    books = Books(create("UCR1", tenant=1), create("UCR1", tenant=2))

    refusal = books.refused(create("UCR1", tenant=1))
    assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/external_reference"])


def test_every_fault_of_a_creation_is_named_and_form_comes_before_state() -> None:
    books = Books(create("UCR1"))

    refusal = books.refused(create("UCR1", faults=(Fault("/email", "no"),), currency="XXQ"))
    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, ["/email", "/currency"])


def test_a_refusal_leaves_nothing_behind() -> None:
    books = Books(create("UCR1"))
    books.refused(create("UCR1", balance=5, currency="ZAR"))
    books.refused(update(currency="XXQ", name="x"))

    assert (len(books.state.events), books.state.transfers, len(books.state.customers.created())) == (1, [], 1)


# Balance and currency


@pytest.mark.parametrize(
    ("standing", "given", "place"),
    [
        ({}, {"balance": 5}, "/currency"),  # a balance needs a currency
        ({}, {"currency": "XXQ"}, "/currency"),
        ({}, {"currency": "zar"}, "/currency"),
        ({"currency": "ZAR"}, {"currency": "HRK"}, "/currency"),  # no longer active
    ],
)
def test_a_currency_is_active_when_it_is_first_given_and_a_balance_needs_one(
    standing: dict[str, Any], given: dict[str, Any], place: str
) -> None:
    books = Books(create(**standing))

    refusal = books.refused(update(**given))
    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, [place])


@pytest.mark.parametrize("command", [create("UCR2", **WRONG_CURRENCY), update(**WRONG_CURRENCY)])
def test_a_balance_does_not_want_for_a_currency_that_was_given_wrong(command: Command) -> None:
    """Section 1.5: each fault that was found, and none that is only guessed from another."""
    assert places(Books(create()).refused(command)) == ["/currency"]


def test_a_balance_may_lean_on_the_currency_that_stands() -> None:
    books = Books(create(currency="ZAR"))

    assert books.done(update(balance=7)).shown()["balance"] == 7


def test_a_standing_currency_is_never_checked_again() -> None:
    """HRK was active once; a customer who has it may be sent it back."""
    books = Books(create())
    (customer,) = books.state.customers.created()
    obligation = msgspec.structs.replace(customer.obligation, currency="HRK")
    books.state.customers.put(msgspec.structs.replace(customer, obligation=obligation))

    assert books.done(update(currency="HRK", name="x")).obligation.currency == "HRK"


@pytest.mark.parametrize(
    ("standing", "is_allowed"),
    [
        ({}, True),
        ({"currency": "ZAR"}, True),  # no money has used it
        ({"currency": "ZAR", "balance": 0}, False),  # tracked, be it at nothing
        ({"currency": "ZAR", "balance": 9}, False),
    ],
)
def test_a_currency_changes_only_until_money_uses_it(standing: dict[str, Any], *, is_allowed: bool) -> None:
    books = Books(create(**standing))

    assert books.done(update(currency="ZAR")).obligation.currency == "ZAR"
    if is_allowed:
        assert books.done(update(currency="USD")).obligation.currency == "USD"
    else:
        refusal = books.refused(update(currency="USD", name="x"))
        assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/currency"])


@pytest.mark.parametrize(
    ("balances", "amounts"),
    [
        ([100], [100]),
        ([0], [0]),  # the first is an opening, even of nothing: from then on it is tracked
        ([100, 40], [100, -60]),
        ([100, 100], [100]),
        ([-50, 0, 0, 50], [-50, 50, 50]),
        ([MAX_TOTAL, -MAX_TOTAL], [MAX_TOTAL, -2 * MAX_TOTAL]),
    ],
)
def test_a_balance_is_absolute_and_its_transfer_is_the_difference(balances: list[int], amounts: list[int]) -> None:
    books = Books(create(currency="ZAR"))
    for balance in balances:
        assert books.done(update(balance=balance)).shown()["balance"] == balance

    assert [transfer.amount for transfer in books.state.transfers] == amounts
    assert [transfer.cause for transfer in books.state.transfers] == [
        Cause.OPENING, *[Cause.BALANCE_SET] * (len(amounts) - 1),
    ]  # fmt: skip


def test_a_transfer_says_who_why_and_when() -> None:
    books = Books(create(actor=JANE, currency="ZAR", balance=1))

    ((transfer,), (words,)) = books.state.transfers, books.state.attributions
    assert (transfer.key_id, transfer.attribution_id, transfer.recorded_at) == ("key_1", words.id, NOW)
    assert (words.actor, words.command, words.object_id) == (JANE, "customer.create", transfer.obligation_id)


# Update


@pytest.mark.parametrize("member", ["name", "email", "phone", "payment_rules"])
def test_a_member_that_is_not_given_stays_and_one_that_is_null_goes(member: str) -> None:
    books = Books(create(**FULL))

    assert books.done(update(metadata={})).shown()[member] == FULL[member]
    nothing: dict[str, Any] = {member: None}
    assert member not in books.done(update(**nothing)).shown()


def test_an_update_replaces_what_is_given_and_nothing_else() -> None:
    books = Books(create(**FULL))
    before = books.state.customers.created()[0].shown()

    assert books.done(update(name="Jane Doe")).shown() == {**before, "name": "Jane Doe"}


def test_rules_are_replaced_whole() -> None:
    books = Books(create(payment_rules=RULES))

    rules = DEFAULT_RULES.customer
    assert books.done(update(payment_rules=rules)).payment_rules == rules


@pytest.mark.parametrize(
    "nothing",
    [
        {},
        {"name": "John Doe"},
        {"metadata": {"plan": "gold"}},
        {"metadata": {"absent": None}},
        {"currency": "ZAR"},
        {"balance": 100},
        {**FULL, "external_reference": "UCR1", "currency": "ZAR", "balance": 100},
    ],
)
def test_an_update_that_changes_nothing_writes_nothing(nothing: dict[str, Any]) -> None:
    books = Books(create(**FULL, currency="ZAR", balance=100))
    before = books.state.customers.created()[0]
    books.stamps.now += SECOND

    assert books.done(update(actor=JANE, **nothing)) == before
    assert (len(books.state.events), len(books.state.transfers), books.state.attributions) == (1, 1, [])


def test_an_update_may_name_the_customer_by_id() -> None:
    books = Books()
    customer = books.done(create("UCR1"))

    assert books.done(update(customer.id, id=customer.id, name="x")).name == "x"


@pytest.mark.parametrize(("member", "value"), [("id", "bcus_other"), ("id", 7), ("external_reference", "UCR2")])
def test_a_fixed_member_is_refused_where_it_differs(member: str, value: object) -> None:
    other: dict[str, Any] = {member: value}
    refusal = Books(create()).refused(update(**other, currency="XXQ"))

    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, [f"/{member}", "/currency"])


def test_nobody_finds_another_tenants_customer() -> None:
    books = Books()
    customer = books.done(create("UCR1", tenant=1))

    for name in ("UCR1", customer.id):
        assert books.refused(update(name, tenant=2, name="x")).code == Code.NOT_FOUND


def test_refusals_come_in_the_order_of_the_contract() -> None:
    """Section 1.1: the path's object, then If-Match, then validation, then state."""
    stale, faults = frozenset({"9"}), (Fault("/email", "no"),)
    books = Books(create(currency="ZAR", balance=1))

    outcomes = [
        books.refused(update("nobody", if_match=stale, faults=faults, currency="USD")).code,
        books.refused(update(if_match=stale, faults=faults, currency="USD")).code,
        books.refused(update(faults=faults, currency="USD")).code,
        books.refused(update(currency="USD")).code,
    ]
    assert outcomes == [Code.NOT_FOUND, Code.PRECONDITION_FAILED, Code.INVALID_REQUEST, Code.CONFLICT]


# Metadata


@pytest.mark.parametrize(
    ("standing", "given", "merged"),
    [
        ({}, {"a": "1"}, {"a": "1"}),
        ({"a": "1"}, {"b": "2"}, {"a": "1", "b": "2"}),
        ({"a": "1"}, {"a": "2"}, {"a": "2"}),
        ({"a": "1", "b": "2"}, {"a": None}, {"b": "2"}),
        ({"a": "1"}, {"a": None}, None),  # empty metadata is absent
        ({"a": "1"}, {}, {"a": "1"}),
        ({"a": "1"}, {"a": ""}, {"a": ""}),  # an empty value is a value
    ],
)
def test_metadata_is_merged(
    standing: dict[str, str], given: dict[str, str | None], merged: dict[str, str] | None
) -> None:
    books = Books(create(metadata=standing))

    assert books.done(update(metadata=given)).shown().get("metadata") == merged


def test_a_customer_is_created_with_twenty_keys_at_the_most() -> None:
    keys = {f"k{number}": "" for number in range(21)}

    assert places(Books().refused(create(metadata=keys))) == ["/metadata"]
    assert len(Books().done(create(metadata={**keys, "k20": None})).metadata) == 20


def test_twenty_keys_are_the_most_and_count_after_the_merge() -> None:
    books = Books(create(metadata={f"k{number}": "" for number in range(20)}))

    assert places(books.refused(update(metadata={"one": "more"}))) == ["/metadata"]
    assert len(books.done(update(metadata={"one": "more", "k0": None})).metadata) == 20


# Counters and attribution


def test_the_three_counters_count_different_things() -> None:
    """docs/architecture.md, "three counters": the object's version, its obligation's transfers, its events."""
    books = Books(create(currency="ZAR"))

    assert counters(books.done(update(name="x"))) == (2, 0, 2)
    assert counters(books.done(update(balance=5))) == (3, 1, 3)
    assert counters(books.done(update(name="y", balance=6))) == (4, 2, 4)
    assert counters(books.done(update(name="y", balance=6))) == (4, 2, 4)


def test_one_attribution_stands_for_all_that_a_command_did() -> None:
    books = Books(create(), update(actor=JANE, name="x", currency="ZAR", balance=5))

    (words,) = books.state.attributions
    assert (words.command, words.actor, words.recorded_at) == ("customer.update", JANE, NOW)


def test_a_key_without_words_leaves_no_attribution() -> None:
    books = Books(create(actor=KEY, currency="ZAR", balance=1))

    assert (books.state.attributions, books.state.transfers[0].attribution_digest) == ([], None)


def test_a_customer_never_seems_updated_earlier_than_before() -> None:
    books = Books(create())
    books.stamps.now -= SECOND

    assert books.done(update(name="x")).updated_at == NOW
