"""Erasing a person from a customer and its accounts (docs/privacy.md)."""

from typing import Any

import pytest

from owed.core.erasing import Erase
from owed.core.outcomes import Code, Fault, Refused
from owed.core.preconditions import IfMatch
from owed.core.state import Name
from owed.model.account import Account
from owed.model.customer import Customer
from tests.core.samples import JANE, KEY, Books, create, create_account, create_bill, update

PERSON: dict[str, Any] = {"name": "Jane", "email": "j@example.com", "phone": "+27123456789", "metadata": {"a": "b"}}


def erase(*names: Name, if_match: IfMatch = None, faults: tuple[Fault, ...] = ()) -> Erase:
    objects = names or (Name("customer", 1, "UCR1"),)
    return Erase(tenant_id=1, actor=JANE, subject="bcus_1", objects=objects, if_match=if_match, faults=faults)


def person() -> Books:
    """Open books in which a person owes something, on an account too."""
    return Books(
        create(currency="ZAR", balance=5, **PERSON), create_account(customer="UCR1", name="Shop", metadata={"a": "b"})
    )


def test_of_a_customer_stays_what_it_owes() -> None:
    books = person()
    before = books.state.customers.find(1, "UCR1")
    assert before
    erased: Customer = books.done(erase())

    assert erased.external_reference.startswith("erased_")
    assert (erased.name, erased.email, erased.phone, erased.metadata) == (None, None, None, {})
    assert (erased.id, erased.obligation, erased.payment_rules) == (before.id, before.obligation, before.payment_rules)
    assert erased.version == before.version + 1


def test_its_accounts_are_erased_with_it_and_each_tells_of_it() -> None:
    books = person()
    account = books.state.accounts.find(1, "ACC1")
    assert account
    books.done(erase(Name("customer", 1, "UCR1"), Name("account", 1, account.id)))

    erased = books.state.accounts.find(1, account.id)
    assert isinstance(erased, Account)
    assert (erased.name, erased.metadata, erased.customer_id) == (None, {}, account.customer_id)
    assert [event.type for event in books.state.events[-2:]] == ["customer.updated", "account.updated"]
    assert [words.command for words in books.state.attributions] == ["customer.erase"]


def test_no_two_pseudonyms_are_the_same() -> None:
    books = Books(create("UCR1"), create("UCR2"))
    first, second = (books.done(erase(Name("customer", 1, name))) for name in ("UCR1", "UCR2"))

    assert first.external_reference != second.external_reference


def test_what_is_to_be_redacted_is_all_that_was_told_before() -> None:
    books = person()
    books.done(update(name="Janet"))
    erased: Customer = books.done(erase())
    erasure = books.state.erasures.find(1, erased.id)

    assert erasure
    assert (erasure.reference, erasure.up_to, erased.event_sequence, erasure.version) == ("UCR1", 2, 3, 1)


def test_to_erase_twice_changes_nothing() -> None:
    books = person()
    erased: Customer = books.done(erase())
    events = len(books.state.events)

    assert books.done(erase(Name("customer", 1, erased.id))) == erased
    assert len(books.state.events) == events


def test_what_came_after_goes_too_and_the_pseudonym_stays() -> None:
    books = person()
    erased: Customer = books.done(erase())
    books.done(update(erased.id, name="Jane"))
    again: Customer = books.done(erase(Name("customer", 1, erased.id)))
    erasure = books.state.erasures.find(1, erased.id)

    assert (again.external_reference, again.name) == (erased.external_reference, None)
    assert erasure
    assert (erasure.reference, erasure.up_to, erasure.version) == ("UCR1", 3, 2)


def test_the_old_reference_is_free_at_once() -> None:
    books = person()
    erased: Customer = books.done(erase())
    assert books.state.customers.find(1, "UCR1") is None
    assert books.state.customers.find(1, erased.external_reference) == erased
    anew: Customer = books.done(create("UCR1"))

    assert anew.id != erased.id
    assert books.state.customers.find(1, "UCR1") == anew


def test_bills_keep_whose_they_are() -> None:
    books = person()
    bill = books.done(create_bill(customer="UCR1"))
    erased: Customer = books.done(erase())

    assert books.state.bills.find(1, bill.id) == bill
    assert bill.customer_id == erased.id


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (erase(Name("customer", 1, "UCR9")), Code.NOT_FOUND),
        (erase(if_match=frozenset({"9"})), Code.PRECONDITION_FAILED),
        (erase(faults=(Fault("/name", "no"),)), Code.INVALID_REQUEST),
        (erase(if_match=frozenset({"9"}), faults=(Fault("/name", "no"),)), Code.PRECONDITION_FAILED),
    ],
)
def test_it_is_refused_in_the_contract_s_order(command: Erase, code: Code) -> None:
    outcome = person().decide(command)

    assert isinstance(outcome, Refused)
    assert outcome.code == code


def test_who_erased_is_kept_with_words_or_without() -> None:
    books = person()
    books.done(Erase(tenant_id=1, actor=KEY, subject="bcus_1", objects=(Name("customer", 1, "UCR1"),)))

    assert [(words.object_id, words.actor) for words in books.state.attributions] == [("bcus_1", KEY)]
