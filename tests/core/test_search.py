import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owed.model.obligation import Obligation
from owed.model.search import customer_terms, metadata_term, words
from tests.core.samples import Books, create


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

    assert customer_terms(customer) == {
        "w:john", "w:doe", "w:j", "w:x", "w:za", "w:271", "w:ucr1", "e:J@x.za", "p:+271", "c:ZAR", "m:4:plan=gold",
    }  # fmt: skip


def test_a_bare_customer_is_found_by_the_words_of_its_reference() -> None:
    assert customer_terms(Books().done(create("UCR-1"))) == {"w:ucr", "w:1"}


def test_a_balance_is_nothing_to_search_for() -> None:
    customer = Books().done(create(currency="ZAR"))
    tracked = msgspec.structs.replace(customer, obligation=Obligation("ZAR", 5, tracked=True, version=1))

    assert customer_terms(customer) == customer_terms(tracked)


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
