"""Events: any page reads a bounded number of buffers, whatever else happened (contract, 7)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from owed.model.event import Event
from owed.model.identifiers import EVENT, base62, milliseconds, uuid7
from owed.store.events import EventQuery, Events, Told
from owed.store.list_queries import Cursor
from owed.store.lists import Page
from tests.core.samples import NOW
from tests.database.places import connected
from tests.store.metering import Meter
from tests.store.workers import pooled

COUNT = 20_000
MIDDLE = COUNT // 2
HOT, COLD = "bacc_hot", "bill_17"
TENANT, OTHER_TENANT = 1_000_000, 1_000_001
NAMES = Event.__struct_fields__


class Loaded(NamedTuple):
    """Many events, oldest first: every second one is of a hot object."""

    dsn: str
    events: list[Event]


def moment(number: float) -> datetime:
    """Say when an event was recorded: they are a minute apart."""
    return NOW + number * timedelta(minutes=1)


def made(number: int, tenant: int = TENANT) -> Event:
    """Make one of many events. One in five hundred is a void."""
    is_hot = number % 2 == 0
    return Event(
        tenant_id=tenant,
        object_id=HOT if is_hot else f"bill_{number // 200 * 2 + 1}",
        sequence=number // 2 + 1 if is_hot else number % 200 // 2 + 1,
        id=EVENT + base62(uuid7(milliseconds(moment(number)), 1)),
        type="bill.voided" if number % 500 in {2, 3} else "bill.updated",
        body=b"{}",
        recorded_at=moment(number),
    )


@pytest.fixture(scope="module")
def loaded(dsn: str) -> Loaded:
    events = [made(number) for number in range(COUNT)]
    rows = [tuple(getattr(event, name) for name in NAMES) for event in events]

    async def fill(psql: Any) -> None:
        others = [(OTHER_TENANT, *row[1:]) for row in rows[:50]]
        await psql.copy_records_to_table("event", records=rows + others, columns=NAMES)

    connected(dsn, fill)
    return Loaded(dsn, events)


FILTERS: dict[str, tuple[dict[str, Any], Callable[[Event], bool]]] = {
    "everything": ({}, lambda event: True),
    "a type": ({"type": "bill.updated"}, lambda event: event.type == "bill.updated"),
    "a rare type": ({"type": "bill.voided"}, lambda event: event.type == "bill.voided"),
    "no type": ({"type": "bill.paid"}, lambda event: False),
    "a hot object": ({"object_id": HOT}, lambda event: event.object_id == HOT),
    "an object": ({"object_id": COLD}, lambda event: event.object_id == COLD),
    "no object": ({"object_id": "bill_0"}, lambda event: False),
    "late": ({"created_after": moment(MIDDLE)}, lambda event: event.recorded_at > moment(MIDDLE)),
    "early": ({"created_before": moment(MIDDLE)}, lambda event: event.recorded_at < moment(MIDDLE)),
    "before all": ({"created_before": NOW}, lambda event: False),
    "between": (
        {"created_after": moment(MIDDLE), "created_before": moment(MIDDLE + 30)},
        lambda event: moment(MIDDLE) < event.recorded_at < moment(MIDDLE + 30),
    ),
    "a rare type, early": (
        {"type": "bill.voided", "created_before": moment(MIDDLE)},
        lambda event: event.type == "bill.voided" and event.recorded_at < moment(MIDDLE),
    ),
    "a hot object, late": (
        {"object_id": HOT, "created_after": moment(COUNT - 30)},
        lambda event: event.object_id == HOT and event.recorded_at > moment(COUNT - 30),
    ),
    "a hot object, early": (
        {"object_id": HOT, "created_before": moment(MIDDLE)},
        lambda event: event.object_id == HOT and event.recorded_at < moment(MIDDLE),
    ),
    "a hot object, between": (
        {"object_id": HOT, "created_after": moment(MIDDLE), "created_before": moment(MIDDLE + 30)},
        lambda event: event.object_id == HOT and moment(MIDDLE) < event.recorded_at < moment(MIDDLE + 30),
    ),
    "an object, late": (
        {"object_id": COLD, "created_after": moment(MIDDLE)},
        lambda event: event.object_id == COLD and event.recorded_at > moment(MIDDLE),
    ),
}
SLOWER: dict[str, tuple[dict[str, Any], Callable[[Event], bool]]] = {
    "a hot object and a rare type": (
        {"object_id": HOT, "type": "bill.voided"},
        lambda event: (event.object_id, event.type) == (HOT, "bill.voided"),
    ),
}
"""What may have to look at all that happened to an object."""

BOUND = 200
"""Buffers for the 21 rows of a page, the one beside it, and two searches by halves; the hot object alone takes 300."""


async def measured(dsn: str, query: EventQuery) -> tuple[Page[Told], int]:
    """Read a page, and count the buffers that it took once the connection knew its statements."""
    meter = Meter(dsn)
    try:
        await Events(meter, meter).page(query)
        meter.buffers = 0
        return await Events(meter, meter).page(query), meter.buffers
    finally:
        await meter.close()


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("place", ["first", "deep", "back"])
async def test_any_page_reads_few_buffers(loaded: Loaded, name: str, place: str) -> None:
    filters, _ = FILTERS[name]
    middle = str(MIDDLE // 2) if "object_id" in filters else loaded.events[MIDDLE].id
    _, buffers = await measured(
        loaded.dsn, EventQuery(TENANT, 20, None if place == "first" else Cursor(place == "back", middle), **filters)
    )

    assert buffers < BOUND


@pytest.mark.parametrize("name", FILTERS | SLOWER)
async def test_pages_hold_what_matches_newest_first_in_both_directions(loaded: Loaded, name: str) -> None:
    """Five pages on from the newest, then back again."""
    filters, takes = (FILTERS | SLOWER)[name]
    wanted = [event for event in reversed(loaded.events) if takes(event)]
    async with pooled(loaded.dsn, 1) as pool:
        events = Events(pool, pool)
        pages = [await events.page(EventQuery(TENANT, 7, **filters))]
        while pages[-1].older and len(pages) < 5:
            pages.append(await events.page(EventQuery(TENANT, 7, pages[-1].older, **filters)))
        back = [pages[-1]]
        while back[-1].newer:
            back.append(await events.page(EventQuery(TENANT, 7, back[-1].newer, **filters)))

    read = [told.event for page in pages for told in page.objects]
    assert read == wanted[: len(read)]
    assert pages[-1].has_older == (len(read) < len(wanted))
    assert [page.objects for page in back] == [page.objects for page in reversed(pages)]


@pytest.mark.parametrize("filters", [{}, {"type": "bill.updated"}, {"object_id": HOT}], ids=["all", "type", "object"])
async def test_events_are_of_one_tenant(loaded: Loaded, filters: dict[str, Any]) -> None:
    page, _ = await measured(loaded.dsn, EventQuery(OTHER_TENANT, 100, **filters))

    assert {told.event.tenant_id for told in page.objects} == {OTHER_TENANT}
    assert not page.has_older


@pytest.mark.parametrize("minutes", [-9, 9])
async def test_times_are_right_though_the_clocks_of_the_workers_differ(dsn: str, tenant: int, minutes: int) -> None:
    """Every other event is recorded by a worker whose clock is ahead, or behind."""
    skew = timedelta(minutes=minutes)
    times = [moment(number) + (skew if number % 2 else timedelta()) for number in range(100)]
    rows = [
        (tenant, HOT, number + 1, EVENT + base62(uuid7(number, 2)), "bill.updated", b"{}", time)
        for number, time in enumerate(times)
    ]
    async with pooled(dsn, 1) as pool, pool.connection() as connection:
        await connection.raw.copy_records_to_table("event", records=rows, columns=NAMES)
    async with pooled(dsn, 1) as pool:
        for bound in times:
            late = await Events(pool, pool).page(EventQuery(tenant, 100, object_id=HOT, created_after=bound))
            early = await Events(pool, pool).page(EventQuery(tenant, 100, object_id=HOT, created_before=bound))
            numbers = range(len(times), 0, -1)
            assert [told.event.sequence for told in late.objects] == [n for n in numbers if times[n - 1] > bound]
            assert [told.event.sequence for told in early.objects] == [n for n in numbers if times[n - 1] < bound]


async def test_times_are_right_where_the_oldest_events_are_pruned(dsn: str, tenant: int) -> None:
    events = [made(number, tenant) for number in range(0, 400, 2)][150:]
    rows = [tuple(getattr(event, name) for name in NAMES) for event in events]
    async with pooled(dsn, 1) as pool, pool.connection() as connection:
        await connection.raw.copy_records_to_table("event", records=rows, columns=NAMES)
    async with pooled(dsn, 1) as pool:
        for event in events:
            bound = event.recorded_at
            page = await Events(pool, pool).page(EventQuery(tenant, 100, object_id=HOT, created_before=bound))
            assert [told.event for told in page.objects] == [e for e in reversed(events) if e.recorded_at < bound]


async def test_an_event_is_found_by_its_id_alone(loaded: Loaded) -> None:
    event = loaded.events[7]
    async with pooled(loaded.dsn, 1) as pool:
        events = Events(pool, pool)

        assert await events.find(TENANT, event.id) == event
        assert await events.find(OTHER_TENANT, loaded.events[100].id) is None
        assert await events.find(TENANT, HOT) is None
        assert await events.find(TENANT, "\0") is None
