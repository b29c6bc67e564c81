"""The usual stack: FastAPI, pydantic, the SQLAlchemy ORM and asyncpg, written as people write it."""

# ruff: noqa: RUF012  (it reads as people write such services)

import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import BigInteger, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime

from bench.peers import contract
from bench.peers.contract import CustomerCreate, CustomerUpdate, Problem

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI(max_body_size=2**20)
contract.dress(app)


class Base(DeclarativeBase):
    type_annotation_map = {int: BigInteger, datetime: DateTime(timezone=True), dict[str, Any]: JSONB}


class ApiKey(Base):
    __tablename__ = "api_key"
    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    type: Mapped[str]
    hash: Mapped[bytes]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Customer(Base):
    __tablename__ = "customer"
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    external_reference: Mapped[str]
    name: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    currency: Mapped[str | None]
    balance: Mapped[int | None]
    payment_rules: Mapped[dict[str, Any]]
    attributes: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Transfer(Base):
    __tablename__ = "transfer"
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int]
    currency: Mapped[str]
    total_after: Mapped[int]
    debit: Mapped[str]
    credit: Mapped[str]
    cause: Mapped[str]
    key_id: Mapped[str]
    recorded_at: Mapped[datetime]


class Event(Base):
    __tablename__ = "event"
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str]
    type: Mapped[str]
    body: Mapped[str]
    recorded_at: Mapped[datetime]


class Answer(Base):
    __tablename__ = "answer"
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[int]
    location: Mapped[str | None]
    etag: Mapped[str | None]
    body: Mapped[str]
    recorded_at: Mapped[datetime]


class CustomerOut(BaseModel):
    id: str
    external_reference: str
    name: str | None
    email: str | None
    phone: str | None
    currency: str | None
    balance: int | None
    payment_rules: dict[str, Any]
    metadata: dict[str, str] | None

    @classmethod
    def of(cls, customer: Customer) -> "CustomerOut":
        members = {name: getattr(customer, name) for name in cls.model_fields if name != "metadata"}
        return cls(**members, metadata=customer.attributes or None)

    def json_text(self) -> str:
        return self.model_dump_json(exclude_none=True)


class Page(BaseModel):
    data: list[CustomerOut]


async def open_session() -> AsyncIterator[AsyncSession]:
    async with Session() as session:
        yield session


Db = Annotated[AsyncSession, Depends(open_session)]


async def secret_key(session: Db, authorization: Annotated[str | None, Header()] = None) -> ApiKey:
    if not authorization or not authorization.startswith("Bearer "):
        raise contract.unauthorized()
    digest = hashlib.sha256(authorization[7:].encode()).digest()
    key = await session.scalar(select(ApiKey).where(ApiKey.hash == digest))
    if key is None:
        raise contract.invalid_key()
    if key.type != "secret" or key.revoked_at or (key.expires_at and key.expires_at <= datetime.now(UTC)):
        raise contract.forbidden()
    return key


Key = Annotated[ApiKey, Depends(secret_key)]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=255, pattern=contract.TOKEN)]
ETagHeader = Annotated[str | None, Header()]


def by_name(key: ApiKey, name: str) -> Any:
    column = Customer.id if name.startswith("bcus_") else Customer.external_reference
    return select(Customer).where(Customer.tenant_id == key.tenant_id, column == name)


async def kept_answer(session: AsyncSession, key: ApiKey, name: str | None, fingerprint: bytes) -> Response | None:
    kept = await session.get(Answer, (key.tenant_id, name)) if name else None
    if kept is None:
        return None
    if kept.fingerprint != fingerprint:
        raise contract.reused()
    return contract.answer(kept.status, kept.body, kept.location, kept.etag, replayed=True)


async def finish(
    session: AsyncSession, key: ApiKey, name: str | None, fingerprint: bytes, status: int, body: str,
    location: str | None = None, etag: str | None = None,
) -> Response:  # fmt: skip
    """Keep the answer beside what was done, commit both, and give it."""
    if name:
        session.add(Answer(tenant_id=key.tenant_id, key=name, fingerprint=fingerprint, status=status, location=location,
                           etag=etag, body=body, recorded_at=datetime.now(UTC)))  # fmt: skip
    try:
        await session.commit()
    except IntegrityError:  # somebody with the same key was first
        await session.rollback()
        await session.refresh(key)
        kept = await kept_answer(session, key, name, fingerprint)
        if kept is None:
            raise
        return kept
    return contract.answer(status, body, location, etag)


def record(session: AsyncSession, key: ApiKey, customer: Customer, kind: str, before: int | None) -> str:
    """Add the transfer and the event of a change; return the body that shows it."""
    now, body = customer.updated_at, CustomerOut.of(customer).json_text()
    if customer.balance is not None and customer.balance != before:
        cause = "opening" if before is None else "balance_set"
        session.add(Transfer(id=contract.new_id("tra_"), tenant_id=key.tenant_id, customer_id=customer.id,
                             amount=customer.balance - (before or 0), currency=customer.currency,
                             total_after=customer.balance, debit="receivable", credit=cause, cause=cause,
                             key_id=key.id, recorded_at=now))  # fmt: skip
    session.add(Event(id=contract.new_id("evt_"), tenant_id=key.tenant_id, customer_id=customer.id,
                      type=f"customer.{kind}", body=body, recorded_at=now))  # fmt: skip
    return body


@app.post("/billing/customers", status_code=201)
async def create(
    request: Request, body: CustomerCreate, session: Db, key: Key, idempotency_key: IdempotencyKey = None
) -> Response:
    fingerprint = contract.fingerprint(request, body)
    if kept := await kept_answer(session, key, idempotency_key, fingerprint):
        return kept
    now = datetime.now(UTC)
    customer = Customer(
        **body.model_dump(exclude={"metadata", "payment_rules"}), id=contract.new_id("bcus_"), tenant_id=key.tenant_id,
        payment_rules=(body.payment_rules or contract.DEFAULT_RULES).model_dump(), attributes=body.metadata or {},
        version=1, created_at=now, updated_at=now,
    )  # fmt: skip
    session.add(customer)
    try:
        await session.flush()
    except IntegrityError:
        await session.rollback()
        await session.refresh(key)
        problem = contract.conflict("/external_reference", "There is a customer with this reference")
        return await finish(session, key, idempotency_key, fingerprint, 409, problem.body(request))
    text = record(session, key, customer, "created", None)
    location = f"/billing/customers/{customer.id}"
    return await finish(session, key, idempotency_key, fingerprint, 201, text, location, contract.etag(1))


@app.get("/billing/customers/{name}", response_model=CustomerOut, response_model_exclude_none=True)
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


@app.patch("/billing/customers/{name}")
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
    return record(session, key, customer, "updated", before)


@app.get("/billing/customers", response_model=Page, response_model_exclude_none=True)
async def page(
    request: Request, response: Response, session: Db, key: Key,
    limit: Annotated[int, Query(ge=1, le=100)] = 20, cursor: str | None = None, external_reference: str | None = None,
    email: str | None = None, phone: str | None = None, currency: str | None = None,
    created_after: datetime | None = None, created_before: datetime | None = None, q: str | None = None,
) -> Page:  # fmt: skip
    tags = {name[9:-1]: value for name, value in request.query_params.items() if name.startswith("metadata[")}
    exact = {"external_reference": external_reference, "email": email, "phone": phone, "currency": currency}
    filters = f"{exact}{created_after}{created_before}{tags}{q}"
    found = select(Customer).where(Customer.tenant_id == key.tenant_id)
    for name, value in exact.items():
        found = found if value is None else found.where(getattr(Customer, name) == value)
    found = found if created_after is None else found.where(Customer.created_at > created_after)
    found = found if created_before is None else found.where(Customer.created_at < created_before)
    found = found.where(Customer.attributes.contains(tags)) if tags else found
    if q:
        found = found.where(literal_column("words").op("@@")(func.plainto_tsquery("simple", q)))
    direction, last_id = contract.read_cursor(cursor, filters) if cursor else ("<", None)
    if last_id:
        found = found.where(Customer.id < last_id if direction == "<" else Customer.id > last_id)
    found = found.order_by(Customer.id.desc() if direction == "<" else Customer.id).limit(limit + 1)
    rows = list(await session.scalars(found))
    more, rows = len(rows) > limit, rows[:limit]
    if direction == ">":
        rows.reverse()
    if rows and (more or direction == ">"):
        response.headers["Next-Cursor"] = contract.sign_cursor("<", rows[-1].id, filters)
    if rows and (cursor if direction == "<" else more):
        response.headers["Prev-Cursor"] = contract.sign_cursor(">", rows[0].id, filters)
    return Page(data=[CustomerOut.of(row) for row in rows])
