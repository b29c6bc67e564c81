"""The routes of bills: those that are measured."""

from datetime import UTC, date, datetime
from typing import Any, Literal

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bench.peers import contract
from bench.peers.bodies import DEFAULT_RULES, AccountCreate, BillCreate, CustomerCreate
from bench.peers.contract import Problem
from bench.peers.usual_stack.answers import Db, ETagHeader, IdempotencyKey, Key, finish, kept_answer
from bench.peers.usual_stack.application import app
from bench.peers.usual_stack.customers import by_name, new_customer
from bench.peers.usual_stack.journal import record_account, record_bill, record_customer
from bench.peers.usual_stack.lists import Limit, filtered, one_page
from bench.peers.usual_stack.shown import BillOut
from bench.peers.usual_stack.tables import Account, ApiKey, Bill, BillingObject

PATH = "/billing/bills"


class Page(BaseModel):
    data: list[BillOut]


def account_by_name(key: ApiKey, name: str) -> Any:
    column = Account.id if name.startswith("bacc_") else Account.external_reference
    return select(Account).where(Account.tenant_id == key.tenant_id, column == name)


async def bill_by_name(session: AsyncSession, key: ApiKey, name: str) -> Bill | None:
    if name.startswith("bill_") and (bill := await session.get(Bill, (key.tenant_id, name))):
        return bill
    named = select(Bill).where(Bill.tenant_id == key.tenant_id, Bill.external_reference == name)
    return await session.scalar(named)


async def insert(session: AsyncSession, thing: BillingObject, path: str) -> None:
    session.add(thing)
    try:
        await session.flush()
    except IntegrityError:
        raise contract.duplicate(f"{path}/external_reference") from None


@app.post(PATH, status_code=201)
async def create(
    request: Request, body: BillCreate, session: Db, key: Key, idempotency_key: IdempotencyKey = None
) -> Response:
    fingerprint = contract.fingerprint(request, body)
    if kept := await kept_answer(session, key, idempotency_key, fingerprint):
        return kept
    try:
        bill = await raise_bill(session, key, body)
    except Problem as problem:
        await session.rollback()
        await session.refresh(key)
        return await finish(session, key, idempotency_key, fingerprint, problem.status, problem.body(request))
    text = record_bill(session, key, bill)
    location = f"{PATH}/{bill.id}"
    return await finish(session, key, idempotency_key, fingerprint, 201, text, location, contract.etag(1))


async def raise_bill(session: AsyncSession, key: ApiKey, body: BillCreate) -> Bill:
    """Create a bill, after the account and the customer that came with it, or raise what forbids it."""
    customer_id = await customer_of(session, key, body.customer, "/customer") if body.customer else None
    account = await account_of(session, key, body.account, customer_id) if body.account else None
    now = datetime.now(UTC)
    bill = Bill(
        id=contract.new_id("bill_"), tenant_id=key.tenant_id, external_reference=body.external_reference,
        customer_id=account.customer_id if account else customer_id, account_id=account.id if account else None,
        status="unpaid", currency=body.currency, amount_due=body.amount_due, amount_paid=0,
        bill_date=body.bill_date or now.date(), due_date=body.due_date, payment_rules=body.rules().model_dump(),
        attributes=body.metadata or {}, version=1, created_at=now, updated_at=now,
    )  # fmt: skip
    await insert(session, bill, "")
    return bill


async def customer_of(session: AsyncSession, key: ApiKey, given: str | CustomerCreate, path: str) -> str:
    """Return the id of the customer that a member names or brings."""
    if isinstance(given, str):
        customer = await session.scalar(by_name(key, given))
        if customer is None:
            raise contract.not_found(path)
        return customer.id
    customer = new_customer(key, given)
    await insert(session, customer, path)
    record_customer(session, key, customer, "created", None)
    return customer.id


async def account_of(
    session: AsyncSession, key: ApiKey, given: str | AccountCreate, customer_id: str | None
) -> Account:
    """Return the account that a member names or brings."""
    if isinstance(given, str):
        account = await session.scalar(account_by_name(key, given))
        if account is None:
            raise contract.not_found("/account")
        return account
    owner = customer_id or await customer_of(session, key, given.customer, "/account/customer")
    now = datetime.now(UTC)
    account = Account(
        **given.model_dump(exclude={"customer", "metadata", "payment_rules"}), id=contract.new_id("bacc_"),
        tenant_id=key.tenant_id, customer_id=owner, payment_rules=(given.payment_rules or DEFAULT_RULES).model_dump(),
        attributes=given.metadata or {}, version=1, created_at=now, updated_at=now,
    )  # fmt: skip
    await insert(session, account, "/account")
    record_account(session, key, account)
    return account


@app.get(f"{PATH}/{{name}}", response_model=BillOut, response_model_exclude_none=True)
async def retrieve(
    name: str, session: Db, key: Key, response: Response, if_none_match: ETagHeader = None
) -> BillOut | Response:
    bill = await bill_by_name(session, key, name)
    if bill is None:
        raise contract.not_found()
    etag = contract.etag(bill.version)
    if if_none_match == etag:
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    response.headers["Last-Modified"] = contract.last_modified(bill.updated_at)
    return BillOut.of(bill)


@app.get(PATH, response_model=Page, response_model_exclude_none=True)
async def page(
    request: Request, response: Response, session: Db, key: Key,
    limit: Limit = 20, cursor: str | None = None, external_reference: str | None = None, currency: str | None = None,
    status: Literal["unpaid", "paid", "voided"] | None = None, customer: str | None = None, account: str | None = None,
    due_before: date | None = None, due_after: date | None = None, overdue: Literal["true"] | None = None,
    created_after: datetime | None = None, created_before: datetime | None = None, q: str | None = None,
) -> Page:  # fmt: skip
    exact = {"external_reference": external_reference, "currency": currency, "status": status}
    if customer and not customer.startswith("bcus_"):
        named = await session.scalar(by_name(key, customer))
        customer = named.id if named else ""
    if account and not account.startswith("bacc_"):
        named = await session.scalar(account_by_name(key, account))
        account = named.id if named else ""
    exact |= {"customer_id": customer, "account_id": account}
    found = select(Bill).where(Bill.tenant_id == key.tenant_id)
    found = found if due_before is None else found.where(Bill.due_date < due_before)
    found = found if due_after is None else found.where(Bill.due_date > due_after)
    if overdue:
        found = found.where(Bill.status == "unpaid", Bill.due_date < datetime.now(UTC).date())
    found, filters = filtered(found, Bill, request, exact, created_after, created_before, q)
    filters += f"{due_before}{due_after}{overdue}"
    rows = await one_page(session, found, Bill, response, limit, cursor, filters)
    return Page(data=[BillOut.of(row) for row in rows])
