"""Lists: any page of any filter reads a bounded number of buffers, whatever it is on (contract, 1.6)."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from owed.model import search
from owed.model.customer import Customer
from owed.model.identifiers import CUSTOMER, base62, uuid7
from owed.model.obligation import Obligation
from owed.store.list_queries import Cursor, ListQuery
from owed.store.lists import Lists
from tests.core.samples import NOW
from tests.database.places import connected
from tests.store.metering import load, measured
from tests.store.workers import pooled, session

COUNT = 20_000
TEN = COUNT // 10
OTHER_TENANT = 99
ALL = frozenset[str]()


class Loaded(NamedTuple):
    """A tenant with many customers, oldest first."""

    dsn: str
    tenant: int
    customers: list[Customer]


def a_customer(tenant: int, number: int) -> Customer:
    """Make one of many: each says by its metadata which terms it shares with half of the others, ten, or none."""
    created_at = NOW + timedelta(milliseconds=number)
    return Customer(
        tenant_id=tenant,
        id=CUSTOMER + base62(uuid7(int(created_at.timestamp() * 1000), 1)),
        external_reference=f"ref-{number}",
        created_at=created_at,
        updated_at=created_at,
        name=f"Customer {'Even' if number % 2 == 0 else 'Odd'}",
        email=f"c{number}@example.com",
        phone=f"+27{number:09}",
        metadata={"half": str(number % 2), "ten": str(number % TEN), "newest": str(number >= COUNT - 10)},
        obligation=Obligation(currency="ZAR" if number % 2 else "USD"),
        event_sequence=1,
    )


@pytest.fixture(scope="module")
def loaded(dsn: str) -> Loaded:
    made = [a_customer(1, number) for number in range(COUNT)]
    others = [a_customer(OTHER_TENANT, number) for number in range(100)]

    async def fill(psql: Any) -> None:
        await load(psql, made)
        await load(psql, others)

    connected(dsn, fill)
    return Loaded(dsn, 1, made)


def asked(tenant: int, limit: int = 20, cursor: Cursor | None = None, **filters: Any) -> ListQuery:
    return ListQuery("customer", tenant, limit, cursor, **filters)


def metadata(key: str, value: str) -> str:
    return search.metadata_term(key, value)


SINGLE = {
    "everything": ALL,
    "half by metadata": frozenset({metadata("half", "1")}),
    "half by word": frozenset({"w:even"}),
    "half by currency": frozenset({"c:ZAR"}),
    "all by word": frozenset({"w:customer"}),
    "ten, spread": frozenset({metadata("ten", "7")}),
    "ten, newest": frozenset({metadata("newest", "True")}),
    "one by e-mail": frozenset({"e:c5@example.com"}),
    "one by phone": frozenset({"p:+27000000005"}),
    "none": frozenset({metadata("half", "2")}),
}
TOGETHER = {
    "rare and common": frozenset({metadata("ten", "7"), metadata("half", "1")}),
    "common and rare, none with both": frozenset({metadata("ten", "7"), metadata("half", "0")}),
    "two common, half with both": frozenset({metadata("half", "1"), "w:customer"}),
    "common and none": frozenset({"w:customer", "w:nobody"}),
}
PLACES = {"first": None, "deep": Cursor(newer=False, id=""), "back": Cursor(newer=True, id="")}

BOUND = 200
"""Buffers for the 21 rows of a page and the one beside it: of the index, and of the table at some four for each row."""


def at(place: Cursor | None, loaded: Loaded) -> Cursor | None:
    return place and Cursor(place.newer, loaded.customers[COUNT // 2].id)


@pytest.mark.parametrize("terms", SINGLE.values(), ids=[*SINGLE])
@pytest.mark.parametrize("place", PLACES.values(), ids=[*PLACES])
async def test_any_page_of_any_filter_reads_few_buffers(
    loaded: Loaded, terms: frozenset[str], place: Cursor | None
) -> None:
    _, buffers = await measured(loaded.dsn, asked(loaded.tenant, 20, at(place, loaded), terms=terms))

    assert buffers < BOUND


@pytest.mark.parametrize("terms", TOGETHER.values(), ids=[*TOGETHER])
@pytest.mark.parametrize("place", PLACES.values(), ids=[*PLACES])
async def test_several_filters_read_what_the_rarest_takes(
    loaded: Loaded, terms: frozenset[str], place: Cursor | None
) -> None:
    """To find the rarest, two thousand entries of each term are counted and no more."""
    _, buffers = await measured(loaded.dsn, asked(loaded.tenant, 20, at(place, loaded), terms=terms))

    assert buffers < BOUND + len(terms) * 2_100


@pytest.mark.parametrize("terms", [ALL, frozenset({"w:customer"})], ids=["everything", "all by word"])
async def test_times_read_few_buffers_wherever_they_are(loaded: Loaded, terms: frozenset[str]) -> None:
    for number in (0, COUNT // 2, COUNT - 1):
        created_at = loaded.customers[number].created_at
        _, after = await measured(loaded.dsn, asked(loaded.tenant, terms=terms, created_after=created_at))
        _, before = await measured(loaded.dsn, asked(loaded.tenant, terms=terms, created_before=created_at))

        assert max(after, before) < BOUND


async def test_a_reference_reads_few_buffers(loaded: Loaded) -> None:
    query = asked(loaded.tenant, external_reference="ref-7", terms=frozenset({"w:odd"}))
    page, buffers = await measured(loaded.dsn, query)

    assert (page.objects, buffers < 50) == ([loaded.customers[7]], True)


# What is on the pages


def expected(loaded: Loaded, terms: frozenset[str]) -> list[str]:
    found = [customer for customer in loaded.customers if terms.issubset(customer.terms())]
    return [customer.id for customer in reversed(found)]


@pytest.mark.parametrize("terms", [*SINGLE.values(), *TOGETHER.values()], ids=[*SINGLE, *TOGETHER])
async def test_pages_hold_what_matches_newest_first_in_both_directions(loaded: Loaded, terms: frozenset[str]) -> None:
    """Six pages on from the newest, then back again."""
    wanted = expected(loaded, terms)
    async with pooled(loaded.dsn, 1) as pool:
        lists = Lists(pool)
        pages = [await lists.page(asked(loaded.tenant, 7, terms=terms))]
        while pages[-1].has_older and len(pages) < 6:
            older = Cursor(newer=False, id=pages[-1].objects[-1].id)
            pages.append(await lists.page(asked(loaded.tenant, 7, older, terms=terms)))
        back = [pages[-1]]
        while back[-1].has_newer:
            newer = Cursor(newer=True, id=back[-1].objects[0].id)
            back.append(await lists.page(asked(loaded.tenant, 7, newer, terms=terms)))

    read = [customer.id for page in pages for customer in page.objects]
    assert read == wanted[: len(read)]
    assert pages[-1].has_older == (len(read) < len(wanted))
    assert [page.objects for page in back] == [page.objects for page in reversed(pages)]


@pytest.mark.parametrize(
    ("after", "before", "numbers"),
    [
        (10, 14, [13, 12, 11]),  # both bounds are exclusive
        (10, 11, []),
        (COUNT - 2, COUNT, [COUNT - 1]),
        (-2, 1, [0]),
    ],
)
@pytest.mark.parametrize("terms", [ALL, frozenset({"w:customer"})], ids=["everything", "a word"])
async def test_times_are_exclusive_bounds(
    loaded: Loaded, after: int, before: int, numbers: list[int], terms: frozenset[str]
) -> None:
    def moment(number: int) -> datetime:
        return NOW + timedelta(milliseconds=number)

    query = asked(loaded.tenant, terms=terms, created_after=moment(after), created_before=moment(before))
    page, _ = await measured(loaded.dsn, query)

    assert page.objects == [loaded.customers[number] for number in numbers]


async def test_times_are_exclusive_bounds_within_a_millisecond(loaded: Loaded) -> None:
    """An id knows only milliseconds."""
    created_at, microsecond = loaded.customers[5].created_at, timedelta(microseconds=1)
    around = asked(loaded.tenant, created_after=created_at - microsecond, created_before=created_at + microsecond)
    page, _ = await measured(loaded.dsn, around)

    assert page.objects == [loaded.customers[5]]


async def test_a_list_never_shows_another_tenants_customers(loaded: Loaded) -> None:
    for terms in (ALL, frozenset({"w:customer"})):
        page, _ = await measured(loaded.dsn, asked(OTHER_TENANT, 100, terms=terms))

        assert ({customer.tenant_id for customer in page.objects}, page.has_older) == ({OTHER_TENANT}, False)


async def test_pages_stay_right_while_customers_are_added(loaded: Loaded) -> None:
    """In a tenant of its own: a page on from a cursor does not move when something newer comes."""
    made = [a_customer(98, number) for number in range(30)]
    async with session(loaded.dsn) as psql, pooled(loaded.dsn, 1) as pool:
        await load(psql, made[:20])
        lists = Lists(pool)
        first = await lists.page(asked(98, 10))
        await load(psql, made[20:])
        second = await lists.page(asked(98, 10, Cursor(newer=False, id=first.objects[-1].id)))

    assert first.objects + second.objects == made[:20][::-1]
    assert (second.has_newer, second.has_older) == (True, False)
