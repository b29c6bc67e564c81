import msgspec
from owed.core.state import Name, State
from owed.store.bills import BILLS
from owed.store.customers import CUSTOMERS
from owed.store.payments import PAYMENTS
from tests.core.samples import *
from tests.store.metering import Meter, load
from tests.store.saving import *
from tests.store.workers import session

async def test_cost(dsn: str, tenant: int) -> None:
    async with session(dsn) as psql:
        ids = Stamps(5)()
        w = carried_out(State(), create("c", currency="ZAR"), create_bill("b", customer="c"), pay("b",1,external_reference="x"))
        (c,) = w.state.customers.created(); (b,) = w.state.bills.created(); (p,)=w.state.payments.created()
        for table, base in ((CUSTOMERS, c), (BILLS, b), (PAYMENTS, p)):
            items = [msgspec.structs.replace(base, tenant_id=tenant, id=ids.new_id(table.prefix), external_reference=f"R{n}") for n in range(40000)]
            if table is BILLS: items=[msgspec.structs.replace(i, customer_id=cid) for i in items]
            await load(psql, items)
            cid = items[0].id
            k=table.kind
            old=table._hold
            for what, new in (("as is",old), ("expr", old.replace(f"ORDER BY {k}.tenant_id, {k}.id", f"ORDER BY {k}.tenant_id, {k}.id || ''"))):
                table._hold=new
                for analysed in (0,1):
                    if analysed: await psql.execute(f"ANALYZE {k}")
                    for names in (["R77"], [items[5].id], [f"R{n}" for n in range(0,9000,90)]):
                        meter = Meter(dsn)
                        async with meter.connection() as connection:
                            a = [Name(table.kind, tenant, n) for n in names]
                            h = await table.hold(connection, a)
                            ok = [x.id for x in h]==sorted(x.id for x in h)
                            print(what, analysed, table.kind, names[0], len(names), len(h), ok, meter.buffers)
                        await meter.close()
            table._hold=old
