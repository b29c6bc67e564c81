"""Books are found to be right as they were written, and broken wherever anybody changes a row of them by hand."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from owed.core.ledger import seal
from owed.core.verification.adjustments import Adjustments
from owed.core.verification.broken import Broken
from owed.core.verification.ledger import LedgerCheck
from owed.core.verification.payments import Payments, Sums
from owed.core.verification.root import Root
from owed.database.pool import Pool
from owed.engine.store import Writing
from owed.model.payment_rules import PaymentRules
from owed.model.transfer import Transfer
from owed.store import books
from owed.store.postgres import save
from owed.store.verification import Check, Counts, find_strangers
from tests.core.samples import (
    JANE,
    NOW,
    SECOND,
    Books,
    Stamps,
    allocate,
    allocate_all,
    charge,
    create,
    create_account,
    create_bill,
    credit,
    credit_bill,
    move,
    pay,
    pay_many,
    receive,
    refund,
    reverse,
    undo,
    update,
    update_bill,
    void,
)
from tests.database.places import connected
from tests.store.workers import pooled, session, worker

SETTLED = NOW + 1000 * SECOND
"""All that the tests write is stamped before."""

ANY_RULES = PaymentRules(1, 10_000, underpayment_allowed=True, overpayment_allowed=True)
BY_HAND = "SET session_replication_role = replica"
"""Whoever changes rows by hand heeds no foreign key, and no check."""

CHECKS = """
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
      FROM pg_constraint
     WHERE contype = 'c' AND connamespace = 'public'::regnamespace
"""


class World:
    """The books of a tenant of the test's own, and whoever may change them by hand."""

    def __init__(self, pool: Pool, by_hand: "asyncpg.Connection[Any]", tenant: int) -> None:
        self.pool, self.by_hand, self.tenant = pool, by_hand, tenant
        self.books = Books(stamps=Stamps(tenant))

    async def check(self, *roots: Root, before: datetime = SETTLED) -> Counts:
        return await Check(self.pool, self.tenant, before, roots, lambda _count: None).run()

    async def broken(self) -> Broken:
        """Check books that are broken, and say where."""
        with pytest.raises(Broken) as found:
            await self.check()
        return found.value

    async def root(self, at: datetime = SETTLED) -> str:
        root = Root(at)
        await self.check(root)
        return str(root)

    def do(self, command: Any) -> Any:
        """Carry a command out a second after the one before it."""
        self.books.stamps.now += SECOND
        return self.books.done(msgspec.structs.replace(command, tenant_id=self.tenant))

    async def cut(self, kind: str, reference: str, version: int, **head: int) -> None:
        """Remove all transfers after a version, and have the object say so.

        Args:
            head: Further columns of the object, as they were.
        """
        obligation_id = self.ids[reference]
        last = (await self.transfers(obligation_id))[version - 1]
        columns = {
            "total": last.total_after,
            "transfer_version": version,
            "transfer_hash": last.hash,
            "transferred_at": last.recorded_at,
            **head,
        }
        gone = "DELETE FROM transfer WHERE tenant_id = $1 AND obligation_id = $2 AND version > $3"
        await self.by_hand.execute(gone, self.tenant, obligation_id, version)
        for name, value in columns.items():
            await self.change(f"UPDATE {kind} SET {name} = $3 WHERE id = $2", obligation_id, value)

    async def rewrite(self, obligation_id: str, version: int, member: str, value: Any) -> None:
        """Change a transfer, and seal it and all after it anew, up to the head of the bill."""
        previous = b""
        await self.change_transfer(obligation_id, version, member, value)
        for each in await self.transfers(obligation_id):
            previous = seal(each, previous)
            await self.change_transfer(obligation_id, each.version, "hash", previous)
        await self.change("UPDATE bill SET transfer_hash = $3 WHERE id = $2", obligation_id, previous)

    async def save(self) -> None:
        async with self.pool.connection() as connection:
            await save(connection, Writing(self.books.state, {}))

    async def change(self, sql: str, *values: Any) -> None:
        """Change exactly one row of the tenant's."""
        assert await self.by_hand.execute(f"{sql} AND tenant_id = $1", self.tenant, *values) in ("UPDATE 1", "DELETE 1")

    async def change_transfer(self, obligation_id: str, version: int, member: str, value: Any) -> None:
        where = "WHERE obligation_id = $2 AND version = $3"
        await self.change(f"UPDATE transfer SET {member} = $4 {where}", obligation_id, version, value)

    async def transfers(self, obligation_id: str) -> list[Transfer]:
        sql = "SELECT * FROM transfer WHERE tenant_id = $1 AND obligation_id = $2 ORDER BY version"
        return [Transfer(**row) for row in await self.by_hand.fetch(sql, self.tenant, obligation_id)]

    def application(self, payment: str, number: int = 0) -> str:
        """Give the id of an application of a payment."""
        found = self.books.state.payments.find(self.tenant, payment)
        assert found is not None
        return found.applications[number].id

    @property
    def ids(self) -> dict[str, str]:
        """Give the ids of all objects, by external reference."""
        shelves = self.books.state.shelves.values()
        return {name: item.id for shelf in shelves for item in shelf.created() for name in item.names}


@asynccontextmanager
async def world_of(dsn: str, tenant: int, *lives: Callable[[World], None]) -> AsyncIterator[World]:
    """Open a world with a history of every cause, and of more."""
    async with pooled(dsn) as pool, session(dsn) as by_hand:
        await by_hand.execute(BY_HAND)
        world = World(pool, by_hand, tenant)
        for each in (live, *lives):
            each(world)
        await world.save()
        yield world


def live(world: World) -> None:
    """Have something of everything happen."""
    do = world.do
    do(create("C", currency="ZAR", balance=500, payment_rules=ANY_RULES))
    do(create("U", currency="ZAR", payment_rules=ANY_RULES))
    do(create("N"))
    do(create_account("A", customer="C", currency="ZAR", balance=-50, payment_rules=ANY_RULES))
    do(update("C", balance=700, actor=JANE))
    for reference in ("B", "B2", "V"):
        do(create_bill(reference, customer="C", payment_rules=ANY_RULES))
    do(create_bill("X", account="A", payment_rules=ANY_RULES))
    do(update_bill("X", currency="USD", amount_paid=200))
    do(void("V"))
    do(pay("B", 600, channel="card", external_reference="P1"))
    do(refund("P1", amount=100, external_reference="R1"))
    do(pay_many(("bill", "B2", 1000), ("account", "A", 300), ("customer", "U", 20), external_reference="P2"))
    do(reverse("P2", amount=350, external_reference="V1", occurred_at=NOW))
    do(refund("P1", amount=200, external_reference="R2"))
    do(pay("B", 900, external_reference="P3", paid_at=NOW))
    do(update_bill("B", amount_paid=1300))
    adjust(world)


def adjust(world: World) -> None:
    """Have charges and credits of every type, and undo some."""
    do = world.do
    do(create("K", currency="ZAR", balance=-1000))
    do(charge("K", 300, floor=0, external_reference="G1", reason="units", occurred_at=NOW))
    do(charge("K", 50, external_reference="G2"))
    do(undo("G2", on="K"))
    do(credit("K", 20, external_reference="D1"))
    do(create_bill("D", customer="K"))
    for each in ("credit_note", "discount", "write_off"):
        do(credit_bill("D", 200, each, external_reference=each))
    do(undo("discount", on="D", object_kind="bill", kind="credit"))


def live_on(world: World) -> None:
    """Have money come that fits nothing, and find its place: P4 is of nobody, of P5 a part fits."""
    do = world.do
    for reference in ("B3", "B4"):
        do(create_bill(reference, customer="C", payment_rules=ANY_RULES))
    do(receive(amount=500, external_reference="P4", channel="card", paid_at=NOW))
    do(receive(("bill", "B3", 1500), ("bill", "nowhere", 100), amount=1600, external_reference="P5"))
    do(allocate("P4", ("bill", "B4", 300), ("customer", "C", 50), external_reference="A1", actor=JANE))
    do(refund("P4", amount=120, external_reference="R4"))
    do(reverse("P4", amount=60, external_reference="V4", occurred_at=NOW))
    do(move("P5", world.application("P5"), "account", "A", amount=400, external_reference="M1"))
    do(move("P5", world.application("P5"), amount=100, external_reference="M2"))
    do(allocate_all("P5", "bill", "B3", external_reference="A2"))


@pytest.fixture(scope="module", autouse=True)
def _unchecked(dsn: str) -> None:
    async def run(connection: "asyncpg.Connection[Any]") -> None:
        for (drop,) in await connection.fetch(CHECKS):
            await connection.execute(drop)

    connected(dsn, run)


@pytest.mark.parametrize("page", [1, 2, 3, 2000])
async def test_books_that_nobody_touched_are_right(
    page: int, dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "PAGE", page)
    async with world_of(dsn, tenant) as world:
        assert await world.check() == Counts(obligations=10, transfers=len(world.books.state.transfers), payments=3)


CHANGES: dict[str, Any] = {
    "tenant_id": 2**31 - 1,
    "obligation_id": "bill_other",
    "version": 99,
    "id": "tra_other",
    "amount": -601,
    "currency": "USD",
    "total_after": 399,
    "debit": "clearing",
    "credit": "billed",
    "cause": "correction",
    "key_id": "key_other",
    "attribution_id": "att_other",
    "attribution_digest": b"other",
    "occurred_at": NOW,
    "recorded_at": NOW + 100 * SECOND,
    "payment_id": "pay_other",
    "taken_back_id": "ref_other",
    "document_id": "mov_other",
    "hash": b"other",
}
"""Of the payment that is the second transfer of a bill."""


@pytest.mark.parametrize("member", Transfer.__struct_fields__)
async def test_no_member_of_a_transfer_can_be_changed_unseen(member: str, dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        bill = world.ids["B"]
        await world.change_transfer(bill, 2, member, CHANGES[member])
        found = await world.broken()

    assert found.object_id == bill
    assert found.version == (3 if member in ("tenant_id", "obligation_id", "version") else 2)


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "20000-01-01", "4000-01-01 BC"])
async def test_no_time_is_too_strange_to_be_found(moment: str, dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        where = f"WHERE obligation_id = '{world.ids['B']}' AND version = 2"
        await world.change(f"UPDATE transfer SET recorded_at = '{moment}' {where}")
        found = await world.broken()
        await world.change(f"UPDATE customer SET transferred_at = '{moment}' WHERE id = $2", world.ids["C"])
        earlier = await world.broken()

    assert ((found.object_id, found.version), earlier.object_id) == ((world.ids["B"], 2), world.ids["C"])


@pytest.mark.parametrize("version", range(1, 7))
async def test_no_transfer_can_be_removed_unseen(version: int, dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        bill = world.ids["B"]
        await world.change("DELETE FROM transfer WHERE obligation_id = $2 AND version = $3", bill, version)
        found = await world.broken()

    assert (found.object_id, found.version) == (bill, version + 1 if version < 6 else 5)


async def test_an_obligation_without_its_transfers_is_found(dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        customer = world.ids["C"]
        await world.by_hand.execute(
            "DELETE FROM transfer WHERE tenant_id = $1 AND obligation_id = $2", tenant, customer
        )
        found = await world.broken()

    assert str(found) == f"{customer}: the object counts 2 transfers, and those after version 0 are missing"


@pytest.mark.parametrize(("kind", "reference"), [("customer", "C"), ("bill", "B")])
async def test_transfers_without_their_object_are_found(kind: str, reference: str, dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        await world.change(f"DELETE FROM {kind} WHERE external_reference = $2", reference)
        found = await world.broken()

    assert (found.object_id, found.version) == (world.ids[reference], 1)
    assert found.sentence == "there is no object that it is of"


async def test_a_tail_that_was_cut_off_is_found_by_the_head(dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        bill = world.ids["B"]
        await world.by_hand.execute(
            "DELETE FROM transfer WHERE tenant_id = $1 AND obligation_id = $2 AND version > 3", tenant, bill
        )
        found = await world.broken()

    assert (found.object_id, found.version) == (bill, 3)
    assert found.sentence == "the object counts 6 transfers, and those after version 3 are missing"


async def test_a_head_that_was_put_back_is_found_by_the_tail(dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        customer = world.ids["C"]
        first, second = await world.transfers(customer)
        for column, value in (("total", 500), ("transfer_version", 1), ("transfer_hash", first.hash)):
            await world.change(f"UPDATE customer SET {column} = $3 WHERE id = $2", customer, value)
        await world.change("UPDATE customer SET transferred_at = $3 WHERE id = $2", customer, first.recorded_at)
        found = await world.broken()

    assert str(found) == f"{customer}, version 2, {second.id}: the object counts 1 transfers, and not this one"


async def test_a_payment_tells_of_a_tail_that_was_cut_off_with_its_head_put_back(dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        await world.cut("bill", "B", 4, amount_paid=300, amount_received=300)
        await world.change("UPDATE bill SET status = 'unpaid' WHERE external_reference = $2", "B")
        found = await world.broken()

    assert found.object_id == world.ids["P3"]
    assert found.sentence.startswith(f"on {world.ids['B']} it comes to -900, and its transfers there")


async def test_a_root_tells_of_a_tail_that_was_cut_off_with_its_head_put_back(dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        before = await world.root()
        await world.cut("customer", "C", 1)

        assert await world.root() != before


async def test_a_root_tells_of_a_history_that_was_sealed_anew(dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        before = await world.root()
        await world.rewrite(world.ids["B"], 2, "key_id", "key_other")

        assert await world.root() != before


async def test_a_root_stays_what_it_is_while_more_is_written(dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        at = world.books.stamps.now
        before = await world.root(at)
        world.books.state.transfers.clear()
        async with worker(dsn, stamps=world.books.stamps) as desk:
            world.books.stamps.now += SECOND
            commands = (update("C", tenant=tenant, balance=1), create("D", tenant=tenant, currency="ZAR", balance=1))
            assert await desk.say(*commands) == ["done", "done"]

        assert (await world.root(at), await world.root() == before) == (before, False)


async def test_anybody_can_compute_a_root_from_the_transfers(dsn: str, tenant: int) -> None:
    sql = """
        SELECT DISTINCT ON (tenant_id, obligation_id)
               format(E'%s %s %s %s\n', tenant_id, obligation_id, version, encode(hash, 'hex'))
          FROM transfer
         WHERE tenant_id = $1 AND recorded_at <= $2
         ORDER BY tenant_id, obligation_id, version DESC
    """
    async with world_of(dsn, tenant) as world:
        at = world.books.stamps.now - 5 * SECOND
        lines = [row[0] for row in await world.by_hand.fetch(sql, tenant, at)]
        root = await world.root(at)

    assert root == f"{at:%Y-%m-%dT%H:%M:%S.%fZ}-{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("kind", "reference", "changes"),
    [
        ("customer", "C", "total = 701"),
        ("customer", "C", "currency = 'USD'"),
        ("customer", "C", "tracked = false"),
        ("customer", "U", "tracked = true"),
        ("customer", "N", "total = 1"),
        ("customer", "N", "transfer_hash = 'x'"),
        ("account", "A", "transfer_hash = 'x'"),
        ("account", "A", "transferred_at = now()"),
        ("bill", "X", "currency = 'ZAR'"),
        ("bill", "B", "status = 'unpaid'"),
        ("bill", "B2", "status = 'paid'"),
        ("bill", "B2", "status = 'voided'"),
        ("bill", "V", "status = 'unpaid'"),
        ("bill", "B2", "amount_paid = amount_paid + 1"),
        ("bill", "B2", "amount_paid = amount_paid + 1, total = total - 1"),
        ("bill", "B2", "amount_paid = amount_paid + 1, amount_due = amount_due + 1"),
        ("bill", "B2", "amount_received = amount_received - 1"),
        ("bill", "D", "amount_credited = amount_credited - 1"),
        ("bill", "D", "amount_credited = 0, amount_received = amount_credited"),
    ],
)
async def test_what_an_object_says_cannot_be_changed_unseen(
    kind: str, reference: str, changes: str, dsn: str, tenant: int
) -> None:
    async with world_of(dsn, tenant) as world:
        await world.change(f"UPDATE {kind} SET {changes} WHERE external_reference = $2", reference)
        found = await world.broken()

    assert found.object_id == world.ids[reference]


RAISED = "amount = amount + 1, applications = replace(applications::text, '00', '01')::json"
TO_P3 = "payment_id = (SELECT id FROM payment WHERE external_reference = 'P3' AND payment.tenant_id = $1)"


@pytest.mark.parametrize(
    ("reference", "change", "where"),
    [
        ("P3", "DELETE FROM payment", "B"),
        ("P3", "UPDATE payment SET amount = 901", "P3"),
        ("P3", f"UPDATE payment SET {RAISED}", "P3"),
        ("P3", "UPDATE payment SET currency = 'USD'", "P3"),
        ("P3", "UPDATE payment SET channel = 'card'", "P3"),
        ("P3", "UPDATE payment SET applications = '[]'", "P3"),
        ("P3", "UPDATE payment SET applications = '{}'", "P3"),
        ("P3", "UPDATE payment SET amount_refunded = 1", "P3"),
        ("P1", "UPDATE payment SET amount_refunded = 0, amount_reversed = amount_refunded", "P1"),
        ("P1", "DELETE FROM payment", "B"),
        ("R1", "DELETE FROM refund", "B"),
        ("R1", "UPDATE refund SET amount = 99", "R1"),
        ("R1", f"UPDATE refund SET {RAISED}", "R1"),
        ("R1", "UPDATE refund SET currency = 'USD'", "R1"),
        ("R1", f"UPDATE refund SET {TO_P3}", "R1"),
        ("V1", "DELETE FROM reversal", "A"),
    ],
)
async def test_no_payment_can_be_changed_or_removed_unseen(
    reference: str, change: str, where: str, dsn: str, tenant: int
) -> None:
    async with world_of(dsn, tenant) as world:
        await world.change(f"{change} WHERE external_reference = $2", reference)
        found = await world.broken()

    assert found.object_id == world.ids[where]


ON_K = "object_id = (SELECT id FROM customer WHERE external_reference = 'K' AND customer.tenant_id = $1)"


@pytest.mark.parametrize(
    ("reference", "change", "where"),
    [
        ("G1", "DELETE FROM charge", "K"),
        ("G2", "DELETE FROM charge", "K"),
        ("G1", "UPDATE charge SET amount = 301", "G1"),
        ("G1", "UPDATE charge SET currency = 'USD'", "G1"),
        ("G1", "UPDATE charge SET total_after = -701", "G1"),
        ("G1", "UPDATE charge SET object_id = 'bcus_other'", "G1"),
        ("G1", "UPDATE charge SET reversed_at = created_at", "G1"),
        ("G2", "UPDATE charge SET reversed_at = NULL", "G2"),
        ("D1", "DELETE FROM credit", "K"),
        ("D1", "UPDATE credit SET type = 'discount'", "D1"),
        ("discount", "DELETE FROM credit", "D"),
        ("discount", "UPDATE credit SET type = 'write_off'", "discount"),
        ("discount", "UPDATE credit SET type = NULL", "discount"),
        ("discount", "UPDATE credit SET type = 'gift'", "discount"),
        ("discount", "UPDATE credit SET reversed_at = NULL", "discount"),
        ("write_off", f"UPDATE credit SET {ON_K}", "write_off"),
    ],
)
async def test_no_charge_or_credit_can_be_changed_or_removed_unseen(
    reference: str, change: str, where: str, dsn: str, tenant: int
) -> None:
    async with world_of(dsn, tenant) as world:
        await world.change(f"{change} WHERE external_reference = $2", reference)
        found = await world.broken()

    assert found.object_id == world.ids[where]


@pytest.mark.parametrize("page", [1, 2000])
async def test_books_with_money_that_fitted_nothing_are_right(
    page: int, dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "PAGE", page)
    async with world_of(dsn, tenant, live_on) as world:
        assert await world.check() == Counts(obligations=14, transfers=len(world.books.state.transfers), payments=5)


@pytest.mark.parametrize("seconds", [0, 2, 4, 6, 8])
async def test_what_changed_a_payment_after_the_time_that_is_compared_is_taken_into_account(
    seconds: int, dsn: str, tenant: int
) -> None:
    async with world_of(dsn, tenant, live_on) as world:
        await world.check(before=world.books.stamps.now - seconds * SECOND)


MORE = "applications = replace(applications::text, '300', '301')::json"


@pytest.mark.parametrize(
    ("reference", "change", "where"),
    [
        ("P4", "UPDATE payment SET unallocated_total = unallocated_total - 1", "P4"),
        ("P4", "UPDATE payment SET unallocated_total = 1", "P4"),
        ("P4", "UPDATE payment SET unallocated_version = 3", "P4"),
        ("P4", "UPDATE payment SET unallocated_version = 0", "P4"),
        ("P4", "UPDATE payment SET unallocated_hash = 'x'", "P4"),
        ("P4", "UPDATE payment SET unallocated_transferred_at = now()", "P4"),
        ("P4", "UPDATE payment SET amount = amount + 1, unallocated_total = unallocated_total - 1", "P4"),
        ("P4", "UPDATE payment SET channel = 'cash'", "P4"),
        ("P4", f"UPDATE payment SET {MORE}, unallocated_total = unallocated_total + 1", "P4"),
        ("P4", "UPDATE payment SET applications = replace(applications::text, 'all_', 'mov_')::json", "P4"),
        ("P4", "DELETE FROM payment", "P4"),
        ("R4", "UPDATE refund SET amount_unallocated = 100", "R4"),
        ("A1", f"UPDATE allocation SET {MORE}", "A1"),
        ("A1", f"UPDATE allocation SET {MORE}, amount = amount + 1", "A1"),
        ("A1", "UPDATE allocation SET currency = 'USD'", "A1"),
        ("A1", "UPDATE allocation SET created_at = now()", "A1"),
        ("A1", "UPDATE allocation SET applications = '{}'", "A1"),
        ("A1", "DELETE FROM allocation", "C"),
        ("M1", "UPDATE move SET amount = 399", "M1"),
        ("M1", "UPDATE move SET origin = replace(origin::text, '400', '401')::json", "M1"),
        ("M1", "UPDATE move SET origin = '[]'", "M1"),
        ("M1", "UPDATE move SET applications = '[]'", "M1"),
        ("M1", "UPDATE move SET origin = applications -> 0", "M1"),
        ("M1", "DELETE FROM move", "A"),
        ("M2", "DELETE FROM move", "B3"),
    ],
)
async def test_nothing_of_unallocated_money_can_be_changed_unseen(
    reference: str, change: str, where: str, dsn: str, tenant: int
) -> None:
    async with world_of(dsn, tenant, live_on) as world:
        await world.change(f"{change} WHERE external_reference = $2", reference)
        found = await world.broken()

    assert found.object_id == world.ids[where]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
async def test_no_transfer_of_unallocated_money_can_be_removed_unseen(version: int, dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant, live_on) as world:
        gone = "DELETE FROM transfer WHERE obligation_id = $2 AND version = $3"
        await world.change(gone, world.ids["P4"], version)
        found = await world.broken()

    assert found.object_id == world.ids["P4"]


A_SECOND = "interval '1 second'"


@pytest.mark.parametrize(
    ("reference", "change"),
    [
        ("P3", f"UPDATE payment SET paid_at = paid_at + {A_SECOND}"),
        ("P2", "UPDATE payment SET paid_at = paid_at - interval '1 microsecond'"),
        ("P3", "UPDATE payment SET paid_at = 'infinity'"),
        ("R1", f"UPDATE refund SET occurred_at = occurred_at - {A_SECOND}"),
        ("V1", f"UPDATE reversal SET occurred_at = occurred_at + {A_SECOND}"),
        ("V1", "UPDATE reversal SET occurred_at = '4000-01-01 BC'"),
        ("G1", f"UPDATE charge SET occurred_at = occurred_at + {A_SECOND}"),
        ("discount", "UPDATE credit SET occurred_at = '-infinity'"),
    ],
)
async def test_when_it_happened_cannot_be_changed_unseen(reference: str, change: str, dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        await world.change(f"{change} WHERE external_reference = $2", reference)
        found = await world.broken()

    assert found.object_id == world.ids[reference]
    assert found.sentence.startswith("it happened at ")


WORDS = "SELECT id FROM attribution WHERE tenant_id = $1 AND actor = 'Jane'"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE attribution SET actor = 'Bob'",
        "UPDATE attribution SET actor = NULL",
        "UPDATE attribution SET reason = 'moved'",
        "UPDATE attribution SET actor = reason, reason = actor",
        "UPDATE attribution SET salt = 'other'",
    ],
)
@pytest.mark.parametrize("page", [1, 2000])
async def test_nobody_can_put_words_into_the_mouth_of_another_unseen(
    page: int, change: str, dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "PAGE", page)
    async with world_of(dsn, tenant) as world:
        words = await world.by_hand.fetchval(WORDS, tenant)
        await world.change(f"{change} WHERE id = $2", words)
        found = await world.broken()

    assert (found.object_id, found.version) == (world.ids["C"], 2)
    assert found.sentence == f"the actor and the reason of {words} are not those whose digest it holds"


@pytest.mark.parametrize("change", ["UPDATE attribution SET actor = NULL, reason = NULL", "DELETE FROM attribution"])
async def test_words_may_be_erased(change: str, dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        before = await world.root()
        await world.change(f"{change} WHERE id = $2", await world.by_hand.fetchval(WORDS, tenant))

        assert await world.root() == before


async def test_nothing_is_called_broken_while_a_worker_writes(
    dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page is older than the next: between them objects come, chains grow, and old payments are taken back."""
    monkeypatch.setattr(books, "PAGE", 1)
    async with world_of(dsn, tenant) as world, worker(dsn, stamps=world.books.stamps) as desk:
        settled = world.books.stamps.now + SECOND

        async def write() -> None:
            for number in range(10):
                world.books.stamps.now += 2 * SECOND
                commands = (
                    create_bill(f"LATE-{number}", tenant=tenant, customer="C"),
                    pay_many(("account", "A", 1), ("customer", "C", 2), tenant=tenant),
                    refund("P1", tenant=tenant, amount=2),
                    reverse("P3", tenant=tenant, amount=3),
                    charge("K", 1, tenant=tenant, external_reference=f"LATE-{number}"),
                    undo(f"LATE-{number - 1}" if number else "G1", on="K", tenant=tenant),
                )
                assert await desk.say(*commands) == ["done"] * len(commands)

        roots = {await world.root(settled)}
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(write())
            while not writing.done():
                again = Root(settled)
                await world.check(again, before=settled)
                roots.add(str(again))

    assert len(roots) == 1


async def test_a_payment_that_was_written_late_is_read_again(dsn: str, tenant: int) -> None:
    """It was stamped in time, and came between the reading of payments and that of transfers."""
    async with world_of(dsn, tenant) as world, worker(dsn, stamps=world.books.stamps) as desk:
        check, sums = Check(world.pool, tenant, SETTLED, (), lambda _count: None), Sums()
        payments = Payments(sums, SETTLED)
        await check._say_payments(payments)
        assert await desk.say(pay("B2", 10, tenant=tenant)) == ["done"]
        await check._check_ledger(LedgerCheck(payments, Adjustments(Sums(), SETTLED), ()))

        assert len(sums.differing()) == 1
        await check._compare(sums.differing())


async def test_transfers_of_a_tenant_that_no_merchant_has_are_found(dsn: str, tenant: int) -> None:
    async with world_of(dsn, tenant) as world:
        assert tenant in await find_strangers(world.pool)
