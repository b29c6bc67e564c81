"""The transfer and the event of a change."""

from sqlalchemy.ext.asyncio import AsyncSession

from bench.peers import contract
from bench.peers.usual_stack.shown import AccountOut, AppliedOut, BillOut, CustomerOut, Shown
from bench.peers.usual_stack.tables import (
    Account,
    ApiKey,
    Application,
    Bill,
    Customer,
    Event,
    Payment,
    Refund,
    Transfer,
)


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


def tell(session: AsyncSession, thing: Customer | Account | Bill, kind: str, shown: Shown) -> str:
    body = shown.json_text()
    session.add(Event(id=contract.new_id("evt_"), tenant_id=thing.tenant_id, object_id=thing.id, type=kind, body=body,
                      recorded_at=thing.updated_at))  # fmt: skip
    return body


def record_applied(session: AsyncSession, key: ApiKey, thing: Customer | Account | Bill, application: Application,
                   payment: Payment) -> None:  # fmt: skip
    """Add the chained transfer and the events of an application."""
    clearing = f"clearing:{payment.channel}" if payment.channel else "clearing"
    link(session, key, thing, -application.amount, "payment", (clearing, "receivable"), payment_id=payment.id)
    tell(session, thing, "obligation.amount_applied", applied(application, application.amount, payment))
    if isinstance(thing, Bill) and thing.amount_paid - application.amount < thing.amount_due <= thing.amount_paid:
        tell(session, thing, "bill.paid", BillOut.of(thing))


def record_refunded(session: AsyncSession, key: ApiKey, thing: Customer | Account | Bill, application: Application,
                    amount: int, payment: Payment, refund: Refund) -> None:  # fmt: skip
    """Add the chained transfer and the event of what is taken back of an application."""
    link(session, key, thing, amount, "refund", ("receivable", "refunds_payable"),
         payment_id=payment.id, refund_id=refund.id)  # fmt: skip
    shown = applied(application, amount, payment, refund_id=refund.id)
    tell(session, thing, "obligation.amount_reversed", shown)


def applied(application: Application, amount: int, payment: Payment, refund_id: str | None = None) -> AppliedOut:
    return AppliedOut(
        id=application.id, amount=amount, customer_id=application.customer_id, account_id=application.account_id,
        bill_id=application.bill_id, currency=payment.currency, payment_id=payment.id, refund_id=refund_id,
        metadata=payment.attributes, created_at=payment.created_at, updated_at=payment.updated_at,
    )  # fmt: skip


def link(session: AsyncSession, key: ApiKey, thing: Customer | Account | Bill, amount: int, cause: str,
         sides: tuple[str, str], **of: str) -> None:  # fmt: skip
    """Add a transfer, hashed onto the one before it on the same obligation."""
    total = thing.amount_due - thing.amount_paid if isinstance(thing, Bill) else thing.balance
    transfer_id = contract.new_id("tra_")
    members = (transfer_id, thing.id, amount, thing.currency, total, *sides, cause, key.id, thing.updated_at)
    thing.chain = contract.link(thing.chain, *members, *of.values())
    session.add(Transfer(id=transfer_id, tenant_id=key.tenant_id, amount=amount, currency=thing.currency,
                         total_after=total, debit=sides[0], credit=sides[1], cause=cause, key_id=key.id,
                         recorded_at=thing.updated_at, hash=thing.chain, **owners(thing), **of))  # fmt: skip


def owners(thing: Customer | Account | Bill) -> dict[str, str | None]:
    """Return whose transfer it is: the customer's, and where it is on an account or a bill, that one's."""
    if isinstance(thing, Customer):
        return {"customer_id": thing.id}
    if isinstance(thing, Account):
        return {"customer_id": thing.customer_id, "account_id": thing.id}
    return {"customer_id": thing.customer_id, "account_id": thing.account_id, "bill_id": thing.id}
