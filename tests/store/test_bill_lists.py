"""Lists of bills: by whose they are, how they stand and when they are due, any page costs what a page costs."""

from collections import Counter
from datetime import date, timedelta
from typing import Any, NamedTuple

import pytest

from owed.model import search
from owed.model.account import Account
from owed.model.bill import Bill, BillStatus
from owed.model.customer import Customer
from owed.model.identifiers import ACCOUNT, BILL, CUSTOMER, base62, uuid7
from owed.model.obligation import Obligation
from owed.store.list_queries import Cursor, Due, ListQuery
from owed.store.lists import MANY, Lists
from tests.core.samples import NOW
from tests.database.places import connected
from tests.store.metering import load, measured
from tests.store.workers import pooled

COUNT = 12_000
A_DAY = 150
"""Bills that are due on the same day; older bills are due earlier."""

FIRST_DAY = date(2026, 1, 1)
TODAY = FIRST_DAY + timedelta(days=60)
NOT_YET_DUE = 60 * A_DAY
"""The first bill that is due today or later: three thousand are, all unpaid; those before are paid, but for a few."""

OVERDUE = {7, 3_008, 6_007, 8_999}
TENANT, OTHER_TENANT = 1, 2


class World(NamedTuple):
    """A good payer's world: many bills, oldest first."""

    dsn: str
    bills: list[Bill]

    def found(self, terms: frozenset[str], due: Due | None) -> list[Bill]:
        """Give the bills that a list must have, newest first."""
        matching = [bill for bill in self.bills if terms.issubset(bill.terms()) and (due is None or due.takes(bill))]
        return matching[::-1]


def an_id(prefix: str, number: int) -> str:
    return prefix + base62(uuid7(int((NOW + timedelta(milliseconds=number)).timestamp() * 1000), 1))


CUSTOMERS = {
    "large": an_id(CUSTOMER, 0),
    "small": an_id(CUSTOMER, 1),
    "paying": an_id(CUSTOMER, 2),
    "other": an_id(CUSTOMER, 3),
}
ACCOUNTS = {"water": an_id(ACCOUNT, 0), "gas": an_id(ACCOUNT, 1)}


def owner_of(number: int, *, is_open: bool) -> str:
    """Say whose a bill is: half are of the large customer, a quarter of one who has paid all, ten of the small one."""
    if number % 1_200 == 1:
        return "small"
    if number % 2 == 0:
        return "large"
    return "other" if is_open or number % 4 == 1 else "paying"


def a_bill(number: int, tenant: int = TENANT) -> Bill:
    """Make one of many; one in five hundred is voided, one in a hundred is never due."""
    created_at = NOW + timedelta(milliseconds=number)
    is_voided = number % 500 == 3
    is_open = number >= NOT_YET_DUE or number in OVERDUE or is_voided
    owner = owner_of(number, is_open=is_open)
    total = 0 if is_voided or not is_open else 1000
    return Bill(
        tenant_id=tenant,
        id=an_id(BILL, number),
        external_reference=f"inv-{number}",
        created_at=created_at,
        updated_at=created_at,
        customer_id=CUSTOMERS[owner],
        account_id={0: ACCOUNTS["water"], 2: ACCOUNTS["gas"]}.get(number % 8) if owner == "large" else None,
        amount_due=1000,
        amount_paid=0 if is_open else 1000,
        is_voided=is_voided,
        bill_date=FIRST_DAY,
        due_date=None if number % 100 == 50 else FIRST_DAY + timedelta(days=number // A_DAY),
        obligation=Obligation("ZAR", total, tracked=True, version=1, recorded_at=created_at),
        metadata={"run": str(number % 10)},
        event_sequence=1,
    )


def an_account(number: int, tenant: int) -> Account:
    """Make one of the accounts of the large customer; the first two are those that bills are on."""
    at = NOW + timedelta(milliseconds=number)
    name, large = [*ACCOUNTS][number] if number < 2 else f"meter-{number}", CUSTOMERS["large"]
    return Account(
        tenant_id=tenant,
        id=an_id(ACCOUNT, number),
        external_reference=name,
        created_at=at,
        updated_at=at,
        customer_id=large,
    )


def everything_of(tenant: int, bills: list[Bill], accounts: int) -> list[list[Any]]:
    """Give bills after all that they belong to."""
    customers = [
        Customer(tenant_id=tenant, id=item, external_reference=name, created_at=NOW, updated_at=NOW)
        for name, item in CUSTOMERS.items()
    ]
    return [customers, [an_account(number, tenant) for number in range(accounts)], bills]


@pytest.fixture(scope="module")
def world(dsn: str) -> World:
    bills = [a_bill(number) for number in range(COUNT)]

    others = [a_bill(number, OTHER_TENANT) for number in range(COUNT - 50, COUNT)]

    async def fill(psql: Any) -> None:
        for objects in (*everything_of(TENANT, bills, 3_000), *everything_of(OTHER_TENANT, others, 2)):
            await load(psql, objects)

    connected(dsn, fill)
    return World(dsn, bills)


def between(first: date | None = None, last: date | None = None) -> Due:
    return Due(*(day.toordinal() for day in (first or date.min, last or date.max)))


def status(wanted: BillStatus) -> frozenset[str]:
    return frozenset({search.status_term(wanted)})


def owner(name: str) -> frozenset[str]:
    return frozenset({search.owner_term((CUSTOMERS | ACCOUNTS)[name])})


UNPAID, PAID, VOIDED = map(status, BillStatus)
RUN = frozenset({search.metadata_term("run", "7")})
EVER, BEFORE_TODAY, FROM_TODAY = between(), between(last=TODAY - timedelta(days=1)), between(TODAY)
ONE_DAY = between(FIRST_DAY + timedelta(days=30), FIRST_DAY + timedelta(days=30))
LONG_AGO, FAR_AWAY = between(last=date(2025, 1, 1)), between(date(2027, 1, 1))

WHOSE = {
    "everything": frozenset[str](),
    "of a customer with thousands": owner("large"),
    "of a customer with ten": owner("small"),
    "of an account": owner("gas"),
    "unpaid": UNPAID,
    "paid": PAID,
    "voided": VOIDED,
    "all by word": frozenset({"w:inv"}),
    "of nobody": frozenset({search.owner_term("bcus_nobody")}),
}
DUE = {
    "overdue": (UNPAID, BEFORE_TODAY),
    "unpaid, not yet due": (UNPAID, FROM_TODAY),
    "unpaid, ever due": (UNPAID, EVER),
    "unpaid on one day, when few were": (UNPAID, ONE_DAY),
    "unpaid long ago": (UNPAID, LONG_AGO),
    "paid, due": (PAID, BEFORE_TODAY),
    "voided, due": (VOIDED, BEFORE_TODAY),
    "due in no way at all": (frozenset[str](), EVER),
    "due before today": (frozenset[str](), BEFORE_TODAY),
    "due from today": (frozenset[str](), FROM_TODAY),
    "due on one day": (frozenset[str](), ONE_DAY),
    "due long ago": (frozenset[str](), LONG_AGO),
    "due far away": (frozenset[str](), FAR_AWAY),
    "never": (frozenset[str](), between(TODAY, TODAY - timedelta(days=1))),
    "overdue of a customer with ten": (UNPAID | owner("small"), BEFORE_TODAY),
    "overdue of a customer with thousands": (UNPAID | owner("large"), BEFORE_TODAY),
    "due, of a run": (RUN, ONE_DAY),
}
PLACES = {"first": None, "deep": Cursor(newer=False, id=""), "back": Cursor(newer=True, id="")}

BOUND = 200
"""Buffers for the 21 rows of a page and the one beside it, without due dates."""

COUNTING = MANY + 100
"""Buffers to tell whether few objects have a term: no more entries than that are counted."""


def asked(
    world: World, terms: frozenset[str], due: Due | None = None, place: Cursor | None = None, **other: Any
) -> ListQuery:
    at = place and Cursor(place.newer, place.id or world.bills[COUNT // 2].id)
    return ListQuery(
        **{"kind": "bill", "tenant_id": TENANT, "limit": 20, "cursor": at, "terms": terms, "due": due, **other}
    )


def bound_of(world: World, terms: frozenset[str], due: Due) -> int:
    """Say what a page of due dates may cost: what its days take, or what a rarer term takes.

    The days take a descent for each block of them, and a page for each that has bills; on either side of the page.
    """
    having = Counter(term for bill in world.bills for term in bill.terms())
    statuses = [wanted for wanted in BillStatus if search.status_term(wanted) in terms]
    blocks = search.due_terms(statuses or BillStatus, *due)
    filled = [block for block in blocks if block in having]
    days = BOUND + 2 * 3 * len(blocks) + 22 * 8 * len(filled)
    others = terms - {search.status_term(status) for status in statuses}
    if not others:
        return days
    rarest = min([having[term] for term in others])
    counting = (len(terms) + 1) * COUNTING + 3 * len(blocks)
    return counting + (BOUND + 2 * 6 * rarest if rarest < sum(having[block] for block in filled) else days)


@pytest.mark.parametrize("terms", WHOSE.values(), ids=[*WHOSE])
@pytest.mark.parametrize("place", PLACES.values(), ids=[*PLACES])
async def test_any_page_of_bills_reads_few_buffers(world: World, terms: frozenset[str], place: Cursor | None) -> None:
    _, buffers = await measured(world.dsn, asked(world, terms, place=place))

    assert buffers < BOUND


@pytest.mark.parametrize(("terms", "due"), DUE.values(), ids=[*DUE])
@pytest.mark.parametrize("place", PLACES.values(), ids=[*PLACES])
async def test_any_page_of_due_bills_reads_what_its_days_take_however_many_bills_there_are(
    world: World, terms: frozenset[str], due: Due, place: Cursor | None
) -> None:
    _, buffers = await measured(world.dsn, asked(world, terms, due, place))

    assert buffers < bound_of(world, terms, due)


async def test_few_overdue_among_many_that_are_paid_or_not_yet_due_are_found_at_once(world: World) -> None:
    """A good payer's world: to walk either the unpaid or the due ones would be to walk thousands."""
    page, buffers = await measured(world.dsn, asked(world, UNPAID, BEFORE_TODAY))

    assert {bill.external_reference for bill in page.objects} == {f"inv-{number}" for number in OVERDUE}
    assert buffers < 2_000


async def test_a_list_that_can_hold_nothing_costs_nothing(world: World) -> None:
    """`status=paid&overdue=true`: a bill has one status."""
    page, buffers = await measured(world.dsn, asked(world, UNPAID | PAID, BEFORE_TODAY))

    assert page.objects == []
    assert buffers == 0


@pytest.mark.parametrize("place", PLACES.values(), ids=[*PLACES])
async def test_the_accounts_of_a_customer_with_thousands_read_few_buffers(world: World, place: Cursor | None) -> None:
    at = place and Cursor(place.newer, an_id(ACCOUNT, 1_500))
    for terms in (frozenset[str](), owner("large")):
        page, buffers = await measured(world.dsn, asked(world, terms, place=at, kind="account"))

        assert (len(page.objects), {account.kind for account in page.objects}) == (20, {"account"})
        assert buffers < BOUND


# What is on the pages

LISTS: dict[str, tuple[frozenset[str], Due | None]] = {**{name: (terms, None) for name, terms in WHOSE.items()}, **DUE}


@pytest.mark.parametrize(("terms", "due"), LISTS.values(), ids=[*LISTS])
async def test_pages_hold_what_matches_newest_first_in_both_directions(
    world: World, terms: frozenset[str], due: Due | None
) -> None:
    """Three pages on from the newest, then back again."""
    wanted = world.found(terms, due)
    async with pooled(world.dsn, 1) as pool:
        lists = Lists(pool)
        pages = [await lists.page(asked(world, terms, due, limit=7))]
        while pages[-1].has_older and len(pages) < 3:
            older = Cursor(newer=False, id=pages[-1].objects[-1].id)
            pages.append(await lists.page(asked(world, terms, due, older, limit=7)))
        back = [pages[-1]]
        while back[-1].has_newer:
            newer = Cursor(newer=True, id=back[-1].objects[0].id)
            back.append(await lists.page(asked(world, terms, due, newer, limit=7)))

    read = [bill for page in pages for bill in page.objects]
    assert read == wanted[: len(read)]
    assert pages[-1].has_older == (len(read) < len(wanted))
    assert [page.objects for page in back] == [page.objects for page in reversed(pages)]


@pytest.mark.parametrize(
    ("reference", "terms", "due", "is_found"),
    [
        ("inv-7", frozenset(), None, True),
        ("inv-7", UNPAID, BEFORE_TODAY, True),
        ("inv-7", PAID, BEFORE_TODAY, False),
        ("inv-7", UNPAID, FROM_TODAY, False),
        ("inv-7", UNPAID | owner("other"), BEFORE_TODAY, True),
        ("inv-7", UNPAID | owner("large"), BEFORE_TODAY, False),
        ("inv-50", frozenset(), EVER, False),  # it is never due
    ],
)
async def test_a_bill_that_is_named_is_listed_where_all_else_holds_too(
    world: World, reference: str, terms: frozenset[str], due: Due | None, *, is_found: bool
) -> None:
    page, buffers = await measured(world.dsn, asked(world, terms, due, external_reference=reference))

    assert [bill.external_reference for bill in page.objects] == ([reference] if is_found else [])
    assert buffers < 50 + len(terms) * COUNTING


@pytest.mark.parametrize(("terms", "due"), [(UNPAID, None), (UNPAID, FROM_TODAY), (frozenset(), EVER)])
async def test_times_bound_the_lists_of_bills_too(world: World, terms: frozenset[str], due: Due | None) -> None:
    after, before = (world.bills[COUNT - 20 + number].created_at for number in (0, 10))
    page, _ = await measured(world.dsn, asked(world, terms, due, created_after=after, created_before=before))

    assert page.objects == [bill for bill in world.found(terms, due) if after < bill.created_at < before]
    assert len(page.objects) > 5


@pytest.mark.parametrize("due", [None, EVER], ids=["any", "due"])
async def test_a_list_never_shows_another_tenants_bills(world: World, due: Due | None) -> None:
    """Not even where both have the same customers by the same ids."""
    for terms in (frozenset[str](), UNPAID, owner("large")):
        page, _ = await measured(world.dsn, asked(world, terms, due, tenant_id=OTHER_TENANT, limit=100))

        assert ({bill.tenant_id for bill in page.objects}, page.has_older) == ({OTHER_TENANT}, False)
