from datetime import date
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owed.model.bill import BillStatus
from owed.model.obligation import Obligation
from owed.model.search import BLOCKS, blocks_between, due_terms, due_terms_of, metadata_term, words
from tests.core.samples import Books, create, create_account, create_bill, update_account, update_bill, void

DUE = date(2026, 2, 28)

days = st.dates().map(date.toordinal)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("John Doe", ["john", "doe"]),
        ("john.doe+x@Example.com", ["john", "doe", "x", "example", "com"]),
        ("UCR-12_34", ["ucr", "12", "34"]),
        ("+27821234567", ["27821234567"]),
        ("José", ["josé"]),
        ("JOSÉ", ["josé"]),  # composed or not, it is one word
        ("Straße", ["strasse"]),
        ("ﬁnance", ["finance"]),
        ("李 小龍", ["李", "小龍"]),
        ("١٢٣", ["١٢٣"]),
        ("--__..", []),
        ("", []),
    ],
)
def test_words_are_runs_of_letters_and_digits_in_one_case_and_form(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_customer_is_found_by_all_that_can_be_searched() -> None:
    customer = Books().done(
        create("UCR1", name="John Doe", email="J@x.za", phone="+271", currency="ZAR", metadata={"plan": "gold"})
    )

    assert set(customer.terms()) == {
        "w:john", "w:doe", "w:j", "w:x", "w:za", "w:271", "w:ucr1", "e:J@x.za", "p:+271", "c:ZAR", "m:4:plan=gold",
    }  # fmt: skip


def test_a_bare_customer_is_found_by_the_words_of_its_reference() -> None:
    assert set(Books().done(create("UCR-1")).terms()) == {"w:ucr", "w:1"}


def test_an_account_is_found_by_all_that_can_be_searched_and_by_its_customer() -> None:
    account = Books(create()).done(
        create_account("ACC-1", customer="UCR1", name="Water", currency="ZAR", metadata={"meter": "7"})
    )

    assert {*account.terms()} == {
        "w:water", "w:acc", "w:1", "c:ZAR", "m:5:meter=7", f"o:{account.customer_id}",
    }  # fmt: skip


def test_a_bill_is_found_by_whose_it_is_by_how_it_stands_and_by_when_it_is_due() -> None:
    books = Books(create(), create_account(customer="UCR1"))
    bill = books.done(create_bill("INV-1", account="ACC1", due_date=DUE, metadata={"run": "7"}))

    day = DUE.toordinal()
    assert {*bill.terms()} == {
        "w:inv", "w:1", "c:ZAR", "m:3:run=7", f"o:{bill.customer_id}", f"o:{bill.account_id}", "s:unpaid",
        *(f"d:unpaid:{size}:{day // size}" for size in BLOCKS),
    }  # fmt: skip


def test_a_bare_bill_is_found_by_its_reference_its_customer_and_how_it_stands() -> None:
    bill = Books(create()).done(create_bill("INV1", customer="UCR1"))

    assert {*bill.terms()} == {"w:inv1", "c:ZAR", f"o:{bill.customer_id}", "s:unpaid"}


@pytest.mark.parametrize(
    ("changed", "is_found_otherwise"),
    [
        (update_bill(amount_paid=1), False),
        (update_bill(amount_paid=1000), True),
        (update_bill(due_date=DUE), True),
        (update_bill(currency="USD"), True),
        (update_bill(metadata={"a": "b"}), True),
        (update_bill(payment_rules=None), False),
        (void(), True),
        (update_account(name="Gas"), True),
        (update_account(balance=7), False),
    ],
)
def test_what_an_object_is_found_by_changes_exactly_where_what_it_is_made_of_does(
    changed: Any, *, is_found_otherwise: bool
) -> None:
    books = Books(create(), create_account(customer="UCR1", currency="ZAR"), create_bill(account="ACC1"))
    before: Any = books.state.shelves[changed.members.kind].find(1, changed.name)
    after = books.done(changed)

    assert ({*before.terms()} != {*after.terms()}) == is_found_otherwise
    assert (before.searched() != after.searched()) == is_found_otherwise


@given(days, days)
def test_blocks_of_days_are_a_range_without_gap_or_overlap(first: int, last: int) -> None:
    blocks = sorted((number * size, (number + 1) * size) for size, number in blocks_between(first, last))

    assert all(end == start for (_, end), (start, _) in pairwise(blocks))
    assert [blocks[0][0], blocks[-1][1]] == [first, last + 1] if first <= last else blocks == []


@given(days, days)
def test_blocks_are_few_and_of_the_sizes_that_due_dates_are_found_by(first: int, last: int) -> None:
    blocks = [*blocks_between(first, last)]

    assert {size for size, _ in blocks} <= {*BLOCKS}
    assert len(blocks) <= 4 * 63 + max(last - first, 0) // BLOCKS[-1]


@given(days, days, st.dates(), st.lists(st.sampled_from(BillStatus), unique=True), st.sampled_from(BillStatus))
def test_a_due_date_meets_a_range_that_holds_it_in_exactly_one_term(
    first: int, last: int, due: date, asked: list[BillStatus], status: BillStatus
) -> None:
    met = [term for term in due_terms(asked, first, last) if term in {*due_terms_of(status, due)}]

    assert len(met) == (first <= due.toordinal() <= last and status in asked)


@given(st.data())
def test_the_days_at_the_ends_of_a_range_are_in_it_and_those_beside_it_are_not(data: st.DataObject) -> None:
    first = data.draw(st.integers(2, date.max.toordinal() - 1))
    last = data.draw(st.integers(first, min(first + 10_000, date.max.toordinal() - 1)))
    terms = {*due_terms(["unpaid"], first, last)}

    met = [
        len(terms.intersection(due_terms_of("unpaid", date.fromordinal(day))))
        for day in (first - 1, first, (first + last) // 2, last, last + 1)
    ]
    assert met == [0, 1, 1, 1, 0]


def test_a_balance_is_nothing_to_search_for() -> None:
    customer = Books().done(create(currency="ZAR"))
    tracked = msgspec.structs.replace(customer, obligation=Obligation("ZAR", 5, tracked=True, version=1))

    assert customer.searched() == tracked.searched()


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_no_two_metadata_values_share_a_term(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (metadata_term(*one) == metadata_term(*other)) == (one == other)


@given(st.text(max_size=255))
def test_a_word_fits_into_a_term_of_the_index(text: str) -> None:
    """Compatibility forms unfold: U+FDFA alone is eighteen characters. An index of PostgreSQL takes 2,704 bytes,
    compressed; twelve bytes for each character of a name is the most that one can become."""
    assert all(len(word.encode()) <= 12 * len(text) + 36 for word in words(text))


@given(st.text(alphabet=st.characters(codec="ascii")))
def test_ascii_takes_a_short_way_to_the_same_words(text: str) -> None:
    assert words(text) == words(text + " é")[:-1]
