import pytest

from owed.core.state import State, is_name
from tests.core.samples import Books, create, update


def test_an_object_is_found_by_id_and_by_reference_in_its_own_tenant() -> None:
    books = Books()
    customer = books.done(create("UCR1"))

    shelf = books.state.customers
    assert shelf.find(1, "UCR1") is shelf.find(1, customer.id) is customer
    assert shelf.find(2, "UCR1") is shelf.find(2, customer.id) is shelf.find(1, "UCR2") is None


def test_what_is_created_and_changed_at_once_is_only_created() -> None:
    books = Books(create("UCR1"), update(name="x"))

    assert [customer.name for customer in books.state.customers.created()] == ["x"]
    assert list(books.state.customers.changed()) == []


def test_what_is_changed_twice_changed_once_from_what_was_loaded() -> None:
    loaded = Books().done(create("UCR1"))
    books = Books()
    books.state = State([loaded])
    books.done(update(name="x"))
    last = books.done(update(name="y"))

    assert list(books.state.customers.changed()) == [(loaded, last)]


def test_what_was_loaded_and_left_alone_is_neither_created_nor_changed() -> None:
    state = State([Books().done(create())])

    assert (state.customers.created(), list(state.customers.changed())) == ([], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bcus_1", True),
        ("a" * 255, True),
        ("", False),
        ("a" * 256, False),
        ("a b", False),
        ("a\n", False),
        ("é", False),
        ("٣", False),
        ("a\0", False),
    ],
)
def test_a_name_is_one_to_255_characters_of_ascii(text: str, *, expected: bool) -> None:
    assert bool(is_name(text)) == expected


def test_what_is_created_is_listed_in_the_order_of_references() -> None:
    """Two workers that insert the same references must take them in one order (docs/architecture.md, "deadlocks")."""
    books = Books(*(create(name, tenant=tenant) for tenant in (2, 1) for name in ("b", "c", "B", "a")))

    created = [(customer.tenant_id, customer.external_reference) for customer in books.state.customers.created()]
    assert created == [(tenant, name) for tenant in (1, 2) for name in ("B", "a", "b", "c")]
