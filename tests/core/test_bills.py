"""Bills: how one is made, on whom, and when (contract, section 4)."""

import json
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from owed.core.accounts import AccountMembers
from owed.core.customers import CustomerMembers
from owed.core.outcomes import Code, Fault
from owed.core.state import Name, State
from owed.model.bill import Bill, BillStatus
from owed.model.payment_rules import BillRules, DefaultRules, PaymentRules
from owed.model.tenant_settings import TenantSettings
from owed.model.transfer import Cause
from tests.core.samples import (
    JANE,
    NOW,
    RULES,
    Books,
    Stamps,
    create,
    create_account,
    create_bill,
    places,
    update_bill,
)

NEW_CUSTOMER = CustomerMembers(external_reference="UCR2")
NEW_ACCOUNT = AccountMembers(external_reference="ACC2")
OWNED_ACCOUNT = AccountMembers(external_reference="ACC2", customer="UCR1")
WHOLE_ACCOUNT = AccountMembers(external_reference="ACC2", customer=NEW_CUSTOMER)


@pytest.fixture
def books() -> Books:
    """Books with a customer, and an account of his."""
    return Books(create("UCR1"), create_account("ACC1", customer="UCR1"))


def test_a_created_bill_has_every_member_in_the_order_of_the_contract(books: Books) -> None:
    given = {
        "bill_date": date(2026, 1, 31),
        "due_date": date(2026, 2, 28),
        "payment_rules": RULES,
        "metadata": {"run": "7"},
    }
    bill: Bill = books.done(create_bill("INV1", account="ACC1", currency="USD", amount_due=2000, **given))
    account = books.state.accounts.find(1, "ACC1")
    assert account is not None

    assert [*bill.shown().items()] == [
        ("id", bill.id),
        ("external_reference", "INV1"),
        ("customer_id", account.customer_id),
        ("account_id", account.id),
        ("status", "unpaid"),
        ("currency", "USD"),
        ("amount_due", 2000),
        ("amount_paid", 0),
        ("amount_remaining", 2000),
        *given.items(),
    ]


def test_what_is_not_given_of_a_bill_is_absent(books: Books) -> None:
    shown = books.done(create_bill(customer="UCR1")).shown()

    assert shown.keys().isdisjoint({"account_id", "due_date", "metadata"})


def test_a_bill_begins_at_version_one_with_one_event_and_the_transfer_that_raises_it(books: Books) -> None:
    bill: Bill = books.done(create_bill(customer="UCR1", actor=JANE))

    assert (bill.version, bill.obligation.version, bill.event_sequence) == (1, 1, 1)
    ((transfer,), (words,)) = books.posted(bill.id), books.state.attributions
    assert (transfer.cause, transfer.amount, transfer.currency) == (Cause.BILL_RAISED, 1000, "ZAR")
    assert (words.object_id, words.command, transfer.attribution_id) == (bill.id, "bill.create", words.id)


def test_a_bill_moves_no_balance() -> None:
    """Section 4: bills and balances are separate obligations."""
    books = Books(create(currency="ZAR", balance=5), create_account(customer="UCR1", currency="USD", balance=6))
    before = [books.state.customers.find(1, "UCR1"), books.state.accounts.find(1, "ACC1")]
    books.done(create_bill(account="ACC1"))

    assert [books.state.customers.find(1, "UCR1"), books.state.accounts.find(1, "ACC1")] == before


# Whose bill it is: in every combination of customer and account


CUSTOMERS = {"nothing": UNSET, "a name": "UCR1", "a new one": NEW_CUSTOMER}
ACCOUNTS = {
    "nothing": UNSET,
    "a name": "ACC1",
    "a new one": NEW_ACCOUNT,
    "a new one of a named customer": OWNED_ACCOUNT,
    "a new one of a new customer": WHOLE_ACCOUNT,
}
MADE = {
    ("a name", "nothing"): ["bill"],
    ("a new one", "nothing"): ["customer", "bill"],
    ("nothing", "a name"): ["bill"],
    ("a name", "a new one"): ["account", "bill"],
    ("a new one", "a new one"): ["customer", "account", "bill"],
    ("nothing", "a new one of a named customer"): ["account", "bill"],
    ("nothing", "a new one of a new customer"): ["customer", "account", "bill"],
}
REFUSED = {
    ("nothing", "nothing"): "/customer",
    ("nothing", "a new one"): "/account/customer",
    ("a name", "a name"): "/customer",
    ("a new one", "a name"): "/customer",
    ("a name", "a new one of a named customer"): "/account/customer",
    ("a name", "a new one of a new customer"): "/account/customer",
    ("a new one", "a new one of a named customer"): "/account/customer",
    ("a new one", "a new one of a new customer"): "/account/customer",
}


def test_every_combination_of_customer_and_account_is_in_the_tables() -> None:
    assert {*MADE, *REFUSED} == {(customer, account) for customer in CUSTOMERS for account in ACCOUNTS}


@pytest.mark.parametrize(("customer", "account"), MADE)
def test_a_bill_is_made_after_what_is_new_of_its_customer_and_account(
    books: Books, customer: str, account: str
) -> None:
    before = len(books.state.events)
    bill: Bill = books.done(create_bill(customer=CUSTOMERS[customer], account=ACCOUNTS[account]))

    made = MADE[customer, account]
    assert [event.type for event in books.state.events[before:]] == [f"{kind}.created" for kind in made]
    owner = books.state.customers.find(1, "UCR2" if "customer" in made else "UCR1")
    on = books.state.accounts.find(1, "ACC2" if "account" in made else "ACC1") if account != "nothing" else None
    assert owner is not None
    assert (bill.customer_id, bill.account_id) == (owner.id, on and on.id)
    assert on is None or on.customer_id == owner.id


@pytest.mark.parametrize(("customer", "account"), REFUSED)
def test_a_bill_has_one_customer_and_names_it_once(books: Books, customer: str, account: str) -> None:
    refusal = books.refused(create_bill(customer=CUSTOMERS[customer], account=ACCOUNTS[account]))

    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, [REFUSED[customer, account]])


@pytest.mark.parametrize(
    ("customer", "account", "faults", "expected"),
    [
        (UNSET, UNSET, ["/customer"], ["/customer"]),  # it was given, though wrong
        (UNSET, UNSET, ["/account"], ["/account"]),
        (UNSET, NEW_ACCOUNT, ["/account/customer"], ["/account/customer"]),
        (UNSET, NEW_ACCOUNT, ["/account/name"], ["/account/name", "/account/customer"]),
        (UNSET, UNSET, ["/metadata"], ["/metadata", "/customer"]),
        ("UCR1", OWNED_ACCOUNT, ["/currency"], ["/currency", "/account/customer"]),
        (UNSET, UNSET, [""], [""]),
    ],
)
def test_whose_bill_it_is_is_judged_where_the_form_of_it_is_right(
    books: Books, customer: Any, account: Any, faults: list[str], expected: list[str]
) -> None:
    given = tuple(Fault(pointer, "no") for pointer in faults)
    faulty = frozenset(pointer[1:] for pointer in faults)
    command = create_bill(customer=customer, account=account, faults=given, faulty=faulty)

    assert places(books.refused(command)) == expected


def test_a_bill_may_name_its_account_or_customer_by_id(books: Books) -> None:
    account = books.state.accounts.find(1, "ACC1")
    assert account is not None

    assert books.done(create_bill("INV1", account=account.id)).account_id == account.id
    assert books.done(create_bill("INV2", customer=account.customer_id)).customer_id == account.customer_id


def test_a_bill_names_what_must_be_loaded_and_claims_what_it_would_take() -> None:
    inline = msgspec.structs.replace(WHOLE_ACCOUNT, customer="UCR1")

    assert create_bill(account=inline).reads() == (Name("customer", 1, "UCR1"),)
    assert create_bill(account="ACC1").reads() == (Name("account", 1, "ACC1"),)
    assert {*create_bill(account=WHOLE_ACCOUNT).claims()} == {
        Name("customer", 1, "UCR2"), Name("account", 1, "ACC2"), Name("bill", 1, "INV1"),
    }  # fmt: skip


def test_each_event_of_a_composite_tells_of_its_own_object() -> None:
    books = Books()
    books.done(create_bill(account=WHOLE_ACCOUNT))

    shelves = (books.state.customers, books.state.accounts, books.state.bills)
    made = [shelf.created()[0] for shelf in shelves]
    assert [(event.object_id, event.sequence) for event in books.state.events] == [(item.id, 1) for item in made]
    told = [json.loads(event.body)["data"] for event in books.state.events]
    assert told == [msgspec.to_builtins(item.shown()) for item in made]


@pytest.mark.parametrize(
    ("bill", "account", "customer", "expected"),
    [
        ({}, {}, {}, []),
        ({}, {}, {"currency": "XXQ"}, ["/account/customer/currency"]),
        ({}, {"balance": 1}, {"balance": 1}, ["/account/customer/currency", "/account/currency"]),
        ({}, {"external_reference": UNSET}, {"external_reference": UNSET},
         ["/account/customer/external_reference", "/account/external_reference"]),
        ({"currency": "XXQ"}, {"currency": "XXQ"}, {"currency": "XXQ"},
         ["/account/customer/currency", "/account/currency", "/currency"]),
        ({"metadata": dict.fromkeys(map(str, range(21)), "")}, {}, {}, ["/metadata"]),
        ({"currency": UNSET, "amount_due": UNSET, "external_reference": UNSET}, {}, {},
         ["/external_reference", "/currency", "/amount_due"]),
    ],
)  # fmt: skip
def test_every_part_of_a_composite_obeys_the_rules_that_it_obeys_alone(
    bill: dict[str, Any], account: dict[str, Any], customer: dict[str, Any], expected: list[str]
) -> None:
    inner = CustomerMembers(**{"external_reference": "UCR2", **customer})
    outer = AccountMembers(**{"external_reference": "ACC2", **account, "customer": inner})
    books, command = Books(), create_bill(**{"external_reference": "INV1", **bill, "account": outer})

    if expected:
        refusal = books.refused(command)
        assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, expected)
    else:
        books.done(command)


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ({"customer": "nobody"}, ["/customer"]),
        ({"account": "nobody"}, ["/account"]),
        ({"account": AccountMembers(external_reference="ACC2", customer="nobody")}, ["/account/customer"]),
        ({"customer": "nobody", "account": NEW_ACCOUNT}, ["/customer"]),
        ({"customer": "ACC1"}, ["/customer"]),  # an account is no customer
        ({"account": "UCR1"}, ["/account"]),
    ],
)
def test_what_a_bill_names_and_does_not_exist_is_told_at_its_place(
    books: Books, owner: dict[str, Any], expected: list[str]
) -> None:
    refusal = books.refused(create_bill(**owner))

    assert (refusal.code, places(refusal)) == (Code.NOT_FOUND, expected)


def test_another_tenants_account_is_not_found(books: Books) -> None:
    account = books.state.accounts.find(1, "ACC1")
    assert account is not None

    for name in ("ACC1", account.id):
        assert books.refused(create_bill(account=name, tenant=2)).code == Code.NOT_FOUND


TAKEN = {
    "/external_reference": "INV1",
    "/account/external_reference": "ACC1",
    "/account/customer/external_reference": "UCR1",
}


@pytest.mark.parametrize("number", range(1, 8))
def test_references_that_are_taken_are_named_at_every_level(books: Books, number: int) -> None:
    """Every combination of three levels."""
    books.done(create_bill("INV1", customer="UCR1"))
    taken = {place: name for bit, (place, name) in enumerate(TAKEN.items()) if number >> bit & 1}
    bill, account, customer = (taken.get(place, "new") for place in TAKEN)
    inner = AccountMembers(external_reference=account, customer=CustomerMembers(external_reference=customer))

    refusal = books.refused(create_bill(bill, account=inner))
    assert (refusal.code, {*places(refusal)}) == (Code.CONFLICT, {*taken})


def test_validation_comes_before_what_is_absent_and_that_before_what_is_taken(books: Books) -> None:
    """Section 1.1: 404 of an object that the body names, then 409."""
    books.done(create_bill("INV1", customer="UCR1"))

    outcomes = [
        books.refused(create_bill("INV1", customer="nobody", account="ACC1")).code,
        books.refused(create_bill("INV1", customer="nobody")).code,
        books.refused(create_bill("INV1", customer="UCR1")).code,
    ]
    assert outcomes == [Code.INVALID_REQUEST, Code.NOT_FOUND, Code.CONFLICT]


def test_a_bills_reference_may_be_the_id_of_another_bill_whoever_is_loaded() -> None:
    """Section 1.3: only references are unique, and only `bcus_` is reserved."""
    books = Books(create("UCR1"))
    first = books.done(create_bill("INV1", customer="UCR1"))
    second = books.done(create_bill(first.id, customer="UCR1"))

    assert books.refused(create_bill(first.id, customer="UCR1")).code == Code.CONFLICT
    assert books.done(update_bill(first.id, metadata={"a": "1"})).id == first.id  # the id is tried first
    assert books.done(update_bill(second.id, metadata={"a": "1"})).id == second.id


# Dates, amounts, rules


def bill_at(moment: datetime, time_zone: str) -> Bill:
    """Raise a bill at a moment, for a merchant in a time zone."""
    books = Books(create("UCR1"), stamps=Stamps(now=moment))
    bill: Bill = books.done(create_bill(customer="UCR1", settings=TenantSettings(time_zone=time_zone)))
    return bill


def test_a_bill_is_of_today_where_the_merchant_is() -> None:
    moment = datetime(2026, 3, 4, 22, 0, tzinfo=UTC)

    dates = [bill_at(moment, zone).bill_date for zone in ("UTC", "Africa/Johannesburg", "Pacific/Honolulu")]
    assert dates == [date(2026, 3, 4), date(2026, 3, 5), date(2026, 3, 4)]


def test_a_bill_has_the_date_that_it_is_given(books: Books) -> None:
    for given in (date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)):
        bill: Bill = books.done(create_bill(given.isoformat(), customer="UCR1", bill_date=given, due_date=given))

        assert (bill.bill_date, bill.due_date) == (given, given)


@pytest.mark.parametrize("amount", [1, 99_999_999])
def test_a_new_bill_is_unpaid_and_all_of_it_remains(books: Books, amount: int) -> None:
    bill: Bill = books.done(create_bill(customer="UCR1", amount_due=amount))

    assert (bill.status, bill.amount_remaining, bill.obligation.total) == (BillStatus.UNPAID, amount, amount)


@pytest.mark.parametrize(
    ("default", "amount", "expected"),
    [
        (BillRules(min_amount=1, underpayment_allowed=True, overpayment_allowed=False), 1000, (1, 1000)),
        (BillRules(min_amount=500, underpayment_allowed=True, overpayment_allowed=False), 1000, (500, 1000)),
        (BillRules(min_amount=1000, underpayment_allowed=True, overpayment_allowed=False), 1000, (1000, 1000)),
        (BillRules(min_amount=1001, underpayment_allowed=True, overpayment_allowed=False), 1000, (1000, 1000)),
        (BillRules(min_amount=5, max_amount=50, underpayment_allowed=True, overpayment_allowed=False), 1000, (5, 50)),
        (BillRules(min_amount=5, max_amount=50, underpayment_allowed=True, overpayment_allowed=False), 3, (3, 50)),
        (BillRules(min_amount=5, max_amount=50, underpayment_allowed=True, overpayment_allowed=False), 1, (1, 50)),
    ],
)
def test_default_rules_fit_the_amount_of_the_bill(
    books: Books, default: BillRules, amount: int, expected: tuple[int, int]
) -> None:
    """Section 5: an unset maximum means the amount due, and a minimum above it becomes it."""
    settings = TenantSettings(payment_rules=DefaultRules(bill=default))
    bill = books.done(create_bill(customer="UCR1", amount_due=amount, settings=settings))

    least, most = expected
    assert bill.payment_rules == PaymentRules(least, most, underpayment_allowed=True, overpayment_allowed=False)


@pytest.mark.parametrize("given", [RULES, PaymentRules(7, 7, underpayment_allowed=False, overpayment_allowed=False)])
def test_rules_that_are_given_stand_as_they_are(books: Books, given: PaymentRules) -> None:
    assert books.done(create_bill(customer="UCR1", amount_due=5, payment_rules=given)).payment_rules == given


@pytest.mark.parametrize("currency", ["XXQ", "zar", "HRK", "ZA"])
def test_a_bills_currency_is_an_active_one(books: Books, currency: str) -> None:
    refusal = books.refused(create_bill(customer="UCR1", currency=currency))

    assert (refusal.code, places(refusal)) == (Code.INVALID_REQUEST, ["/currency"])


def test_a_bills_currency_is_its_own() -> None:
    books = Books(create(currency="ZAR", balance=1), create_account(customer="UCR1", currency="EUR"))

    assert books.done(create_bill(account="ACC1", currency="USD")).currency == "USD"


def test_a_bill_that_was_loaded_stands_as_it_was_made(books: Books) -> None:
    bill = books.done(create_bill(customer="UCR1"))
    books.state = State([bill])

    assert books.done(update_bill("INV1")) == bill
    assert bill.created_at == bill.updated_at == NOW
