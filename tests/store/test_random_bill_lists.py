"""Lists of random bills: by any filters, a page holds what a look at every bill finds, and reads few buffers."""

from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

import pytest

from owed.model import search
from owed.model.bill import Bill, BillStatus
from owed.model.customer import Customer
from owed.model.identifiers import BILL, CUSTOMER, base62, uuid7
from owed.model.obligation import Obligation
from owed.store.list_queries import Cursor, Due, ListQuery
from owed.store.lists import Lists
from tests.core.samples import NOW
from tests.database.places import connected
from tests.store.metering import load, measured
from tests.store.workers import pooled

BOUND = 200
"""Buffers for the 21 rows of a page and the one beside it."""

PLACES = {"first": None, "deep": Cursor(newer=False, id=""), "back": Cursor(newer=True, id="")}

BILLS = 10_000
TENANT = 1
NEW_YEAR = date(2026, 1, 1).toordinal()
OWNERS = [
    Customer(
        tenant_id=TENANT,
        id=CUSTOMER + base62(uuid7(number, 1)),
        external_reference=f"owner-{number}",
        created_at=NOW,
        updated_at=NOW,
    )
    for number in range(40)
]


class Billed(NamedTuple):
    """A tenant with many bills, newest first, and the terms of each.

    Half of them are of one customer, and most are due in the same few years.
    """

    dsn: str
    bills: list[Bill]
    terms: list[set[str]]


def a_bill(number: int, random: Random) -> Bill:
    created_at = NOW + timedelta(milliseconds=number)
    status = random.choice([BillStatus.UNPAID, BillStatus.UNPAID, BillStatus.PAID, BillStatus.VOIDED])
    near, far = NEW_YEAR + random.randrange(-1500, 1500), random.randrange(1, date.max.toordinal() + 1)
    due = random.choice([near, near, near, far, None])
    return Bill(
        tenant_id=TENANT,
        id=BILL + base62(uuid7(int(created_at.timestamp() * 1000), 1)),
        external_reference=f"ref-{number}",
        created_at=created_at,
        updated_at=created_at,
        customer_id=OWNERS[0 if number % 2 else random.randrange(1, len(OWNERS))].id,
        amount_due=1000,
        amount_paid=1000 if status is BillStatus.PAID else 0,
        is_voided=status is BillStatus.VOIDED,
        bill_date=NOW.date(),
        due_date=None if due is None else date.fromordinal(due),
        obligation=Obligation(
            currency=random.choice(["ZAR", "ZAR", "USD"]),
            total=1000 if status is BillStatus.UNPAID else 0,
            tracked=True,
            version=1,
            recorded_at=created_at,
        ),
        event_sequence=1,
    )


@pytest.fixture(scope="module")
def billed(dsn: str) -> Billed:
    random = Random(1)
    made = [a_bill(number, random) for number in range(BILLS)][::-1]

    async def fill(psql: Any) -> None:
        await load(psql, OWNERS)
        await load(psql, made)

    connected(dsn, fill)
    return Billed(dsn, made, [set(bill.terms()) for bill in made])


def owner(number: int) -> str:
    return search.owner_term(OWNERS[number].id)


def days(first: int, last: int) -> Due:
    """Give a range of due dates, by days since the new year."""
    return Due(NEW_YEAR + first, NEW_YEAR + last)


UNPAID, PAID = search.status_term("unpaid"), search.status_term("paid")


@pytest.mark.parametrize(
    ("terms", "due", "most"),
    [
        (set[str](), None, 20),
        ({owner(0)}, None, BOUND),
        ({owner(3)}, None, BOUND),
        ({UNPAID}, None, BOUND),
        ({"c:ZAR"}, None, BOUND),
        (set(), days(0, 2), BOUND),
        # Two and more are counted first, as far as five thousand entries each.
        ({owner(0), UNPAID}, None, 5_000),
        ({UNPAID}, days(0, 2), 1_000),
        ({UNPAID, owner(0)}, days(0, 2), 5_000),
        ({PAID, "c:ZAR"}, days(-5, -5), 5_000),
        ({owner(3)}, days(-1500, 1500), 1_000),
        ({UNPAID, owner(3)}, days(-1500, -1), 5_000),
    ],
)
@pytest.mark.parametrize("place", PLACES.values(), ids=[*PLACES])
async def test_any_page_of_bills_reads_few_buffers(
    billed: Billed, terms: set[str], due: Due | None, most: int, place: Cursor | None
) -> None:
    """The days that are due are walked, or what is rarer; to look at every bill would take 40,000."""
    cursor = place and Cursor(place.newer, billed.bills[BILLS // 2].id)
    query = ListQuery("bill", TENANT, 20, cursor, terms=frozenset(terms), due=due)
    _, buffers = await measured(billed.dsn, query)

    assert buffers < most


def a_query(random: Random, bills: list[Bill]) -> ListQuery:
    """Ask for bills by any filters, next to any bill."""
    first = NEW_YEAR + random.choice([-1500, -40, 0, random.randrange(-1500, 1500), 1 - NEW_YEAR])
    last = random.choice([first + random.randrange(-2, 400), first, date.max.toordinal()])
    common, rare = [owner(0), UNPAID, PAID, "c:ZAR", "c:USD"], [owner(3), owner(7), "w:77"]
    terms = frozenset(random.sample(common, random.randrange(3))) | frozenset(
        random.sample(rare, random.choice([0, 0, 1]))
    )
    return ListQuery(
        "bill",
        TENANT,
        random.choice([1, 7, 20]),
        random.choice([None, Cursor(newer=random.random() < 0.5, id=random.choice(bills).id)]),
        terms=frozenset(terms),
        due=random.choice([None, Due(first, last), Due(first, last)]),
    )


def page_of(billed: Billed, query: ListQuery) -> list[Bill]:
    """Say what is on a page, by looking at every bill."""
    found = [
        bill
        for bill, terms in zip(billed.bills, billed.terms, strict=True)
        if query.terms <= terms and (query.due is None or query.due.takes(bill))
    ]
    if query.cursor is None:
        return found[: query.limit]
    if query.cursor.newer:
        return [bill for bill in found if bill.id > query.cursor.id][-query.limit :]
    return [bill for bill in found if bill.id < query.cursor.id][: query.limit]


async def test_a_page_of_bills_holds_what_a_look_at_every_bill_finds(billed: Billed) -> None:
    """Whether the due dates are walked, or something rarer, or nothing but ids."""
    random = Random(2)
    async with pooled(billed.dsn, 1) as pool:
        lists = Lists(pool)
        for _ in range(150):
            query = a_query(random, billed.bills)

            assert (await lists.page(query)).objects == page_of(billed, query), query
