"""The routes of customers."""

from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bench.peers import contract
from bench.peers.bodies import DEFAULT_RULES, CustomerCreate, CustomerUpdate
from bench.peers.contract import Problem
from bench.peers.usual_stack.answers import Db, ETagHeader, IdempotencyKey, Key, finish, kept_answer
from bench.peers.usual_stack.application import app
from bench.peers.usual_stack.journal import record_customer
from bench.peers.usual_stack.lists import Limit, filtered, one_page
from bench.peers.usual_stack.shown import CustomerOut
from bench.peers.usual_stack.tables import ApiKey, Customer

PATH = "/billing/customers"


class Page(BaseModel):
    data: list[CustomerOut]


def by_name(key: ApiKey, name: str) -> Any:
    column = Customer.id if name.startswith("bcus_") else Customer.external_reference
    return select(Customer).where(Customer.tenant_id == key.tenant_id, column == name)


def new_customer(key: ApiKey, body: CustomerCreate) -> Customer:
    now = datetime.now(UTC)
    return Customer(
        **body.model_dump(exclude={"metadata", "payment_rules"}), id=contract.new_id("bcus_"), tenant_id=key.tenant_id,
        payment_rules=(body.payment_rules or DEFAULT_RULES).model_dump(), attributes=body.metadata or {},
        version=1, created_at=now, updated_at=now,
    )  # fmt: skip


@app.post(PATH, status_code=201)
async def create(
    request: Request, body: CustomerCreate, session: Db, key: Key, idempotency_key: IdempotencyKey = None
) -> Response:
    fingerprint = contract.fingerprint(request, body)
    if kept := await kept_answer(session, key, idempotency_key, fingerprint):
        return kept
    customer = new_customer(key, body)
    session.add(customer)
    try:
        await session.flush()
    except IntegrityError:
        await session.rollback()
        await session.refresh(key)
        problem = contract.duplicate("/external_reference")
        return await finish(session, key, idempotency_key, fingerprint, 409, problem.body(request))
    text = record_customer(session, key, customer, "created", None)
    location = f"{PATH}/{customer.id}"
    return await finish(session, key, idempotency_key, fingerprint, 201, text, location, contract.etag(1))


@app.get(f"{PATH}/{{name}}", response_model=CustomerOut, response_model_exclude_none=True)
async def retrieve(
    name: str, session: Db, key: Key, response: Response, if_none_match: ETagHeader = None
) -> CustomerOut | Response:
    customer = await session.scalar(by_name(key, name))
    if customer is None:
        raise contract.not_found()
    etag = contract.etag(customer.version)
    if if_none_match == etag:
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    response.headers["Last-Modified"] = contract.last_modified(customer.updated_at)
    return CustomerOut.of(customer)


@app.patch(f"{PATH}/{{name}}")
async def update(
    name: str, request: Request, body: CustomerUpdate, session: Db, key: Key,
    idempotency_key: IdempotencyKey = None, if_match: ETagHeader = None,
) -> Response:  # fmt: skip
    fingerprint = contract.fingerprint(request, body)
    if kept := await kept_answer(session, key, idempotency_key, fingerprint):
        return kept
    customer = await session.scalar(by_name(key, name).with_for_update())
    try:
        if customer is None:
            raise contract.not_found()
        if if_match and if_match != contract.etag(customer.version):
            raise contract.stale()
        text = change(session, key, customer, body)
    except Problem as problem:
        if problem.status == 400:
            raise
        return await finish(session, key, idempotency_key, fingerprint, problem.status, problem.body(request))
    etag = contract.etag(customer.version)
    return await finish(session, key, idempotency_key, fingerprint, 200, text, None, etag)


def change(session: AsyncSession, key: ApiKey, customer: Customer, body: CustomerUpdate) -> str:
    """Apply an update to a locked customer, or raise what forbids it; return the body that shows it."""
    given = body.model_dump(exclude_none=True)
    for name in ("id", "external_reference"):
        if given.pop(name, None) not in (None, getattr(customer, name)):
            raise contract.invalid(f"/{name}", "never changes")
    if "balance" in given and not (given.get("currency") or customer.currency):
        raise contract.invalid("/balance", "needs a currency")
    if customer.balance is not None and given.get("currency", customer.currency) != customer.currency:
        raise contract.conflict("/currency", "Money already uses the currency")
    given["attributes"] = {**customer.attributes, **given.pop("metadata", {})}
    if len(given["attributes"]) > 20:
        raise contract.invalid("/metadata", "holds more than 20 keys")
    before = customer.balance
    changed = {name: value for name, value in given.items() if getattr(customer, name) != value}
    if not changed:
        return CustomerOut.of(customer).json_text()
    for name, value in changed.items():
        setattr(customer, name, value)
    customer.version += 1
    customer.updated_at = datetime.now(UTC)
    return record_customer(session, key, customer, "updated", before)


@app.get(PATH, response_model=Page, response_model_exclude_none=True)
async def page(
    request: Request, response: Response, session: Db, key: Key,
    limit: Limit = 20, cursor: str | None = None, external_reference: str | None = None,
    email: str | None = None, phone: str | None = None, currency: str | None = None,
    created_after: datetime | None = None, created_before: datetime | None = None, q: str | None = None,
) -> Page:  # fmt: skip
    exact = {"external_reference": external_reference, "email": email, "phone": phone, "currency": currency}
    found = select(Customer).where(Customer.tenant_id == key.tenant_id)
    found, filters = filtered(found, Customer, request, exact, created_after, created_before, q)
    rows = await one_page(session, found, Customer, response, limit, cursor, filters)
    return Page(data=[CustomerOut.of(row) for row in rows])
