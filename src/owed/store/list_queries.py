"""What a list can be asked for."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, NamedTuple, Self

import msgspec

from owed.model.bill import Bill, BillStatus
from owed.model.identifiers import EPOCH, id_at, milliseconds
from owed.model.payment import Payment, PaymentStatus
from owed.model.search import due_terms, paid_terms, status_term
from owed.store.objects import OBJECTS
from owed.store.tables import Table

END = datetime(9999, 1, 1, tzinfo=UTC)


class Cursor(NamedTuple):
    """Where a page begins: next to an id, or whatever else a list is in the order of, on its newer or older side."""

    newer: bool
    id: str


class Due(NamedTuple):
    """A range of due dates, by the ordinals of its first and its last day."""

    first: int = date.min.toordinal()
    last: int = date.max.toordinal()

    def takes(self, bill: Bill) -> bool:
        """Tell whether a bill is due in it."""
        return bill.due_date is not None and self.first <= bill.due_date.toordinal() <= self.last


class Paid(NamedTuple):
    """A range of times at which payments were made; both bounds are exclusive."""

    after: datetime = EPOCH - timedelta(microseconds=1)
    before: datetime = END

    def takes(self, payment: Payment) -> bool:
        """Tell whether a payment was made in it."""
        return self.after < payment.paid_at < self.before


class Aside(NamedTuple):
    """What is asked for of payments with unallocated money; None: whatever it is."""

    customer_id: str | None = None
    currency: str | None = None
    channel: str | None = None

    def conditions(self) -> "Iterator[Condition]":
        """Yield what must hold: there is an index of these payments, which are few, and one by customer."""
        yield Condition("payment.unallocated_total < 0", (), lambda payment: payment.amount_unallocated > 0)
        for column, wanted in (
            ("unallocated_customer_id", self.customer_id),
            ("currency", self.currency),
            ("channel", self.channel),
        ):
            if wanted is not None:
                takes = partial(has, column, wanted)
                yield Condition(f"payment.{column} = {{}}", (wanted,), takes)


def has(column: str, wanted: str, payment: Payment) -> bool:
    """Tell whether a payment has a value."""
    return bool(getattr(payment, column) == wanted)


class Condition(NamedTuple):
    """What must hold of an object, beside its terms.

    Attributes:
        sql: With `{}` for each of its values.
        takes: Tells whether it holds of an object.
    """

    sql: str
    values: tuple[Any, ...]
    takes: Callable[[Any], bool]


class ListQuery(msgspec.Struct, frozen=True):
    """What a list is asked for. All filters hold at once; times are exclusive bounds.

    Attributes:
        due: Of bills alone.
        paid: Of payments alone, as are the two below.
        aside: Of payments with unallocated money, and of no others.
        is_whole: Whether nothing was taken back of it. Nearly all payments are so, which makes it no search term.
        is_backdated: Whether it was recorded on a later day than it was made; None where that is all one.
    """

    kind: str
    tenant_id: int
    limit: int
    cursor: Cursor | None = None
    external_reference: str | None = None
    terms: frozenset[str] = frozenset()
    due: Due | None = None
    paid: Paid | None = None
    aside: Aside | None = None
    is_whole: bool = False
    is_backdated: bool | None = None
    created_after: datetime = EPOCH
    created_before: datetime = END

    @property
    def statuses(self) -> list[BillStatus]:
        """List the statuses that are asked for of bills."""
        return [status for status in BillStatus if status_term(status) in self.terms]

    @property
    def is_impossible(self) -> bool:
        """Tell whether nothing can be found: there are two statuses, or no day in the range of due dates."""
        return len(self.statuses) > 1 or bool(self.due and self.due.first > self.due.last)

    @property
    def table(self) -> Table[Any]:
        """Give the table of what is listed."""
        return OBJECTS[self.kind]

    def between(self, side: Cursor | None = None) -> tuple[str, str]:
        """Give the ids that bound the times of the query, and the side of a cursor."""
        above = id_at(self.table.prefix, milliseconds(self.created_after))
        below = id_at(self.table.prefix, milliseconds(self.created_before) + 1)
        if side is None:
            return above, below
        return (max(above, side.id), below) if side.newer else (above, min(below, side.id))

    def conditions(self) -> Iterator[Condition]:
        """Yield what must hold beside the terms and the times."""
        if self.due:
            days = tuple(map(date.fromordinal, self.due))
            yield Condition("bill.due_date BETWEEN {} AND {}", days, self.due.takes)
        if self.paid:
            yield Condition("payment.paid_at > {} AND payment.paid_at < {}", tuple(self.paid), self.paid.takes)
        if self.aside is not None:
            yield from self.aside.conditions()
        if self.is_whole:
            yield Condition(
                "payment.last_taken_back IS NULL", (), lambda payment: payment.status is PaymentStatus.SUCCEEDED
            )

    def by_days(self) -> tuple[list[str], frozenset[str]] | None:
        """Give terms of blocks of days, any one of which an object must have, and the terms that it must have besides.

        None where no term tells the days that are asked for.
        """
        if self.due:
            of_status = frozenset(map(status_term, self.statuses))
            return due_terms(self.statuses or BillStatus, *self.due), self.terms - of_status
        if self.paid and self.is_backdated:
            return paid_terms(self.paid.after.toordinal(), self.paid.before.toordinal()), self.terms
        return None

    def parts(self) -> tuple[Self, ...]:
        """Part a query for times of payment in two, each of which finds its rows at once.

        No payment is recorded before it is made. What was recorded on the day of the payment lies before the end of
        that day, and what was recorded later has terms that tell the day.
        """
        if self.paid is None:
            return (self,)
        end = datetime.combine(min(self.paid.before, END), time.min, UTC) + timedelta(days=1)
        after = max(self.created_after, self.paid.after)
        late = msgspec.structs.replace(self, is_backdated=True, created_after=after)
        before = min(self.created_before, end)
        return msgspec.structs.replace(self, is_backdated=False, created_after=after, created_before=before), late
