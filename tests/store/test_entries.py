"""Entries: any page reads a bounded number of buffers, whatever else happened on the obligation (contract, 6)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from owed.model.identifiers import ATTRIBUTION, REFUND, TRANSFER, base62, uuid7
from owed.model.transfer import Cause, Transfer
from owed.store.entries import Entries, Entry, EntryQuery
from owed.store.list_queries import Cursor
from owed.store.lists import Page
from tests.core.samples import JANE, NOW, create, pay, refund
from tests.database.places import connected
from tests.store.metering import Meter
from tests.store.reading import read_objects
from tests.store.workers import pooled, session, worker

COUNT = 20_000
EVERY = COUNT // 10
HOT, COLD = "bacc_hot", "bacc_cold"
TENANT, OTHER_TENANT = 1, 2
SECOND = timedelta(seconds=1)
LAG = timedelta(minutes=1)


class Loaded(NamedTuple):
    """One account with many transfers, oldest first, and what is said of some of them."""

    dsn: str
    transfers: list[Transfer]


def an_id(prefix: str, number: int) -> str:
    return prefix + base62(uuid7(number, 1))


def a_transfer(number: int, tenant: int = TENANT, obligation: str = HOT) -> Transfer:
    """Make one of many payments a second apart, each of a minute before.

    One in two thousand is a refund, and in one in a hundred somebody is named.
    """
    version, recorded_at = number + 1, NOW + number * SECOND
    cause = Cause.OPENING if number == 0 else Cause.REFUND if number % EVERY == 3 else Cause.PAYMENT
    return Transfer(
        tenant_id=tenant,
        obligation_id=obligation,
        version=version,
        id=an_id(TRANSFER, number),
        amount=-1 if cause is Cause.PAYMENT else 1,
        currency="ZAR",
        total_after=-version,
        debit="clearing",
        credit="receivable",
        cause=cause,
        key_id="key_1",
        attribution_id=an_id(ATTRIBUTION, number) if number % 100 == 5 else None,
        attribution_digest=b"",
        occurred_at=recorded_at - LAG,
        recorded_at=recorded_at,
        payment_id=None if cause is Cause.OPENING else an_id("pay_", number),
        taken_back_id=an_id(REFUND, number) if cause is Cause.REFUND else None,
    )


def actor_of(number: int) -> str:
    """Say who made a transfer, where anybody is named: Bob, but for ten."""
    return "Jane" if number % EVERY == 5 else "Bob"


@pytest.fixture(scope="module")
def loaded(dsn: str) -> Loaded:
    made = [a_transfer(number) for number in range(COUNT)]
    others = [a_transfer(number, OTHER_TENANT) for number in range(30)]
    beside = [a_transfer(number, TENANT, COLD) for number in range(30)]
    words = [
        (each.tenant_id, each.attribution_id, "x", "x", "key_1", actor_of(each.version - 1), "asked", b"", NOW)
        for each in (*made, *others)
        if each.attribution_id
    ]

    async def fill(psql: Any) -> None:
        rows = [tuple(getattr(each, name) for name in Transfer.__struct_fields__) for each in made + others + beside]
        await psql.copy_records_to_table("transfer", records=rows, columns=Transfer.__struct_fields__)
        await psql.copy_records_to_table("attribution", records=words)

    connected(dsn, fill)
    return Loaded(dsn, made)


def asked(limit: int = 20, cursor: Cursor | None = None, tenant: int = TENANT, **filters: Any) -> EntryQuery:
    return EntryQuery(tenant, HOT, limit, cursor, **filters)


async def measured(dsn: str, query: EntryQuery) -> tuple[Page[Entry], int]:
    """Read a page, and count the buffers that it took once the connection knew its statements."""
    meter = Meter(dsn)
    try:
        await Entries(meter).page(query)
        meter.buffers = 0
        return await Entries(meter).page(query), meter.buffers
    finally:
        await meter.close()


def moment(number: float) -> datetime:
    """Say when a transfer was recorded."""
    return NOW + number * SECOND


MIDDLE = COUNT // 2
FILTERS: dict[str, tuple[dict[str, Any], Callable[[int], bool]]] = {
    "everything": ({}, lambda n: True),
    "payments": ({"cause": Cause.PAYMENT}, lambda n: n != 0 and n % EVERY != 3),
    "refunds": ({"cause": Cause.REFUND}, lambda n: n % EVERY == 3),
    "the opening": ({"cause": Cause.OPENING}, lambda n: n == 0),
    "no cause of these": ({"cause": Cause.VOID}, lambda n: False),
    "by one who made many": ({"actor": "Bob"}, lambda n: n % 100 == 5 and n % EVERY != 5),
    "recorded late": ({"recorded_after": moment(MIDDLE)}, lambda n: n > MIDDLE),
    "recorded early": ({"recorded_before": moment(MIDDLE)}, lambda n: n < MIDDLE),
    "recorded between": (
        {"recorded_after": moment(MIDDLE), "recorded_before": moment(MIDDLE + 30)},
        lambda n: MIDDLE < n < MIDDLE + 30,
    ),
    "recorded never": ({"recorded_after": moment(MIDDLE), "recorded_before": moment(MIDDLE + 1)}, lambda n: False),
    "recorded after all": ({"recorded_after": moment(COUNT)}, lambda n: False),
    "recorded before all": ({"recorded_before": moment(0)}, lambda n: False),
    "within a second": (
        {"recorded_after": moment(MIDDLE - 0.5), "recorded_before": moment(MIDDLE + 0.5)},
        lambda n: n == MIDDLE,
    ),
    "refunds recorded early": (
        {"cause": Cause.REFUND, "recorded_before": moment(MIDDLE)},
        lambda n: n % EVERY == 3 and n < MIDDLE,
    ),
    "occurred late": ({"occurred_after": moment(COUNT - 10) - LAG}, lambda n: n > COUNT - 10),
    "occurred after, recorded before": (
        {"occurred_after": moment(MIDDLE) - LAG, "recorded_before": moment(MIDDLE + 5)},
        lambda n: MIDDLE < n < MIDDLE + 5,
    ),
}
SLOWER: dict[str, tuple[dict[str, Any], Callable[[int], bool]]] = {
    "by one who made few": ({"actor": "Jane"}, lambda n: n % EVERY == 5),
    "by nobody": ({"actor": "Nobody"}, lambda n: False),
    "payments by one who made few": ({"actor": "Jane", "cause": Cause.PAYMENT}, lambda n: n % EVERY == 5),
    "refunds by one who made many": ({"actor": "Bob", "cause": Cause.REFUND}, lambda n: False),
    "occurred early": ({"occurred_before": moment(9) - LAG}, lambda n: n < 9),
    "occurred between": (
        {"occurred_after": moment(MIDDLE) - LAG, "occurred_before": moment(MIDDLE + 9) - LAG},
        lambda n: MIDDLE < n < MIDDLE + 9,
    ),
}
"""What may have to look at all that was attributed, or at all that was recorded since."""

PLACES = {"first": None, "deep": Cursor(newer=False, id=str(MIDDLE)), "back": Cursor(newer=True, id=str(MIDDLE))}

BOUND = 300
"""Buffers for the 21 rows of a page, the one beside it, and two searches by halves; all transfers take over 600."""


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("cursor", PLACES.values(), ids=[*PLACES])
async def test_any_page_reads_few_buffers(loaded: Loaded, name: str, cursor: Cursor | None) -> None:
    _, buffers = await measured(loaded.dsn, asked(20, cursor, **FILTERS[name][0]))

    assert buffers < BOUND


@pytest.mark.parametrize("name", FILTERS | SLOWER)
async def test_pages_hold_what_matches_newest_first_in_both_directions(loaded: Loaded, name: str) -> None:
    """Five pages on from the newest, then back again."""
    filters, takes = (FILTERS | SLOWER)[name]
    wanted = [each.id for number, each in enumerate(loaded.transfers) if takes(number)][::-1]
    async with pooled(loaded.dsn, 1) as pool:
        entries = Entries(pool)
        pages = [await entries.page(asked(7, **filters))]
        while pages[-1].older and len(pages) < 5:
            pages.append(await entries.page(asked(7, pages[-1].older, **filters)))
        back = [pages[-1]]
        while back[-1].newer:
            back.append(await entries.page(asked(7, back[-1].newer, **filters)))

    read = [entry.id for page in pages for entry in page.objects]
    assert read == wanted[: len(read)]
    assert pages[-1].has_older == (len(read) < len(wanted))
    assert [page.objects for page in back] == [page.objects for page in reversed(pages)]


@pytest.mark.parametrize("filters", [{}, {"cause": Cause.REFUND}, {"actor": "Jane"}], ids=["all", "cause", "actor"])
async def test_entries_are_of_one_obligation_of_one_tenant(loaded: Loaded, filters: dict[str, Any]) -> None:
    page, _ = await measured(loaded.dsn, asked(100, tenant=OTHER_TENANT, **filters))

    assert page.objects
    assert (max(entry.version for entry in page.objects) <= 30, page.has_older) == (True, False)


async def test_pages_stay_right_while_entries_are_added(dsn: str) -> None:
    made = [a_transfer(number, 98) for number in range(30)]
    rows = [tuple(getattr(each, name) for name in Transfer.__struct_fields__) for each in made]
    async with session(dsn) as psql, pooled(dsn, 1) as pool:
        entries = Entries(pool)
        await psql.copy_records_to_table("transfer", records=rows[:20], columns=Transfer.__struct_fields__)
        first = await entries.page(asked(10, tenant=98))
        await psql.copy_records_to_table("transfer", records=rows[20:], columns=Transfer.__struct_fields__)
        second = await entries.page(asked(10, first.older, tenant=98))

    assert [entry.version for page in (first, second) for entry in page.objects] == [*range(20, 0, -1)]
    assert (second.has_newer, second.has_older) == (True, False)


# What an entry shows


async def entries_of(dsn: str, tenant: int, obligation: str) -> list[dict[str, Any]]:
    async with pooled(dsn, 1) as pool:
        page = await Entries(pool).page(EntryQuery(tenant, obligation, 100))
        return [entry.shown() for entry in page.objects]


async def test_an_entry_leads_to_the_payment_and_to_what_took_it_back(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, session(dsn) as psql:
        await desk.say(create("a", tenant=tenant, currency="ZAR", balance=500))
        await desk.say(pay("a", 200, kind="customer", tenant=tenant, paid_at=NOW - LAG))
        (payment,) = await read_objects(psql, "payment", tenant)
        await desk.say(refund(payment.id, tenant=tenant, amount=50, actor=JANE))
        (customer,) = await read_objects(psql, "customer", tenant)
        (given_back,) = await read_objects(psql, "refund", tenant)
        found = await entries_of(dsn, tenant, customer.id)

    for entry in found:
        del entry["id"], entry["recorded_at"]
    always = {"currency": "ZAR", "occurred_at": NOW}
    assert found == [
        always
        | {"cause": "refund", "amount": 50, "total_after": 350, "payment_id": payment.id, "refund_id": given_back.id}
        | {"actor": JANE.name, "reason": JANE.reason},
        always
        | {"cause": "payment", "amount": -200, "total_after": 300, "payment_id": payment.id}
        | {"occurred_at": NOW - LAG},
        always | {"cause": "opening", "amount": 500, "total_after": 500},
    ]


async def test_words_that_were_erased_are_absent_and_the_entry_stays(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, session(dsn) as psql:
        await desk.say(create("a", tenant=tenant, currency="ZAR", balance=500, actor=JANE))
        (customer,) = await read_objects(psql, "customer", tenant)
        before = await entries_of(dsn, tenant, customer.id)
        await psql.execute("UPDATE attribution SET actor = NULL, reason = NULL WHERE tenant_id = $1", tenant)
        erased = await entries_of(dsn, tenant, customer.id)
        await psql.execute("DELETE FROM attribution WHERE tenant_id = $1", tenant)

        assert await entries_of(dsn, tenant, customer.id) == erased
    assert (before[0].pop("actor"), before[0].pop("reason")) == (JANE.name, JANE.reason)
    assert before == erased
