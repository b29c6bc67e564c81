"""The table of search terms: one row for each term of each object."""

import msgspec

from owed.core.state import State
from owed.model.customer import Customer
from owed.model.search import customer_terms
from owed.store.statements import Part, Rows

# An object's terms travel as one JSON array: a column of an array costs the driver more than the terms themselves.
COLUMNS = (("tenant_id", "int"), ("object_id", "text"), ("terms", "json"))

INSERT_TERMS = Part(
    "insert_search_term",
    """
    INSERT INTO search_term (tenant_id, term, object_id)
    SELECT row.tenant_id, term, row.object_id
      FROM {rows}
     CROSS JOIN json_array_elements_text(row.terms) AS term
    """,
    COLUMNS,
)

DELETE_TERMS = Part(
    "delete_search_term",
    """
    DELETE FROM search_term
     USING {rows}
     CROSS JOIN json_array_elements_text(row.terms) AS gone
     WHERE search_term.tenant_id = row.tenant_id AND search_term.term = gone
       AND search_term.object_id = row.object_id
    """,
    COLUMNS,
)


def term_changes(state: State) -> tuple[Rows, Rows]:
    """Give the rows to insert and to delete for a state, in the order of its objects."""
    added = [terms_row(customer, customer_terms(customer)) for customer in state.customers.created()]
    gone = []
    for before, after in state.customers.changed():
        if is_searched_alike(before, after):
            continue
        was, now = customer_terms(before), customer_terms(after)
        added.append(terms_row(after, now - was))
        gone.append(terms_row(after, was - now))
    return added, gone


def is_searched_alike(before: Customer, after: Customer) -> bool:
    """Tell, at little cost, that a change touches nothing that is searched: most are of a balance."""
    return (
        (before.name, before.email, before.phone) == (after.name, after.email, after.phone)
        and before.obligation.currency == after.obligation.currency
        and before.metadata == after.metadata
    )


def terms_row(customer: Customer, found: set[str]) -> tuple[int, str, str]:
    """Give the row of some terms of a customer."""
    return customer.tenant_id, customer.id, msgspec.json.encode(sorted(found)).decode()
