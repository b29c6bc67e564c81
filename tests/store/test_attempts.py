"""Attempts: what is told of one event reads few buffers, whatever else waits, and a count reads what it counts."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from owed.model.event import Event
from owed.model.identifiers import ATTEMPT, EVENT, base62, milliseconds, uuid7
from owed.store.attempts import Attempted, Attempts, Pending, Period
from tests.core.samples import NOW
from tests.database.places import connected
from tests.store.metering import Meter
from tests.store.workers import pooled

COUNT = 10_000
MIDDLE = COUNT // 2
TENANT = 2_000_000
ENDPOINT, OTHER_ENDPOINT, BROKEN = "we_1", "we_2", "we_3"
TYPES = ("bill.created", "bill.paid")
MINUTE = timedelta(minutes=1)
END = NOW + COUNT * MINUTE


def moment(number: int) -> datetime:
    """Say when an event was recorded: they are a minute apart."""
    return NOW + number * MINUTE


def made(number: int) -> Event:
    event_id = EVENT + base62(uuid7(milliseconds(moment(number)), 1))
    return Event(TENANT, f"bill_{number % 100}", number // 100 + 1, event_id, TYPES[number % 2], b"{}", moment(number))


def attempts(number: int) -> list[tuple[Any, ...]]:
    """Give the attempts of an event: two at one endpoint, of which every tenth event takes none, and one at another."""
    succeeded = number % 10 != 0
    tries = ((ENDPOINT, 1, False), (ENDPOINT, 2, succeeded), (OTHER_ENDPOINT, 1, True))
    return [
        (
            TENANT,
            ATTEMPT + base62(uuid7(milliseconds(moment(number)), place)),
            made(number).id,
            *told,
            moment(number),
            5,
        )
        for place, told in enumerate(tries)
    ]


@pytest.fixture(scope="module")
def loaded(dsn: str) -> str:
    """A database in which nothing was delivered to one endpoint of three, and no statistics tell of it."""
    events = [made(number) for number in range(COUNT)]

    async def fill(psql: Any) -> None:
        rows = [(*(getattr(event, name) for name in Event.__struct_fields__), 1) for event in events]
        await psql.copy_records_to_table("event", records=rows, columns=[*Event.__struct_fields__, "position"])
        columns = "tenant_id id event_id endpoint_id number succeeded attempted_at duration_ms out_of_order"
        tried = [(*row, False) for number in range(COUNT) for row in attempts(number)]
        await psql.copy_records_to_table("delivery_attempt", records=tried, columns=columns.split())
        waiting = [(TENANT, BROKEN, event.id, event.object_id, 1, event.sequence, 3) for event in events]
        columns = "tenant_id endpoint_id event_id lane position sequence attempts"
        await psql.copy_records_to_table("delivery", records=waiting, columns=columns.split())
        for endpoint in (ENDPOINT, OTHER_ENDPOINT, BROKEN):
            await psql.execute(
                """INSERT INTO webhook_endpoint (tenant_id, id, url, types, enabled, secrets, is_listener, starts_at,
                                                 resumed_at, version, created_at, updated_at, position)
                   VALUES ($1, $2, '', '*', true, '[]', false, $3, $3, 1, $3, $3, 2)""",
                TENANT,
                endpoint,
                NOW - MINUTE,
            )

    connected(dsn, fill)
    return dsn


def period(first: int, last: int, *types: str, failed: bool = False) -> Period:
    """Ask for what was recorded from one event to another."""
    return Period(TENANT, moment(first), moment(last), types or ("*",), ENDPOINT if failed else None)


async def metered(dsn: str, work: Any) -> tuple[Any, int]:
    """Do some work with a meter, twice, and count the buffers of the second time."""
    meter = Meter(dsn)
    try:
        await work(Attempts(meter))
        meter.buffers = 0
        return await work(Attempts(meter)), meter.buffers
    finally:
        await meter.close()


async def test_what_is_told_of_one_event_reads_few_buffers(loaded: str) -> None:
    event = made(MIDDLE)

    async def read(reads: Attempts) -> tuple[list[Attempted], list[Pending]]:
        return (await reads.page(event, None, 20)).objects, await reads.pending(event)

    (tried, pending), buffers = await metered(loaded, read)
    assert [(each.endpoint_id, each.number) for each in tried] == [(OTHER_ENDPOINT, 1), (ENDPOINT, 2), (ENDPOINT, 1)]
    assert pending == [Pending(BROKEN, 3, None, out_of_order=False, failed=False)]
    assert buffers < 50


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (period(MIDDLE, MIDDLE + 49), 50),
        (period(MIDDLE, MIDDLE + 49, "bill.paid"), 25),
        (period(MIDDLE, MIDDLE + 49, *TYPES), 50),
        (period(MIDDLE, MIDDLE + 49, "bill.voided"), 0),
        (period(MIDDLE, MIDDLE + 49, failed=True), 5),
        (period(MIDDLE, MIDDLE + 49, "bill.paid", failed=True), 0),
        (period(COUNT, COUNT + 100), 0),
    ],
)
async def test_a_count_reads_what_lies_in_its_time(loaded: str, asked: Period, expected: int) -> None:
    number, buffers = await metered(loaded, lambda reads: reads.count(asked))
    assert number == expected
    assert buffers < 400


async def test_a_count_may_be_of_everything(loaded: str) -> None:
    async with pooled(loaded, 1) as pool:
        assert await Attempts(pool).count(period(0, COUNT)) == COUNT
        assert await Attempts(pool).count(period(0, COUNT, failed=True)) == COUNT // 10


async def test_a_count_that_takes_too_long_says_nothing(loaded: str) -> None:
    async with pooled(loaded, 1) as pool:
        assert await Attempts(pool, patience=0).count(period(0, COUNT)) is None
        assert await Attempts(pool).count(period(0, 0)) == 1
