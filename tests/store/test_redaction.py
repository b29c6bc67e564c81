"""Redaction, step by step: whoever dies in the middle leaves what another finishes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from owed.api.commands import shown
from owed.core.erasing import Erase
from owed.core.state import Name
from owed.database.pool import Pool
from owed.store.redaction import EVENTS_STEP, Redaction
from tests.core.samples import KEY, create, update
from tests.engine.desk import opened as at_desk
from tests.store.saving import Open
from tests.store.workers import pooled, session, worker

PERSON = {"name": "Jane", "email": "jane@example.com"}
MANY = 10 * EVENTS_STEP

ADD_EVENTS = """
    INSERT INTO event (tenant_id, object_id, sequence, id, type, body, recorded_at)
    SELECT $1, $2, number, 'evt_' || number, 'customer.updated',
           convert_to(json_build_object('id', 'evt_' || number, 'type', 'customer.updated',
                                        'data', json_build_object('id', $2::text, 'name', 'Jane'))::text, 'UTF8'), now()
      FROM generate_series(2, $3::bigint) AS number
"""

HAS_EVENTS = "UPDATE customer SET event_sequence = $2 WHERE tenant_id = $1"

TELLING = "SELECT count(*) FROM {table} WHERE tenant_id = $1 AND position('Jane'::bytea IN body) > 0"

STANDING = "SELECT redacted_to, redacted_at IS NOT NULL AS is_redacted, finished_version, reference FROM erasure"


class Erased:
    """A customer of many events that was erased just now, of which nothing is redacted yet."""

    def __init__(self, pool: Pool, psql: "asyncpg.Connection[Any]", tenant: int, customer_id: str) -> None:
        self.redaction = Redaction(pool, shown)
        self.tenant, self.id = tenant, customer_id
        self._psql = psql

    async def telling(self) -> tuple[int, int]:
        """Count the events and the answers that tell of the person."""
        events, answers = [
            await self._psql.fetchval(TELLING.format(table=table), self.tenant) for table in ("event", "answer")
        ]
        return events, answers

    async def standing(self) -> tuple[Any, ...]:
        (row,) = await self._psql.fetch(f"{STANDING} WHERE tenant_id = $1", self.tenant)
        return tuple(row)

    async def settled(self) -> tuple[tuple[Any, ...], tuple[int, int]]:
        """Give how far it has come and what still tells, once the last statement of whoever died is over."""
        before, after = None, (await self.standing(), await self.telling())
        while before != after:
            before, after = after, (await self.standing(), await self.telling())
        return after

    async def finish(self) -> None:
        await self.redaction.finish(self.tenant, self.id)


@asynccontextmanager
async def erased(dsn: str, tenant: int) -> AsyncIterator[Erased]:
    """Have a customer of many events, erased by a worker that died before it redacted anything."""
    async with worker(dsn) as desk, session(dsn) as psql:
        made = await desk.ask(create("JANE", tenant=tenant, **PERSON), "a key")
        customer_id = json.loads(made.answer.body)["id"]
        await psql.execute(ADD_EVENTS, tenant, customer_id, MANY)
        await psql.execute(HAS_EVENTS, tenant, MANY)
        assert await desk.say(erasure(tenant, customer_id)) == ["done"]
        async with pooled(dsn) as pool:
            yield Erased(pool, psql, tenant, customer_id)


def erasure(tenant: int, name: str) -> Erase:
    return Erase(tenant_id=tenant, actor=KEY, subject=name, objects=(Name("customer", tenant, name),))


async def test_the_command_leaves_its_past_to_be_redacted(dsn: str, tenant: int) -> None:
    async with erased(dsn, tenant) as it:
        assert await it.telling() == (MANY, 1)
        assert await it.standing() == (0, False, 0, "JANE")


async def test_what_is_finished_tells_nothing_not_even_what_it_was_called(dsn: str, tenant: int) -> None:
    async with erased(dsn, tenant) as it:
        await it.finish()

        assert await it.telling() == (0, 0)
        assert await it.standing() == (MANY, True, 1, None)


async def test_whoever_dies_in_the_middle_leaves_the_rest_to_another(dsn: str, tenant: int) -> None:
    async with erased(dsn, tenant) as it:
        dying = asyncio.create_task(it.finish())
        while (await it.standing())[0] == 0:  # noqa: ASYNC110  (PostgreSQL has no event for it)
            await asyncio.sleep(0)
        dying.cancel()
        await asyncio.wait([dying])
        (place, _, finished, _), telling = await it.settled()
        assert (place < MANY, finished, telling) == (True, 0, (MANY - place, 1))

        async with pooled(dsn) as pool:
            await Redaction(pool, shown).finish_left()
        assert await it.telling() == (0, 0)
        assert await it.standing() == (MANY, True, 1, None)


async def test_two_at_once_do_no_harm(dsn: str, tenant: int) -> None:
    async with erased(dsn, tenant) as it:
        await asyncio.gather(it.finish(), it.redaction.finish_left(), it.finish())

        assert await it.telling() == (0, 0)


async def test_what_was_told_after_the_erasure_is_not_redacted(dsn: str, tenant: int) -> None:
    async with erased(dsn, tenant) as it, worker(dsn) as desk:
        assert await desk.say(update(it.id, tenant=tenant, name="Jane again")) == ["done"]
        await it.finish()

        assert await it.telling() == (1, 1)  # the answer shows the customer as it stands


async def test_an_erasure_in_the_middle_of_another_is_not_forgotten(dsn: str, tenant: int) -> None:
    async with erased(dsn, tenant) as it, worker(dsn) as desk:
        commands = update(it.id, tenant=tenant, name="Jane again"), erasure(tenant, it.id)
        assert [(await desk.say(command)) for command in commands] == [["done"], ["done"]]
        await it.redaction.finish_left()

        assert await it.telling() == (0, 0)
        assert await it.standing() == (MANY + 2, True, 2, None)


async def test_what_receivers_answered_is_forgotten(dsn: str, tenant: int) -> None:
    async with erased(dsn, tenant) as it, session(dsn) as psql:
        sql = """
            INSERT INTO delivery_attempt (tenant_id, id, event_id, endpoint_id, number, attempted_at, duration_ms,
                                          status, answer, succeeded, out_of_order)
            VALUES ($1, 'dat_1', 'evt_2', 'we_1', 1, now(), 5, 200, 'Thank you, Jane', true, false)
        """
        await psql.execute(sql, tenant)
        await it.finish()

        (found,) = await psql.fetch("SELECT status, answer FROM delivery_attempt WHERE tenant_id = $1", tenant)
        assert tuple(found) == (200, None)


async def test_a_store_gives_the_old_reference_to_the_next(opened: Open, tenant: int) -> None:
    """In one batch too, where the one leaves it and the other takes it."""
    async with opened() as store, at_desk(store) as desk:
        assert await desk.say(create("JANE", tenant=tenant, **PERSON)) == ["done"]
        assert await desk.say(erasure(tenant, "JANE"), create("JANE", tenant=tenant)) == ["done", "done"]
        assert await desk.say(create("JANE", tenant=tenant)) == ["conflict"]
        assert await desk.say(erasure(tenant, "JANE"), create("JANE", tenant=tenant)) == ["done", "done"]


@pytest.mark.parametrize("also", [True, False])
async def test_a_race_for_a_reference_that_becomes_free_has_one_winner(
    opened: Open, tenant: int, *, also: bool
) -> None:
    async with opened() as store, at_desk(store) as desk:
        await desk.say(create("JANE", tenant=tenant))
        news = [create("JANE", tenant=tenant), create("JANE", tenant=tenant)]
        first, *others = await desk.say(erasure(tenant, "JANE"), *news) if also else await desk.say(*news)

        assert sorted([first, *others]) == (["conflict", "done", "done"] if also else ["conflict", "conflict"])
