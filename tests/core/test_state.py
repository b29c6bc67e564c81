import pytest

from owed.core.state import State, is_name
from owed.model.bill import Bill
from owed.model.customer import Customer
from tests.core.samples import Books, create, create_account, create_bill, update, update_bill


def test_an_object_is_found_by_id_and_by_reference_in_its_own_tenant() -> None:
    books = Books()
    customer: Customer = books.done(create("UCR1"))

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


def two_bills() -> tuple[Bill, Bill]:
    """Make a bill, and another whose reference is the id of the first (contract, 1.3)."""
    books = Books(create())
    first = books.done(create_bill("INV1", customer="UCR1"))
    return first, books.done(create_bill(first.id, customer="UCR1"))


@pytest.mark.parametrize("order", [1, -1])
def test_the_id_is_tried_before_the_reference_whichever_was_loaded_first(order: int) -> None:
    first, second = bills = two_bills()
    shelf = State(bills[::order]).bills

    assert second.external_reference == first.id
    assert (shelf.find(1, first.id), shelf.find(1, second.id), shelf.find(1, "INV1")) == (first, second, first)


def test_the_id_of_a_bill_is_no_reference_that_is_taken() -> None:
    first, second = two_bills()

    assert not State([first]).bills.holder(1, first.id)
    assert State([second]).bills.holder(1, first.id)
    assert not State([second]).bills.holder(2, first.id)


def test_two_bills_that_share_a_text_stay_two() -> None:
    first, second = two_bills()
    books = Books()
    books.state = State([first, second])
    changed = [books.done(update_bill(name, amount_paid=1)) for name in (first.id, second.id)]

    assert [*books.state.bills.changed()] == sorted(zip((first, second), changed, strict=True), key=lambda it: it[0].id)


def test_objects_of_each_kind_stand_on_a_shelf_of_their_own() -> None:
    books = Books(create("SAME"), create_account("SAME", customer="SAME"), create_bill("SAME", account="SAME"))

    found = [item for shelf in books.state.shelves.values() if (item := shelf.find(1, "SAME"))]
    assert [item.kind for item in found] == ["customer", "account", "bill"]
    assert [item.kind for item in State(found).bills.created()] == []


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
