"""What a list can be searched for stands beside every object, and follows it in the same transaction."""

from datetime import date

from owed.core.accounts import AccountMembers
from owed.core.command import Command
from owed.core.customers import CustomerMembers
from tests.core.samples import create, create_bill, update, update_account, update_bill, void
from tests.engine.desk import DONE
from tests.store.reading import read_objects
from tests.store.workers import session, worker

CUSTOMER = CustomerMembers(external_reference="c", name="John Doe", email="j@example.com", metadata={"plan": "gold"})
ACCOUNT = AccountMembers(external_reference="a", customer=CUSTOMER, name="Water", currency="ZAR")


def lived(tenant: int) -> list[Command]:
    """Give what changes each thing that an object can be found by, and much that is no such thing."""
    return [
        create_bill("INV-1", account=ACCOUNT, due_date=date(2026, 2, 28), metadata={"run": "7"}, tenant=tenant),
        create("other", tenant=tenant),
        update("c", name="Jane Doe", email=None, phone="+271", metadata={"plan": None}, tenant=tenant),
        update_account("a", name=None, currency="USD", tenant=tenant),
        update_account("a", balance=7, tenant=tenant),
        update_bill("INV-1", amount_paid=400, tenant=tenant),
        update_bill("INV-1", amount_paid=1000, tenant=tenant),
        update_bill("INV-1", amount_paid=0, due_date=date(2026, 7, 1), tenant=tenant),
        update_bill("INV-1", currency="USD", due_date=None, metadata={"run": "8"}, tenant=tenant),
        update_bill("INV-1", due_date=date(2026, 7, 2), tenant=tenant),
        void("INV-1", metadata={"run": None}, tenant=tenant),
    ]


async def test_the_terms_of_every_object_are_those_that_it_is_found_by_after_every_change(
    dsn: str, tenant: int
) -> None:
    async with worker(dsn) as desk, session(dsn) as psql:
        for command in lived(tenant):
            assert await desk.say(command) == [DONE]

            objects = [
                item for kind in ("customer", "account", "bill") for item in await read_objects(psql, kind, tenant)
            ]
            rows = await psql.fetch("SELECT object_id, term FROM search_term WHERE tenant_id = $1", tenant)
            assert {tuple(row) for row in rows} == {(item.id, term) for item in objects for term in item.terms()}


async def test_what_a_refused_or_lost_command_would_be_found_by_is_not_there(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, session(dsn) as psql:
        await desk.say(create("c", tenant=tenant))
        await desk.say(create_bill("b", account=ACCOUNT, tenant=tenant))  # its customer is there already

        terms = await psql.fetch("SELECT term FROM search_term WHERE tenant_id = $1", tenant)
        assert [row["term"] for row in terms] == ["w:c"]
