"""The tables of `bench/peers/schema.sql`, as the ORM knows them."""

# ruff: noqa: RUF012  (it reads as people write such services)

import os
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import DateTime

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, expire_on_commit=False)


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


class BillingObject:
    """What customers, accounts and bills share."""

    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    external_reference: Mapped[str]
    payment_rules: Mapped[dict[str, Any]]
    attributes: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    chain: Mapped[bytes | None]
    """The hash of the last transfer."""
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Customer(BillingObject, Base):
    __tablename__ = "customer"
    name: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    currency: Mapped[str | None]
    balance: Mapped[int | None]


class Account(BillingObject, Base):
    __tablename__ = "account"
    customer_id: Mapped[str]
    name: Mapped[str | None]
    currency: Mapped[str | None]
    balance: Mapped[int | None]


class Bill(BillingObject, Base):
    __tablename__ = "bill"
    customer_id: Mapped[str]
    account_id: Mapped[str | None]
    status: Mapped[str]
    currency: Mapped[str]
    amount_due: Mapped[int]
    amount_paid: Mapped[int]
    bill_date: Mapped[date]
    due_date: Mapped[date | None]

    @property
    def amount_remaining(self) -> int:
        return max(0, self.amount_due - self.amount_paid)


class Transfer(Base):
    __tablename__ = "transfer"
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str | None]
    bill_id: Mapped[str | None]
    id: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int]
    currency: Mapped[str]
    total_after: Mapped[int]
    debit: Mapped[str]
    credit: Mapped[str]
    cause: Mapped[str]
    key_id: Mapped[str]
    recorded_at: Mapped[datetime]
    payment_id: Mapped[str | None]
    refund_id: Mapped[str | None]
    hash: Mapped[bytes | None]


class Payment(Base):
    __tablename__ = "payment"
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    external_reference: Mapped[str | None]
    channel: Mapped[str | None]
    method: Mapped[str | None]
    provider_reference: Mapped[str | None]
    status: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    amount_refunded: Mapped[int]
    amount_reversed: Mapped[int]
    attributes: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    version: Mapped[int]
    paid_at: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    applications: Mapped[list["Application"]] = relationship(lazy="selectin", order_by="Application.position")

    @property
    def held(self) -> int:
        return self.amount - self.amount_refunded - self.amount_reversed


class Application(Base):
    __tablename__ = "application"
    __table_args__ = (ForeignKeyConstraint(["tenant_id", "payment_id"], ["payment.tenant_id", "payment.id"]),)
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str]
    position: Mapped[int]
    customer_id: Mapped[str | None]
    account_id: Mapped[str | None]
    bill_id: Mapped[str | None]
    amount: Mapped[int]
    taken_back: Mapped[int]

    @property
    def held(self) -> int:
        return self.amount - self.taken_back


class Refund(Base):
    __tablename__ = "refund"
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str]
    external_reference: Mapped[str | None]
    amount: Mapped[int]
    currency: Mapped[str]
    reason: Mapped[str | None]
    attributes: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    created_at: Mapped[datetime]


class Event(Base):
    __tablename__ = "event"
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str]
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
