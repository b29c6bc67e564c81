import json
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from owed.core.create import Create
from owed.core.customers import CustomerMembers
from owed.core.outcomes import Code, Fault
from owed.core.state import Name
from owed.model.account import Account
from owed.model.payment_rules import DefaultRules, PaymentRules
from owed.model.tenant_settings import TenantSettings
from owed.model.transfer import Cause
from tests.core.samples import (
    DEFAULT_RULES,
    JANE,
    NOW,
    RULES,
    SECOND,
    Books,
    create,
    create_account,
    places,
    update,
    update_account,
)

INLINE = CustomerMembers(external_reference="UCR2", name="Jane Doe", email="jane@example.com")
FULL: dict[str, Any] = {
    "name": "Water",
    "payment_rules": RULES,
    "currency": "ZAR",
    "balance": -5,
    "metadata": {"meter": "7"},
}


@pytest.fixture
def books() -> Books:
    """Books with one customer."""
    return Books(create("UCR1"))


# Create


def test_a_created_account_has_what_was_given_in_the_order_of_the_contract(books: Books) -> None:
    shown = books.done(create_account("ACC1", customer="UCR1", **FULL)).shown()

    assert list(shown) == [
        "id", "external_reference", "customer_id", "name", "currency", "balance", "payment_rules", "metadata",
    ]  # fmt: skip
    assert {**FULL, "external_reference": "ACC1"}.items() <= shown.items()


def test_what_is_not_given_of_an_account_is_absent_but_for_rules(books: Books) -> None:
    shown = books.done(create_account(customer="UCR1")).shown()

    assert set(shown) == {"id", "external_reference", "customer_id", "payment_rules"}


def test_new_objects_get_the_rules_of_their_own_kind() -> None:
    """Section 5: the settings hold default rules for customers, accounts and bills."""
    customers = PaymentRules(1, 9, underpayment_allowed=True, overpayment_allowed=True)
    accounts = PaymentRules(2, 9, underpayment_allowed=True, overpayment_allowed=True)
    settings = TenantSettings(payment_rules=DefaultRules(customers, accounts))
    books = Books()
    account = books.done(create_account(customer=INLINE, settings=settings))

    (customer,) = books.state.customers.created()
    assert (customer.payment_rules, account.payment_rules) == (customers, accounts)


@pytest.mark.parametrize("by", ["id", "external_reference"])
def test_an_account_belongs_to_the_customer_that_it_names(by: str) -> None:
    books = Books()
    customer = books.done(create("UCR1"))

    assert books.done(create_account(customer=getattr(customer, by))).customer_id == customer.id


def test_an_account_begins_at_version_one_with_one_event_and_an_opening_where_it_has_a_balance(books: Books) -> None:
    account: Account = books.done(create_account(customer="UCR1", currency="ZAR", balance=7))

    assert (account.version, account.obligation.version, account.event_sequence) == (1, 1, 1)
    ((transfer,), told) = books.posted(account.id), books.told(account.id)
    assert (transfer.cause, transfer.amount, told) == (Cause.OPENING, 7, ["account.created"])


def test_an_accounts_balance_is_not_its_customers() -> None:
    books = Books(create("UCR1", currency="USD", balance=1))
    customer = books.state.customers.find(1, "UCR1")
    books.done(create_account(customer="UCR1", currency="ZAR", balance=7))

    assert books.state.customers.find(1, "UCR1") == customer


# A customer inline


def test_a_customer_inline_is_made_first() -> None:
    books = Books()
    account = books.done(create_account("ACC1", customer=INLINE))

    (customer,) = books.state.customers.created()
    assert (customer.external_reference, customer.name, account.customer_id) == ("UCR2", "Jane Doe", customer.id)
    assert [event.type for event in books.state.events] == ["customer.created", "account.created"]
    assert customer.created_at == account.created_at == NOW


def test_each_event_of_a_composite_tells_of_its_own_object() -> None:
    books = Books()
    account = books.done(create_account(customer=INLINE))
    (customer,) = books.state.customers.created()

    for event, item in zip(books.state.events, (customer, account), strict=True):
        assert (event.object_id, event.sequence) == (item.id, 1)
        assert json.loads(event.body)["data"] == msgspec.to_builtins(item.shown())


def test_a_composite_takes_every_reference_that_is_inline_and_reads_every_name() -> None:
    inline, named = create_account("ACC1", customer=INLINE), create_account("ACC1", customer="UCR1")

    assert (inline.reads(), {*inline.claims()}) == ((), {Name("account", 1, "ACC1"), Name("customer", 1, "UCR2")})
    assert (named.reads(), named.claims()) == ((Name("customer", 1, "UCR1"),), (Name("account", 1, "ACC1"),))


def test_one_attribution_stands_for_a_whole_composite() -> None:
    books = Books()
    money = CustomerMembers(external_reference="UCR2", currency="ZAR", balance=1)
    account = books.done(create_account(actor=JANE, customer=money, currency="ZAR", balance=2))

    (words,) = books.state.attributions
    assert (words.object_id, words.command, words.actor) == (account.id, "account.create", JANE)
    assert {transfer.attribution_id for transfer in books.state.transfers} == {words.id}


@pytest.mark.parametrize(
    ("inline", "outer", "expected"),
    [
        ({}, {}, []),
        ({"external_reference": UNSET}, {}, ["/customer/external_reference"]),
        ({"currency": "XXQ"}, {}, ["/customer/currency"]),
        ({"balance": 1}, {}, ["/customer/currency"]),
        ({"metadata": dict.fromkeys(map(str, range(21)), "")}, {}, ["/customer/metadata"]),
        ({"currency": "XXQ"}, {"currency": "XXQ", "external_reference": UNSET},
         ["/customer/currency", "/external_reference", "/currency"]),
        ({"balance": 1}, {"balance": 1}, ["/customer/currency", "/currency"]),  # each has its own
    ],
)  # fmt: skip
def test_a_customer_inline_obeys_every_rule_that_it_obeys_alone(
    inline: dict[str, Any], outer: dict[str, Any], expected: list[str]
) -> None:
    books = Books()
    customer = CustomerMembers(**{"external_reference": "UCR2", **inline})
    command = create_account(customer=customer, **outer)

    if expected:
        refusal = books.refused(command)
        assert (refusal.code, sorted(places(refusal))) == (Code.INVALID_REQUEST, sorted(expected))
    else:
        books.done(command)


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([], ["/customer"]),
        (["/customer"], ["/customer"]),  # it was given, though wrong
        (["/name"], ["/name", "/customer"]),
        ([""], [""]),  # there was no object to read
    ],
)
def test_an_account_is_somebodys(faults: list[str], expected: list[str]) -> None:
    given = tuple(Fault(pointer, "no") for pointer in faults)
    refusal = Books().refused(create_account(faults=given, faulty=frozenset(pointer[1:] for pointer in faults)))

    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, expected)


def test_a_fault_of_form_is_not_told_again_at_the_same_place() -> None:
    inline = CustomerMembers(name="Jane")
    faults = (Fault("/customer/external_reference", "no"), Fault("/customer/balance", "no"))
    refusal = Books().refused(create_account(customer=inline, faults=faults))

    assert places(refusal) == ["/customer/external_reference", "/customer/balance"]


# What the request names, and what is taken


def test_a_customer_who_does_not_exist_is_not_found_at_its_place(books: Books) -> None:
    refusal = books.refused(create_account(customer="nobody"))

    assert (refusal.code, places(refusal)) == (Code.NOT_FOUND, ["/customer"])
    assert "'nobody'" in refusal.detail


def test_another_tenants_customer_is_not_found() -> None:
    books = Books()
    customer = books.done(create("UCR1", tenant=2))

    for name in ("UCR1", customer.id):
        assert books.refused(create_account(customer=name)).code == Code.NOT_FOUND


@pytest.mark.parametrize("name", ["ACC1", "the account's id"])
def test_an_account_is_no_customer(books: Books, name: str) -> None:
    account = books.done(create_account("ACC1", customer="UCR1"))
    name = account.id if "id" in name else name

    assert books.refused(create_account("ACC2", customer=name)).code == Code.NOT_FOUND


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (create_account("ACC1", customer="UCR1"), ["/external_reference"]),
        (create_account("ACC1", customer=INLINE), ["/external_reference"]),
        (create_account("ACC2", customer=CustomerMembers(external_reference="UCR1")), ["/customer/external_reference"]),
        (create_account("ACC1", customer=CustomerMembers(external_reference="UCR1")),
         ["/customer/external_reference", "/external_reference"]),
    ],
    ids=["outer", "outer, of a composite", "inner", "both"],
)  # fmt: skip
def test_a_reference_that_is_taken_is_named_at_every_level(books: Books, command: Create, expected: list[str]) -> None:
    books.done(create_account("ACC1", customer="UCR1"))

    refusal = books.refused(command)
    assert (refusal.code, places(refusal)) == (Code.CONFLICT, expected)


def test_a_reference_is_taken_by_its_own_kind_and_in_its_own_tenant_alone(books: Books) -> None:
    books.done(create_account("UCR1", customer="UCR1"))
    books.done(create("UCR1", tenant=2))

    assert books.done(create_account("UCR1", customer="UCR1", tenant=2)).external_reference == "UCR1"


def test_validation_comes_before_what_is_absent_and_that_before_what_is_taken(books: Books) -> None:
    """Section 1.1: 404 of an object that the body names, then 409."""
    books.done(create_account("ACC1", customer="UCR1"))

    outcomes = [
        books.refused(create_account("ACC1", customer="nobody", currency="XXQ")).code,
        books.refused(create_account("ACC1", customer="nobody")).code,
        books.refused(create_account("ACC1", customer="UCR1")).code,
    ]
    assert outcomes == [Code.INVALID_REQUEST, Code.NOT_FOUND, Code.CONFLICT]


# Update


def test_an_update_replaces_what_is_given_of_an_account_and_nothing_else(books: Books) -> None:
    before = books.done(create_account(customer="UCR1", **FULL)).shown()
    books.stamps.now += SECOND
    after: Account = books.done(update_account(name="Gas", balance=3))

    assert after.shown() == {**before, "name": "Gas", "balance": 3}
    assert (after.version, after.updated_at, books.told(after.id)) == (
        2, NOW + SECOND, ["account.created", "account.updated"],
    )  # fmt: skip
    assert [transfer.amount for transfer in books.posted(after.id)] == [-5, 8]


@pytest.mark.parametrize("member", ["name", "payment_rules"])
def test_a_member_of_an_account_that_is_null_goes(books: Books, member: str) -> None:
    books.done(create_account(customer="UCR1", **FULL))
    nothing: dict[str, Any] = {member: None}

    assert member not in books.done(update_account(**nothing)).shown()


def test_an_account_that_is_sent_back_whole_changes_nothing(books: Books) -> None:
    account = books.done(create_account(customer="UCR1", **FULL))
    before = books.kept()

    assert books.done(update_account(**account.shown())) == account
    assert books.kept() == before


@pytest.mark.parametrize("member", ["id", "external_reference", "customer_id"])
@pytest.mark.parametrize("value", ["other", 7, True, {}])
def test_a_fixed_member_of_an_account_is_refused_where_it_differs(books: Books, member: str, value: object) -> None:
    books.done(create_account(customer="UCR1"))
    other: dict[str, Any] = {member: value}
    refusal = books.refused(update_account(**other, currency="XXQ"))

    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, [f"/{member}", "/currency"])


def test_an_accounts_currency_changes_only_until_money_uses_it(books: Books) -> None:
    books.done(create_account(customer="UCR1", currency="ZAR"))
    assert books.done(update_account(currency="USD")).obligation.currency == "USD"
    books.done(update_account(balance=0))

    refusal = books.refused(update_account(currency="ZAR"))
    assert (refusal.code, places(refusal)) == (Code.CONFLICT, ["/currency"])


def test_an_update_goes_to_its_own_kind() -> None:
    """A customer and an account may have the same reference."""
    books = Books(create("SAME"), create_account("SAME", customer="SAME"))
    books.done(update("SAME", name="the customer"))
    books.done(update_account("SAME", name="the account"))

    found = [shelf.find(1, "SAME") for shelf in (books.state.customers, books.state.accounts)]
    assert [getattr(item, "name", None) for item in found] == ["the customer", "the account"]


def test_nobody_finds_another_tenants_account(books: Books) -> None:
    account = books.done(create_account(customer="UCR1"))

    for name in ("ACC1", account.id):
        assert books.refused(update_account(name, tenant=2, name="x")).code == Code.NOT_FOUND


def test_an_account_keeps_the_rules_that_it_has(books: Books) -> None:
    account = books.done(create_account(customer="UCR1"))

    assert account.payment_rules == DEFAULT_RULES.account == books.done(update_account(name="x")).payment_rules
