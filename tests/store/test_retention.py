"""Retention: what is old enough is forgotten in small steps, and nothing else is."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, TypeVar

import asyncpg

from owed.model.identifiers import ATTEMPT, ENDPOINT, EVENT, REPLAY, base62, milliseconds, uuid7
from owed.store.listeners import keep_seen
from owed.store.retention import EVENTS, STEP, Forgetting, IdPlace, LanePlace, Retention, Waiting, forget_due, id_before
from tests.store.workers import pooled, rows, session

Place = TypeVar("Place")

NOW = datetime.now(UTC)
RETENTION = Retention(events=timedelta(days=90), attempts=timedelta(days=30))
QUICK = 0.1
"""Seconds that most steps take at most, though other tests run; alone they take one or two hundredths."""

dice = random.Random(7)

COLUMNS = {
    "event": "tenant_id id object_id sequence type body recorded_at position",
    "delivery": "tenant_id endpoint_id event_id lane position sequence due_at failed_at",
    "delivery_attempt": "tenant_id id event_id endpoint_id number attempted_at duration_ms succeeded out_of_order",
    "replay": "tenant_id id endpoint_id event_id only_failed created_at finished_at",
    "webhook_endpoint": "tenant_id id url types enabled secrets is_listener starts_at resumed_at deleted_at version "
    "created_at updated_at seen_at",
}


def days(count: float) -> datetime:
    """Give the time so many days ago."""
    return NOW - timedelta(days=count)


def new_id(prefix: str, at: datetime) -> str:
    """Make an id of a time."""
    return prefix + base62(uuid7(milliseconds(at), dice.getrandbits(74)))


async def copy(psql: "asyncpg.Connection[Any]", table: str, records: Iterable[tuple[Any, ...]]) -> None:
    await psql.copy_records_to_table(table, records=list(records), columns=COLUMNS[table].split())


def event(tenant: int, at: datetime, object_id: str = "bcus_1", sequence: int = 1) -> tuple[Any, ...]:
    return tenant, new_id(EVENT, at), object_id, sequence, "customer.updated", b"{}", at, milliseconds(at)


def delivery(of: tuple[Any, ...], endpoint: str, *, is_first: bool = True) -> tuple[Any, ...]:
    tenant, event_id, object_id, sequence, *_, position = of
    return tenant, endpoint, event_id, object_id, position, sequence, NOW if is_first else None, None


def attempt(tenant: int, at: datetime) -> tuple[Any, ...]:
    return tenant, new_id(ATTEMPT, at), "evt_1", "we_1", 1, at, 3, True, False


def replay(tenant: int, at: datetime, endpoint: str, finished_at: datetime | None) -> tuple[Any, ...]:
    return tenant, new_id(REPLAY, at), endpoint, "evt_1", False, at, finished_at


def endpoint(
    tenant: int, deleted_at: datetime | None = None, *, is_listener: bool = False, seen_at: datetime | None = None
) -> tuple[Any, ...]:
    at = days(200)
    made = new_id(ENDPOINT, at)
    return tenant, made, "https://a.example", "*", True, "[]", is_listener, at, at, deleted_at, 1, at, at, seen_at


async def forgotten(dsn: str) -> None:
    async with pooled(dsn) as pool:
        await forget_due(pool, RETENTION, NOW)


async def left(psql: "asyncpg.Connection[Any]", table: str, tenant: int, column: str = "id") -> set[str]:
    return {row[0] for row in await psql.fetch(f"SELECT {column} FROM {table} WHERE tenant_id = $1", tenant)}


async def test_events_are_kept_for_their_time_and_attempts_for_theirs(dsn: str, merchants_tenant: int) -> None:
    tenant = merchants_tenant
    events = [event(tenant, days(age), sequence=number) for number, age in enumerate((400, 90.001, 89.999, 31, 0))]
    attempts = [attempt(tenant, days(age)) for age in (400, 30.001, 29.999, 0)]
    async with session(dsn) as psql:
        await copy(psql, "event", events)
        await copy(psql, "delivery_attempt", attempts)
        await forgotten(dsn)

        assert await left(psql, "event", tenant) == {each[1] for each in events[2:]}
        assert await left(psql, "delivery_attempt", tenant) == {each[1] for each in attempts[2:]}


async def test_a_delivery_goes_with_its_event_and_the_next_of_its_lane_is_due(dsn: str, merchants_tenant: int) -> None:
    tenant, to = merchants_tenant, endpoint(merchants_tenant)
    events = [event(tenant, days(age), sequence=number) for number, age in enumerate((100, 95, 50, 40), 1)]
    async with session(dsn) as psql:
        await copy(psql, "webhook_endpoint", [to])
        await copy(psql, "event", events)
        await copy(psql, "delivery", [delivery(each, to[1], is_first=each is events[0]) for each in events])
        await forgotten(dsn)
        kept = await psql.fetch("SELECT event_id, due_at FROM delivery WHERE tenant_id = $1 ORDER BY sequence", tenant)

        assert [(row["event_id"], row["due_at"] is not None) for row in kept] == [
            (events[2][1], True),
            (events[3][1], False),
        ]


async def test_what_a_worker_has_claimed_is_left_to_it_with_all_that_waits_behind(
    dsn: str, merchants_tenant: int
) -> None:
    tenant, to = merchants_tenant, endpoint(merchants_tenant)
    events = [event(tenant, days(age), sequence=number) for number, age in enumerate((100, 40), 1)]
    async with session(dsn) as psql:
        await copy(psql, "webhook_endpoint", [to])
        await copy(psql, "event", events)
        await copy(psql, "delivery", [delivery(each, to[1], is_first=each is events[0]) for each in events])
        await psql.execute("UPDATE delivery SET claim = 1 WHERE tenant_id = $1", tenant)
        await forgotten(dsn)
        kept = await psql.fetch("SELECT event_id, due_at FROM delivery WHERE tenant_id = $1 ORDER BY sequence", tenant)

        assert [(row["event_id"], row["due_at"] is not None) for row in kept] == [
            (events[0][1], True),
            (events[1][1], False),
        ]


async def test_a_replay_goes_when_it_is_old_and_over(dsn: str, merchants_tenant: int) -> None:
    tenant, to, deleted = merchants_tenant, endpoint(merchants_tenant), endpoint(merchants_tenant, days(1))
    old, young = days(31), days(29)
    finished = [replay(tenant, at, to[1], NOW) for at in (old, young)]
    unfinished = [replay(tenant, at, to[1], None) for at in (old, young)]
    pointless = [replay(tenant, at, deleted[1], None) for at in (old, young)]
    async with session(dsn) as psql:
        await copy(psql, "webhook_endpoint", [to, deleted])
        await copy(psql, "replay", [*finished, *unfinished, *pointless])
        await forgotten(dsn)

        kept = {finished[1][1], unfinished[0][1], unfinished[1][1], pointless[1][1]}
        assert await left(psql, "replay", tenant) == kept


async def test_an_endpoint_goes_long_after_it_was_deleted_and_its_deliveries_at_once(
    dsn: str, merchants_tenant: int
) -> None:
    tenant = merchants_tenant
    standing, lately, long_ago = (endpoint(tenant, at) for at in (None, days(29), days(31)))
    told = event(tenant, days(1))
    async with session(dsn) as psql:
        await copy(psql, "webhook_endpoint", [standing, lately, long_ago])
        await copy(psql, "event", [told])
        await copy(psql, "delivery", [delivery(told, each[1]) for each in (standing, lately, long_ago)])
        await forgotten(dsn)

        assert await left(psql, "webhook_endpoint", tenant) == {standing[1], lately[1]}
        assert await left(psql, "delivery", tenant, "endpoint_id") == {standing[1]}


async def test_a_listener_that_is_gone_is_deleted(dsn: str, merchants_tenant: int) -> None:
    tenant = merchants_tenant
    minutes = [datetime.now(UTC) - timedelta(minutes=age) for age in (2, 6)]
    seen, unseen = (endpoint(tenant, is_listener=True, seen_at=at) for at in minutes)
    never_seen, no_listener = endpoint(tenant, is_listener=True), endpoint(tenant)
    async with session(dsn) as psql:
        await copy(psql, "webhook_endpoint", [seen, unseen, never_seen, no_listener])
        await forgotten(dsn)
        sql = "SELECT id FROM webhook_endpoint WHERE tenant_id = $1 AND deleted_at IS NULL"

        assert {row["id"] for row in await psql.fetch(sql, tenant)} == {seen[1], no_listener[1]}


async def test_a_listener_says_that_it_is_there_and_learns_when_it_gets_nothing_more(
    dsn: str, merchants_tenant: int
) -> None:
    tenant, long_ago = merchants_tenant, NOW - timedelta(hours=1)
    standing, deleted = (endpoint(tenant, at, is_listener=True, seen_at=long_ago) for at in (None, NOW))
    async with session(dsn) as psql, pooled(dsn) as pool:
        await copy(psql, "webhook_endpoint", [standing, deleted])
        still_there = [await keep_seen(pool, tenant, each[1]) for each in (standing, deleted)]
        await forgotten(dsn)
        sql = "SELECT id FROM webhook_endpoint WHERE tenant_id = $1 AND deleted_at IS NULL"

        assert still_there == [True, False]
        assert [row["id"] for row in await psql.fetch(sql, tenant)] == [standing[1]]


async def test_workers_that_forget_at_the_same_time_do_not_hurt_each_other(dsn: str, merchants_tenant: int) -> None:
    tenant, to = merchants_tenant, endpoint(merchants_tenant)
    events = [event(tenant, days(91 if number % 3 else 1), f"bcus_{number}") for number in range(4_500)]
    async with session(dsn) as psql:
        await copy(psql, "webhook_endpoint", [to])
        await copy(psql, "event", events)
        await copy(psql, "delivery", [delivery(each, to[1]) for each in events])
        await asyncio.gather(*(forgotten(dsn) for _ in range(3)))

        assert await rows(psql, "event", tenant) == 1_500
        assert await rows(psql, "delivery", tenant) == 1_500


async def test_each_step_is_small_and_quick_among_many_rows(dsn: str, merchants_tenant: int) -> None:
    """A fifth of the events are old: the steps go through them, and find their end, without a look at the rest."""
    tenant, to = merchants_tenant, endpoint(merchants_tenant)
    events = [event(tenant, days(100 - each / 1_000), f"bcus_{each}") for each in range(100_000)]
    before = id_before(EVENT, days(80))
    async with session(dsn) as psql, pooled(dsn) as pool:
        await copy(psql, "event", events)
        await copy(psql, "delivery", [delivery(each, to[1]) for each in events])
        await copy(psql, "webhook_endpoint", [to])
        forgetting = Forgetting(pool)
        by_id = await timed(partial(forgetting.rows, EVENTS, before), IdPlace(tenant))
        by_lane = await timed(partial(forgetting.deliveries, Waiting(tenant, to[1], before)), LanePlace())

        assert (await rows(psql, "event", tenant), len(by_id)) == (80_000, 20_000 / STEP + 1)
        assert (await rows(psql, "delivery", tenant), len(by_lane)) == (80_000, 100_000 / STEP + 1)
        assert max(median(by_id), median(by_lane)) < QUICK


async def timed(step: Callable[[Place], Awaitable[Place | None]], start: Place) -> list[float]:
    """Take all steps, and give the seconds that each took."""
    taken: list[float] = []
    place: Place | None = start
    while place is not None:
        begun = time.perf_counter()
        place = await step(place)
        taken.append(time.perf_counter() - begun)
    return taken
