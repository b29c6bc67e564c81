"""Charges and credits, as a store keeps them: every column, every name, every race."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from owed.core.command import Command
from owed.core.outcomes import Code
from owed.core.state import State
from owed.engine.store import Conflict, Store, Writing
from owed.store.postgres import PostgresStore
from tests.core.samples import (
    JANE,
    NOW,
    SECOND,
    Stamps,
    charge,
    create,
    create_account,
    create_bill,
    credit,
    credit_bill,
    undo,
)
from tests.engine.desk import DONE
from tests.store.reading import read_objects, read_transfers
from tests.store.saving import Open, carried_out, named, standing
from tests.store.workers import pooled, session, worker

WHOLE: dict[str, Any] = {
    "external_reference": "whole",
    "reason": "units of Monday, é",
    "metadata": {"k": "v"},
    "occurred_at": NOW - timedelta(days=1),
    "actor": JANE,
}
KINDS = ["charge", "credit"]


def commands_of(tenant: int) -> list[Command]:
    """Give what charges and credits everything that there is, with all members and with none."""
    commands: list[Any] = [
        create("c", currency="ZAR", balance=-1000),
        create_account("a", customer="c"),
        create_bill("b", account="a"),
        charge("c", 300, floor=-7, **WHOLE),
        charge("a", 400, kind="account", currency="ZAR"),
        credit("c", 300, external_reference="other"),
        credit_bill("b", 200, "write_off", **WHOLE),
    ]
    return [msgspec.structs.replace(command, tenant_id=tenant) for command in commands]


def later(state: State, *commands: Command) -> Writing:
    return carried_out(state, *commands, stamps=Stamps(100, NOW + SECOND))


async def write_all(store: Store, tenant: int) -> Writing:
    writing = carried_out(State(), *commands_of(tenant))
    await store.write(writing)
    return writing


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_written_is_read_as_it_was(kind: str, opened: Open, tenant: int) -> None:
    async with opened() as store:
        writing = await write_all(store, tenant)
        state = await store.read(named(tenant, *(it.id for it in writing.state.shelves[kind].created()), kind=kind))

        assert len(writing.state.shelves[kind].created()) == 2
        for made in writing.state.shelves[kind].created():
            assert state.shelves[kind].find(tenant, made.id) == made
        assert (await standing(store, tenant, "whole", kind)).reason == WHOLE["reason"]


@pytest.mark.parametrize(("kind", "on", "object_kind"), [("charge", "c", "customer"), ("credit", "b", "bill")])
async def test_what_is_reversed_is_read_as_it_stands_then(
    kind: str, on: str, object_kind: str, opened: Open, tenant: int
) -> None:
    async with opened() as store:
        await write_all(store, tenant)
        names = [*named(tenant, "whole", kind=kind), *named(tenant, on, kind=object_kind)]
        state = await store.read(names)
        stale = await store.read(names)
        command = undo("whole", on=on, object_kind=object_kind, kind=kind, tenant=tenant)
        await store.write(later(state, command))

        ((_, after),) = state.shelves[kind].changed()
        assert (after.reversed_at, after.version) == (NOW + SECOND, 2)
        assert await standing(store, tenant, "whole", kind) == after
        with pytest.raises(Conflict):
            await store.write(later(stale, command))


@pytest.mark.parametrize(("kind", "command"), [("charge", charge("c")), ("credit", credit("c"))])
async def test_a_reference_is_kept_once_whoever_looked(kind: str, command: Any, opened: Open, tenant: int) -> None:
    async with opened() as store:
        await write_all(store, tenant)
        state = await store.read(named(tenant, "c"))
        again = msgspec.structs.replace(command, tenant_id=tenant, external_reference="whole")

        assert state.shelves[kind].holder(tenant, "whole") is None
        with pytest.raises(Conflict):
            await store.write(later(state, again))


async def test_what_a_credit_is_of_a_bill_is_kept_with_it(opened: Open, tenant: int) -> None:
    async with opened() as store:
        await write_all(store, tenant)

        bill = await standing(store, tenant, "b", "bill")
        assert (bill.amount_paid, bill.amount_credited, bill.amount_received) == (200, 200, 0)


async def test_a_transfer_is_kept_with_its_document(dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        writing = await write_all(PostgresStore(pool, dsn), tenant)
        kept = await read_transfers(psql, tenant)

        made = {it.id for kind in KINDS for it in writing.state.shelves[kind].created()}
        assert kept == sorted(writing.state.transfers, key=lambda it: (it.obligation_id, it.version))
        assert {transfer.document_id for transfer in kept} - {None} == made


@pytest.mark.parametrize("change", ["amount_credited = -1", "amount_credited = amount_paid + 1"])
async def test_no_bill_is_credited_more_than_counts_as_paid(change: str, dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        await write_all(PostgresStore(pool, dsn), tenant)

        with pytest.raises(asyncpg.CheckViolationError):
            await psql.execute(f"UPDATE bill SET {change} WHERE tenant_id = $1", tenant)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("charge", "amount = 0"),
        ("charge", "object_id = 'bill_1'"),
        ("charge", "version = 2"),
        ("credit", "object_id = 'bill_1', type = NULL"),
        ("credit", "type = 'gift'"),
        ("credit", "object_id = 'bcus_1', type = 'discount'"),
    ],
)
async def test_what_contradicts_itself_cannot_be_saved(kind: str, change: str, dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        await write_all(PostgresStore(pool, dsn), tenant)

        with pytest.raises(asyncpg.CheckViolationError):
            await psql.execute(f"UPDATE {kind} SET {change} WHERE tenant_id = $1", tenant)


async def test_what_they_are_found_by_is_there(dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        await write_all(PostgresStore(pool, dsn), tenant)
        items = [item for kind in KINDS for item in await read_objects(psql, kind, tenant)]
        sql = "SELECT object_id, term FROM search_term WHERE tenant_id = $1 AND object_id ~ '^(chg|crd)_'"

        found = {tuple(row) for row in await psql.fetch(sql, tenant)}
        assert found == {(item.id, term) for item in items for term in item.terms()}


async def test_two_workers_use_up_exactly_the_credit(dsn: str, tenant: int) -> None:
    async with worker(dsn) as one, worker(dsn) as other, pooled(dsn) as pool:
        await one.say(create("p", tenant=tenant, currency="ZAR", balance=-1000))
        charges = [charge("p", 90, tenant=tenant, floor=0) for _ in range(20)]
        replies = await asyncio.gather(one.say(*charges[:10]), other.say(*charges[10:]))
        customer = await standing(PostgresStore(pool, dsn), tenant, "p")

    words = [word for each in replies for word in each]
    assert sorted(words) == sorted([DONE] * 11 + [Code.INSUFFICIENT_CREDIT] * 9)
    assert customer.obligation.total == -10
