"""What a store promises to the engine: the one on PostgreSQL and the one in memory keep the same promises."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from owed.core.command import Command
from owed.core.journal import Journal
from owed.core.outcomes import Done
from owed.core.state import Name, State
from owed.engine.store import AnswerKey, Blocked, Conflict, NamesByKey, Store, Writing
from owed.model.answer import Answer, KeptAnswer
from owed.model.customer import Customer
from owed.store.memory import MemoryStore
from owed.store.postgres import PostgresStore
from tests.core.samples import JANE, Stamps, create, update
from tests.store.workers import pooled

Open = Callable[[], AbstractAsyncContextManager[Store]]

KEPT = KeptAnswer(b"fingerprint", Answer(201, b"{}", "/there", '"1"', "Wed, 04 Mar 2026 05:06:07 GMT"))
SOON = 0.01


@pytest.fixture(params=["memory", "postgresql"])
def opened(request: pytest.FixtureRequest, dsn: str) -> Open:
    """Open a store of either kind."""

    @asynccontextmanager
    async def open_store() -> AsyncIterator[Store]:
        if request.param == "memory":
            yield MemoryStore()
            return
        async with pooled(dsn) as pool:
            yield PostgresStore(pool, dsn)

    return open_store


def carried_out(
    state: State, *commands: Command, answers: dict[AnswerKey, KeptAnswer] | None = None, seed: int = 1
) -> Writing:
    """Carry commands out on a state, and give what is to be saved."""
    stamp = Stamps(seed)()
    for command in commands:
        journal = Journal(command.tenant_id, command.actor, stamp)
        assert isinstance(command.decide(state, journal), Done)
        state.apply(journal)
    return Writing(state, answers or {})


def named(tenant: int, *references: str) -> list[Name]:
    return [Name("customer", tenant, reference) for reference in references]


async def standing(store: Store, tenant: int, reference: str) -> Customer | None:
    return (await store.read(named(tenant, reference))).customers.find(tenant, reference)


async def test_what_is_written_is_read_by_id_and_by_reference(opened: Open, tenant: int) -> None:
    async with opened() as store:
        writing = carried_out(
            State(),
            create("a", tenant=tenant, actor=JANE, name="John", metadata={"k": "v"}, currency="ZAR", balance=-5),
            create("b", tenant=tenant, payment_rules=None),
        )
        await store.write(writing)

        for customer in writing.state.customers.created():
            assert await standing(store, tenant, customer.external_reference) == customer
            assert await standing(store, tenant, customer.id) == customer
            assert await standing(store, tenant + 10_000, customer.id) is None


async def test_what_is_not_there_is_not_in_the_state(opened: Open, tenant: int) -> None:
    async with opened() as store:
        state = await store.read(named(tenant, "nobody", "bcus_nobody", "no name\0"))

        assert (state.customers.created(), await standing(store, tenant, "nobody")) == ([], None)
        assert (await store.read([])).customers.created() == []


async def test_a_change_of_what_has_changed_meanwhile_is_a_conflict(opened: Open, tenant: int) -> None:
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant)))
        one, other = await store.read(named(tenant, "a")), await store.read(named(tenant, "a"))
        await store.write(carried_out(one, update("a", tenant=tenant, name="first"), seed=2))

        with pytest.raises(Conflict):
            await store.write(carried_out(other, update("a", tenant=tenant, name="second"), seed=3))
        assert getattr(await standing(store, tenant, "a"), "name", None) == "first"


@pytest.mark.parametrize("taken", ["reference", "key"])
async def test_what_is_taken_is_a_conflict_and_nothing_at_all_is_saved(opened: Open, tenant: int, taken: str) -> None:
    key = AnswerKey(tenant, "k")
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant), answers={key: KEPT}))
        beside = create("beside", tenant=tenant, currency="ZAR", balance=1)
        if taken == "reference":
            writing = carried_out(State(), beside, create("a", tenant=tenant), seed=2)
        else:
            writing = carried_out(State(), beside, answers={key: KEPT}, seed=2)

        with pytest.raises(Conflict):
            await store.write(writing)
        assert await standing(store, tenant, "beside") is None


async def test_a_transaction_shows_the_objects_the_answers_and_the_keys_that_are_busy(
    opened: Open, tenant: int
) -> None:
    kept, free, busy = (AnswerKey(tenant, key) for key in ("kept", "free", "busy"))
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant), answers={kept: KEPT}))
        async with (
            store.held([], {busy: ()}),
            store.held([], {busy: (), free: tuple(named(tenant, "b")), kept: tuple(named(tenant, "a"))}) as held,
        ):
            assert (held.answers, held.busy) == ({kept: KEPT}, {busy})
            assert held.state.customers.find(tenant, "a") is not None


async def test_a_key_is_busy_until_its_transaction_is_left(opened: Open, tenant: int) -> None:
    key = AnswerKey(tenant, "k")
    async with opened() as store:
        async with store.held([], {key: ()}):
            pass
        with pytest.raises(ZeroDivisionError):
            await fail_holding(store, {key: ()})
        async with store.held([], {key: ()}) as held:
            assert held.busy == set()


async def fail_holding(store: Store, keys: NamesByKey, writing: Writing | None = None) -> None:
    """Leave a transaction by a bug."""
    async with store.held([], keys) as held:
        if writing:
            await held.write(writing)
        raise ZeroDivisionError


async def test_what_is_written_in_a_transaction_counts_when_it_is_left(opened: Open, tenant: int) -> None:
    key = AnswerKey(tenant, "k")
    async with opened() as store:
        async with store.held(named(tenant, "a"), {key: ()}) as held:
            await held.write(carried_out(held.state, create("a", tenant=tenant), answers={key: KEPT}))
            assert await standing(store, tenant, "a") is None

        assert await standing(store, tenant, "a") is not None
        async with store.held([], {key: ()}) as later:
            assert later.answers == {key: KEPT}


async def test_who_leaves_a_transaction_by_an_error_has_written_nothing(opened: Open, tenant: int) -> None:
    async with opened() as store:
        with pytest.raises(ZeroDivisionError):
            await fail_holding(store, {}, carried_out(State(), create("a", tenant=tenant)))

        assert await standing(store, tenant, "a") is None


async def test_an_object_that_is_held_is_waited_for_and_then_seen_as_it_stands(opened: Open, tenant: int) -> None:
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant)))
        waits = asyncio.Event()

        async def hold_too() -> Customer | None:
            waits.set()
            async with store.held(named(tenant, "a"), {}, 5.0) as held:
                return held.state.customers.find(tenant, "a")

        async with store.held(named(tenant, "a"), {}) as held:
            second = asyncio.create_task(hold_too())
            await waits.wait()
            await held.write(carried_out(held.state, update("a", tenant=tenant, name="x"), seed=2))
            assert not second.done()

        assert getattr(await second, "name", None) == "x"


async def test_an_object_that_is_held_too_long_blocks(opened: Open, tenant: int) -> None:
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant), create("b", tenant=tenant)))
        state = await store.read(named(tenant, "a"))
        async with store.held(named(tenant, "a"), {}):
            with pytest.raises(Blocked):
                async with store.held(named(tenant, "b", "a"), {}, SOON):
                    pass
            with pytest.raises(Blocked):
                await store.write(carried_out(state, update("a", tenant=tenant, name="x"), seed=2))
            async with store.held(named(tenant, "b"), {}, SOON):
                pass


async def test_what_is_named_under_a_busy_key_is_not_held(opened: Open, tenant: int) -> None:
    """Its command is not decided in this transaction, so nobody needs to wait for it."""
    key = AnswerKey(tenant, "k")
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant)))
        async with (
            store.held(named(tenant, "a"), {key: ()}),
            store.held([], {key: tuple(named(tenant, "a"))}, SOON) as held,
        ):
            assert held.busy == {key}


async def test_a_transaction_that_is_too_late_for_a_reference_or_a_key_is_a_conflict(opened: Open, tenant: int) -> None:
    """Neither is locked by who creates it: it is not there yet."""
    key = AnswerKey(tenant, "k")
    async with opened() as store:
        for late in (
            carried_out(State(), create("a", tenant=tenant), seed=2),
            carried_out(State(), create("b", tenant=tenant), answers={key: KEPT}, seed=3),
        ):
            with pytest.raises(Conflict):
                await write_late(store, carried_out(State(), create("a", tenant=tenant), answers={key: KEPT}), late)


async def write_late(store: Store, first: Writing, late: Writing) -> None:
    """Write something while a transaction is open, unless it is there already, and then something else in that."""
    async with store.held([], {}) as held:
        if await standing(store, first.state.customers.created()[0].tenant_id, "a") is None:
            await store.write(first)
        await held.write(late)
