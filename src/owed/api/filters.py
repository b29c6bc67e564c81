"""Filters: what the objects of a list can be found by (contract, 1.6)."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from msgspec import UNSET

from owed.api import query
from owed.api.fields import Choice, Date, Faults, Field, Moment, Pattern, Text
from owed.api.forms import METADATA, currency
from owed.core.state import NAME
from owed.model import search
from owed.model.bill import BillStatus
from owed.store.list_queries import Due, Paid

METADATA_FILTER = re.compile(r"metadata\[(.*)\]", re.DOTALL).fullmatch

REFERENCE = Pattern("[a-zA-Z0-9_-]+", 255, "an external reference", "A whole external reference.", "UCR1234567890")

IN_CURRENCY = currency("Only those in this currency.")

EXAMPLES = {"customer": "UCR1234567890", "account": "UAR1234567890", "bill": "INV1234567890"}

TIMES = ("created_after", "created_before")
PAGING = ("limit", "cursor")

DUE: Mapping[str, Field] = {
    "due_after": Date("Due after this day.", "2026-01-31"),
    "due_before": Date("Due before this day.", "2026-03-01"),
    "overdue": Choice(("true",), "Unpaid, and due before today in your time zone.", "true"),
}


PAID: Mapping[str, Field] = {
    "paid_after": Moment("Paid after this time.", "2026-01-31T00:00:00Z", is_bound=True),
    "paid_before": Moment("Paid before this time.", "2026-03-01T00:00:00Z", is_bound=True),
}


class Given(NamedTuple):
    """The parameters of a request for a list, as far as they are right.

    Attributes:
        once: As they came, of those that may be given once.
        checked: The filters among them.
        metadata: The filters on metadata, by their keys.
    """

    once: dict[str, str]
    checked: dict[str, Any]
    metadata: list[tuple[str, str]]


class Filters:
    """The filters of a list. Every list has bounds of time too, and filters on metadata.

    Args:
        values: Filters on a whole value, each with what makes the search term of one; an empty one says nothing.
        searched: What `q` looks in; None where there is no `q`.
        owners: The kinds of object that those of the list belong to.
        are_due: Whether the objects have a due date.
        are_paid: Whether they have a time of payment.
        beside: Parameters of the route that are no filters: others read them.
    """

    def __init__(
        self,
        values: Mapping[str, tuple[Field, Callable[[str], str]]],
        *,
        searched: str | None = None,
        owners: tuple[str, ...] = (),
        are_due: bool = False,
        are_paid: bool = False,
        beside: Mapping[str, Field] | None = None,
    ) -> None:
        self.owners = owners
        self._terms = {name: term for name, (_, term) in values.items()}
        self.fields: dict[str, Field] = {
            "external_reference": REFERENCE,
            **{name: field for name, (field, _) in values.items()},
            **{name: owner(name) for name in owners},
            **(DUE if are_due else {}),
            **(PAID if are_paid else {}),
            **(beside or {}),
            **({"q": words_of(searched)} if searched else {}),
        }

    @property
    def names(self) -> list[str]:
        """List the parameters of the list."""
        return [*self.fields, *TIMES, "metadata[key]", *PAGING]

    def read(self, given: list[tuple[str, str]], faults: Faults) -> Given:
        """Read the parameters of a request, noting every fault."""
        metadata = [(match[1], value) for name, value in given if (match := METADATA_FILTER(name))]
        once = query.single(given, {name for name, _ in given if METADATA_FILTER(name)}, faults)
        for name in once:
            if name not in (*self.fields, *TIMES, *PAGING):
                faults.note(query.place(name), f"There is no such parameter; there are {', '.join(self.names)}.")
        checked = {
            name: value
            for name, field in self.fields.items()
            if name in once and (value := field.check(once[name], query.place(name), faults)) is not UNSET
        }
        return Given(once, checked, metadata)

    def terms(self, given: Given, faults: Faults) -> Iterator[str]:
        """Yield the search term of each filter that has one, but for the owners."""
        made = (term(given.checked[name]) for name, term in self._terms.items() if name in given.checked)
        yield from filter(None, made)
        yield from q_terms(given.checked, faults)
        yield from metadata_terms(given.metadata, faults)
        if "overdue" in given.checked:
            yield search.status_term(BillStatus.UNPAID)


def words_of(searched: str) -> Text:
    """Make the filter on words that something holds."""
    return Text(255, f"Words that must all occur, whole, in any case, in {searched}.", "john doe")


def owner(kind: str) -> Pattern:
    """Make the filter on the object of a kind that those of a list belong to."""
    description = f"Only those of one {kind}: its id, or its external reference."
    return Pattern(NAME, 255, f"the id or the external reference of one {kind}", description, EXAMPLES[kind])


def due(checked: dict[str, Any], today: date) -> Due | None:
    """Give the range of due dates that the filters allow, None where they allow any and none; bounds are exclusive."""
    if checked.keys().isdisjoint(DUE):
        return None
    firsts = [checked[name].toordinal() + 1 for name in ("due_after",) if name in checked]
    lasts = [checked[name].toordinal() - 1 for name in ("due_before",) if name in checked]
    if "overdue" in checked:
        lasts.append(today.toordinal() - 1)
    return Due(max([Due().first, *firsts]), min([Due().last, *lasts]))


def paid(checked: dict[str, Any]) -> Paid | None:
    """Give the range of times of payment that the filters allow, None where they allow any; bounds are exclusive."""
    if checked.keys().isdisjoint(PAID):
        return None
    return Paid(checked.get("paid_after", Paid().after), checked.get("paid_before", Paid().before))


def q_terms(checked: dict[str, Any], faults: Faults) -> Iterator[str]:
    """Yield the term of each word that is searched for."""
    if "q" not in checked:
        return
    words = search.words(checked["q"])
    if not words:
        faults.note(query.place("q"), "This must hold at least one word: letters or digits.")
    yield from map(search.word_term, words)


def metadata_terms(pairs: list[tuple[str, str]], faults: Faults) -> Iterator[str]:
    """Yield the term of each metadata filter."""
    for key, value in pairs:
        METADATA.check_entry(key, value, query.place(f"metadata[{key}]"), faults)
        yield search.metadata_term(key, value)
