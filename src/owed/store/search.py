"""The table of search terms: one row for each term of each object."""

from collections.abc import Iterable, Iterator

from owed.core.state import State
from owed.model.customer import Customer
from owed.model.search import customer_terms
from owed.store.statements import Part, Rows, insert

COLUMNS = {"tenant_id": "int", "term": "text", "object_id": "text"}

INSERT_TERMS = insert("search_term", **COLUMNS)

DELETE_TERMS = Part(
    "delete_search_term",
    """
    DELETE FROM search_term USING {rows}
     WHERE search_term.tenant_id = row.tenant_id AND search_term.term = row.term
       AND search_term.object_id = row.object_id
    """,
    tuple(COLUMNS.items()),
)


def term_changes(state: State) -> tuple[Rows, Rows]:
    """Give the rows to insert and to delete for a state, each in the order of the table's key."""
    added: list[tuple[int, str, str]] = []
    gone: list[tuple[int, str, str]] = []
    for customer in state.customers.created():
        added += rows(customer, customer_terms(customer))
    for before, after in state.customers.changed():
        if is_searched_alike(before, after):
            continue
        was, now = customer_terms(before), customer_terms(after)
        added += rows(after, now - was)
        gone += rows(after, was - now)
    return sorted(added), sorted(gone)


def is_searched_alike(before: Customer, after: Customer) -> bool:
    """Tell, at little cost, that a change touches nothing that is searched: most are of a balance."""
    return (
        (before.name, before.email, before.phone) == (after.name, after.email, after.phone)
        and before.obligation.currency == after.obligation.currency
        and before.metadata == after.metadata
    )


def rows(customer: Customer, found: Iterable[str]) -> Iterator[tuple[int, str, str]]:
    """Yield the rows of some terms of a customer."""
    return ((customer.tenant_id, term, customer.id) for term in found)
