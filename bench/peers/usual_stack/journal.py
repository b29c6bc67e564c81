"""The transfer and the event of a change."""

from sqlalchemy.ext.asyncio import AsyncSession

from bench.peers import contract
from bench.peers.usual_stack.shown import AccountOut, BillOut, CustomerOut
from bench.peers.usual_stack.tables import Account, ApiKey, Bill, Customer, Event, Transfer


def record_customer(session: AsyncSession, key: ApiKey, customer: Customer, kind: str, before: int | None) -> str:
    """Add the transfer and the event of a change; return the body that shows it."""
    if customer.balance is not None and customer.balance != before:
        move(session, key, customer, customer.balance - (before or 0), customer.balance,
             "opening" if before is None else "balance_set", customer_id=customer.id)  # fmt: skip
    return tell(session, customer, f"customer.{kind}", CustomerOut.of(customer))


def record_account(session: AsyncSession, key: ApiKey, account: Account) -> str:
    if account.balance is not None:
        move(session, key, account, account.balance, account.balance, "opening",
             customer_id=account.customer_id, account_id=account.id)  # fmt: skip
    return tell(session, account, "account.created", AccountOut.of(account))


def record_bill(session: AsyncSession, key: ApiKey, bill: Bill) -> str:
    move(session, key, bill, bill.amount_due, bill.amount_due, "bill_raised",
         customer_id=bill.customer_id, account_id=bill.account_id, bill_id=bill.id)  # fmt: skip
    return tell(session, bill, "bill.created", BillOut.of(bill))


def move(
    session: AsyncSession, key: ApiKey, thing: Customer | Account | Bill, amount: int, total: int, cause: str,
    **of: str | None,
) -> None:  # fmt: skip
    session.add(Transfer(id=contract.new_id("tra_"), tenant_id=key.tenant_id, amount=amount, currency=thing.currency,
                         total_after=total, debit="receivable", credit=cause, cause=cause, key_id=key.id,
                         recorded_at=thing.updated_at, **of))  # fmt: skip


def tell(
    session: AsyncSession, thing: Customer | Account | Bill, kind: str, shown: CustomerOut | AccountOut | BillOut
) -> str:
    body = shown.json_text()
    session.add(Event(id=contract.new_id("evt_"), tenant_id=thing.tenant_id, object_id=thing.id, type=kind, body=body,
                      recorded_at=thing.updated_at))  # fmt: skip
    return body
