"""The table of search terms: one row for each term of each object."""

from itertools import chain

import msgspec

from owed.core.state import State
from owed.model.findable import Findable
from owed.store.objects import OBJECTS
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
    shelves = [state.shelves[kind] for kind in OBJECTS]
    added = [terms_row(item, set(item.terms())) for shelf in shelves for item in shelf.created()]
    gone = []
    for before, after in chain.from_iterable(shelf.changed() for shelf in shelves):
        if before.searched() != after.searched():  # most changes are of an amount
            was, now = set(before.terms()), set(after.terms())
            added.append(terms_row(after, now - was))
            gone.append(terms_row(after, was - now))
    return added, gone


def terms_row(item: Findable, found: set[str]) -> tuple[int, str, str]:
    """Give the row of some terms of an object."""
    return item.tenant_id, item.id, msgspec.json.encode(sorted(found)).decode()
