"""A connection that dies while something is saved: the answer is true (docs/architecture.md, "unknown commit")."""

import asyncio
import time
from typing import Any

import asyncpg
import pytest

from owed.core.accounts import AccountMembers
from owed.core.customers import CustomerMembers
from owed.core.outcomes import Code
from owed.database import pool
from owed.engine.attempts import UNKNOWN, UNREACHABLE
from owed.engine.pending import Reply
from owed.store import postgres
from tests.core.samples import SeededStamp, Stamps, create, create_bill, update, update_settings
from tests.engine.desk import DONE, Desk, render, word, words
from tests.store.relay import Fate, relayed
from tests.store.workers import all_idle, blocked_backends, rows, session, worker

CREATION, CHANGE = b'"customer.created"', b'"customer.updated"'
"""What only the statement that saves an event holds."""

TABLES = ("customer", "event", "answer", "transfer", "search_term")


@pytest.fixture
def short_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "ASK_FOR", 0.3)
    monkeypatch.setattr(postgres, "ASK_AGAIN", 0.01)


async def counts(watcher: "asyncpg.Connection[Any]", tenant: int) -> list[int]:
    return [await rows(watcher, table, tenant) for table in TABLES]


async def batch(desk: Desk, tenant: int) -> list[Reply]:
    """Create five customers with balances, in one batch."""
    tasks = [
        desk.hand_in(create(f"c{number}", tenant=tenant, currency="ZAR", balance=number), f"k{number}")
        for number in range(5)
    ]
    return await asyncio.gather(*tasks)


async def test_what_was_committed_is_a_success_though_its_connection_died(dsn: str, tenant: int) -> None:
    async with relayed(dsn) as (relay, through), worker(through) as desk, session(dsn) as watcher:
        relay.strike(CREATION, Fate.CUT_AFTER)
        replies = await batch(desk, tenant)
        assert relay.struck.is_set()

        assert words(replies) == [DONE] * 5
        assert (await counts(watcher, tenant))[:4] == [5, 5, 5, 5]
        assert [reply.replayed for reply in await batch(desk, tenant)] == [True] * 5


async def test_what_was_never_sent_is_out_of_reach_and_nothing_is_there(dsn: str, tenant: int) -> None:
    async with relayed(dsn) as (relay, through), worker(through) as desk, session(dsn) as watcher:
        relay.strike(CREATION, Fate.CUT_BEFORE)
        replies = await batch(desk, tenant)

        assert {(reply.answer, reply.passing) for reply in replies} == {(render(UNREACHABLE), True)}
        assert await counts(watcher, tenant) == [0] * 5
        assert words(await batch(desk, tenant)) == [DONE] * 5


async def test_what_still_runs_when_its_connection_dies_is_ended_before_anybody_is_told(
    dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its backend waits for a lock and would commit later; it must not, once the client has been told otherwise."""
    monkeypatch.setitem(pool.SESSION, "lock_timeout", "10s")
    async with relayed(dsn) as (relay, through), worker(through) as desk, session(dsn) as psql:
        await desk.ask(create("a", tenant=tenant))
        async with psql.transaction():
            await psql.fetch("SELECT FROM customer WHERE tenant_id = $1 FOR UPDATE", tenant)
            relay.strike(CHANGE, Fate.CUT_BEHIND)
            reply = await desk.ask(update("a", tenant=tenant, name="never"))
            assert reply.answer == render(UNREACHABLE)

        await all_idle(psql)
        assert await psql.fetchval("SELECT name FROM customer WHERE tenant_id = $1", tenant) is None


@pytest.mark.parametrize("fate", [Fate.CUT_AFTER, Fate.CUT_BEFORE, Fate.CUT_BEHIND])
async def test_a_commit_of_what_was_held_is_resolved_too(dsn: str, tenant: int, fate: Fate) -> None:
    """A batch that lost a race is saved by a COMMIT of its own."""
    async with relayed(dsn) as (relay, through), worker(through) as desk, session(dsn) as watcher:
        await desk.ask(create("taken", tenant=tenant))
        relay.strike(b"COMMIT", fate)
        replies = await asyncio.gather(
            desk.ask(create("taken", tenant=tenant), "k1"), desk.ask(create("new", tenant=tenant), "k2")
        )
        assert relay.struck.is_set()

        is_there = await rows(watcher, "customer", tenant) == 2
        assert await rows(watcher, "answer", tenant) == (2 if is_there else 0)
        if fate is not Fate.CUT_BEHIND:
            assert is_there == (fate is Fate.CUT_AFTER)
        if is_there:
            assert words(replies) == [Code.CONFLICT, DONE]
        else:
            assert {reply.answer for reply in replies} == {render(UNREACHABLE)}


@pytest.mark.parametrize("table", ["customer", "answer"])
async def test_a_backend_that_is_ended_while_it_saves_has_saved_nothing(dsn: str, tenant: int, table: str) -> None:
    async with worker(dsn) as desk, session(dsn) as psql, session(dsn) as watcher:
        await desk.ask(create("a", tenant=tenant), "k0")
        async with psql.transaction():
            await psql.execute(f"LOCK TABLE {table} IN SHARE MODE")
            task = desk.hand_in(update("a", tenant=tenant, name="x"), "k1")
            (pid,) = await blocked_backends(watcher)
            await watcher.fetch("SELECT pg_terminate_backend($1)", pid)
            assert (await task).answer == render(UNREACHABLE)

        assert await counts(watcher, tenant) == [1, 1, 1, 0, 1]
        assert word(await desk.ask(update("a", tenant=tenant, name="x"), "k1")) == DONE


@pytest.mark.usefixtures("short_asking")
async def test_where_nobody_can_be_asked_the_outcome_is_unknown_and_a_retry_finds_it(dsn: str, tenant: int) -> None:
    async with relayed(dsn) as (relay, through), worker(through) as desk:
        relay.strike(CREATION, Fate.CUT_AFTER, shut_out=True)
        replies = await batch(desk, tenant)
        assert {(reply.answer, reply.passing, reply.kept) for reply in replies} == {(render(UNKNOWN), True, False)}

        relay.lets_in.set()
        retries = await batch(desk, tenant)
        assert [(word(reply), reply.replayed) for reply in retries] == [(DONE, True)] * 5


async def test_anothers_answer_under_the_same_key_proves_nothing_about_the_rest(dsn: str, tenant: int) -> None:
    """A PATCH that changes nothing has the same answer whoever gives it; the creation beside it was never saved."""
    async with relayed(dsn) as (relay, through), worker(through) as desk, worker(dsn) as other:
        await other.ask(create("a", tenant=tenant, name="x"))
        nothing = update("a", tenant=tenant, name="x")
        relay.strike(CREATION, Fate.CUT_BEFORE, shut_out=True)
        tasks = [desk.hand_in(create("never", tenant=tenant)), desk.hand_in(nothing, "k")]
        await relay.struck.wait()
        assert word(await other.ask(nothing, "k")) == DONE
        relay.lets_in.set()

        assert (await tasks[0]).answer == render(UNREACHABLE)
        assert word(await other.ask(update("never", tenant=tenant, name="y"))) == Code.NOT_FOUND


async def test_answers_alone_are_evidence_too(dsn: str, tenant: int) -> None:
    async with relayed(dsn) as (relay, through), worker(through) as desk:
        relay.strike(b"not_found", Fate.CUT_AFTER)
        reply = await desk.ask(update("nobody", tenant=tenant, name="x"), "k")

        assert (word(reply), reply.kept, relay.struck.is_set()) == (Code.NOT_FOUND, True, True)


# Settings, of which no event tells


SETTINGS_CHANGE = b"settings.update"
"""What only the statement that saves who changed the settings holds."""


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_change_of_settings_that_was_committed_is_known_by_who_made_it(
    dsn: str, merchants_tenant: int, key: str | None
) -> None:
    tenant = merchants_tenant
    async with relayed(dsn) as (relay, through), worker(through) as desk, session(dsn) as watcher:
        relay.strike(SETTINGS_CHANGE, Fate.CUT_AFTER)
        reply = await desk.ask(update_settings(tenant=tenant, time_zone="Asia/Kathmandu"), key)

        assert (word(reply), reply.kept, relay.struck.is_set()) == (DONE, key is not None, True)
        assert await settings_version(watcher, tenant) == 2
        assert [await rows(watcher, table, tenant) for table in ("event", "attribution")] == [0, 1]


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_change_of_settings_that_was_never_sent_is_known_not_to_stand(
    dsn: str, merchants_tenant: int, key: str | None
) -> None:
    tenant = merchants_tenant
    command = update_settings(tenant=tenant, time_zone="Asia/Kathmandu")
    async with relayed(dsn) as (relay, through), worker(through) as desk, session(dsn) as watcher:
        relay.strike(SETTINGS_CHANGE, Fate.CUT_BEFORE)
        assert (await desk.ask(command, key)).answer == render(UNREACHABLE)
        assert await settings_version(watcher, tenant) == 1

        assert word(await desk.ask(command, key)) == DONE
        assert await settings_version(watcher, tenant) == 2


async def test_the_same_change_by_another_worker_proves_nothing_about_ours(dsn: str, merchants_tenant: int) -> None:
    """What stands in the end is what was asked, but by somebody else: ours was never saved, and is not attested."""
    tenant = merchants_tenant
    command = update_settings(tenant=tenant, time_zone="Asia/Kathmandu")
    async with relayed(dsn) as (relay, through), worker(through) as desk, worker(dsn) as other:
        relay.strike(SETTINGS_CHANGE, Fate.CUT_BEFORE, shut_out=True)
        ours = desk.hand_in(command)
        await relay.struck.wait()
        assert word(await other.ask(command)) == DONE
        relay.lets_in.set()

        assert (await ours).answer == render(UNREACHABLE)


async def settings_version(watcher: "asyncpg.Connection[Any]", tenant: int) -> int:
    version: int = await watcher.fetchval("SELECT settings_version FROM tenant WHERE id = $1", tenant)
    return version


# Composites


@pytest.mark.parametrize(("fate", "made"), [(Fate.CUT_AFTER, 1), (Fate.CUT_BEFORE, 0)])
@pytest.mark.parametrize("event", [b'"customer.created"', b'"account.created"', b'"bill.created"'])
async def test_a_composite_is_there_whole_or_not_at_all_and_the_answer_is_true(
    dsn: str, tenant: int, event: bytes, fate: Fate, made: int
) -> None:
    customer = CustomerMembers(external_reference="c", currency="ZAR", balance=1)
    command = create_bill("b", account=AccountMembers(external_reference="a", customer=customer), tenant=tenant)
    async with relayed(dsn) as (relay, through), worker(through) as desk, session(dsn) as watcher:
        relay.strike(event, fate)
        reply = await desk.ask(command, "k")

        assert [await rows(watcher, table, tenant) for table in ("customer", "account", "bill")] == [made] * 3
        assert [await rows(watcher, table, tenant) for table in ("event", "transfer")] == [3 * made, 2 * made]
        assert (word(reply), relay.struck.is_set()) == (DONE if made else Code.UNAVAILABLE, True)
        assert (await desk.ask(command, "k")).replayed == bool(made)


# What comes after


async def test_a_lost_connection_is_replaced(dsn: str, tenant: int) -> None:
    """Those that were idle when the server went away are noticed before they are used."""
    async with worker(dsn) as desk, session(dsn) as psql:
        await desk.ask(create("a", tenant=tenant))
        await psql.fetch(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = 'owed' AND datname = current_database()"
        )
        await psql.fetch("SELECT")

        assert await desk.say(update("a", tenant=tenant, name="x")) == [DONE]


class StallingStamps(Stamps):
    """The second stamp takes its time, as for a worker that is stopped in the middle of a transaction."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._stalls = iter((0.0, seconds))

    def __call__(self) -> SeededStamp:
        time.sleep(next(self._stalls, 0))
        return super().__call__()


@pytest.fixture
def short_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have PostgreSQL end transactions that do nothing sooner than it would."""
    monkeypatch.setitem(pool.SESSION, "idle_in_transaction_session_timeout", "50ms")


@pytest.mark.usefixtures("short_transactions")
async def test_a_worker_that_stops_in_a_transaction_frees_its_locks_and_hears_that_nothing_was_done(
    dsn: str, tenant: int
) -> None:
    async with worker(dsn, stamps=StallingStamps(0.3)) as desk:
        tasks = [
            desk.hand_in(create("bad", tenant=tenant, currency="XXQ"), "k1"),  # not kept, so its key has to be held
            desk.hand_in(create("a", tenant=tenant), "k2"),
        ]

        assert {reply.answer for reply in await asyncio.gather(*tasks)} == {render(UNREACHABLE)}
        assert word(await desk.ask(create("a", tenant=tenant), "k2")) == DONE
