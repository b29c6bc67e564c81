"""The usual outbox: a table of deliveries, polled with FOR UPDATE SKIP LOCKED, and httpx, as people write it."""

import asyncio
import os
from datetime import UTC, datetime, timedelta

import httpx
import uvloop
from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship
from sqlalchemy.types import DateTime
from standardwebhooks import Webhook

from bench.peers.retries import RETRIES

CONCURRENCY = 64
BATCH = 256
POLL_SECONDS = 0.1
TIMEOUT = 15.0

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012


class Endpoint(Base):
    __tablename__ = "webhook_endpoint"
    id: Mapped[str] = mapped_column(primary_key=True)
    url: Mapped[str]
    secret: Mapped[str]


class Delivery(Base):
    __tablename__ = "webhook_delivery"
    id: Mapped[int] = mapped_column(primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoint.id"))
    event_id: Mapped[str]
    body: Mapped[str]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    endpoint: Mapped[Endpoint] = relationship()


async def main() -> None:
    room = asyncio.Semaphore(CONCURRENCY)
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with httpx.AsyncClient(timeout=TIMEOUT, limits=limits, trust_env=False) as client:
        while True:
            if not await deliver_some(client, room):
                await asyncio.sleep(POLL_SECONDS)


async def deliver_some(client: httpx.AsyncClient, room: asyncio.Semaphore) -> bool:
    """Attempt what is due, and tell whether anything was."""
    due = (
        select(Delivery)
        .options(joinedload(Delivery.endpoint, innerjoin=True))
        .where(Delivery.next_attempt_at <= datetime.now(UTC))
        .order_by(Delivery.next_attempt_at, Delivery.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True, of=Delivery)
    )
    async with Session() as session, session.begin():
        deliveries = (await session.scalars(due)).all()
        await asyncio.gather(*(attempt(client, room, each) for each in deliveries))
    return bool(deliveries)


async def attempt(client: httpx.AsyncClient, room: asyncio.Semaphore, delivery: Delivery) -> None:
    """Send a delivery, and note what came of it."""
    async with room:
        now = datetime.now(UTC)
        signature = Webhook(delivery.endpoint.secret).sign(delivery.event_id, now, delivery.body)
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery.event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        delivery.attempts += 1
        try:
            response = await client.post(delivery.endpoint.url, content=delivery.body.encode(), headers=headers)
        except httpx.HTTPError as error:
            delivery.last_status, delivery.last_error = None, repr(error)
        else:
            delivery.last_status, delivery.last_error = response.status_code, None
    if delivery.last_status is not None and 200 <= delivery.last_status < 300:
        delivery.delivered_at, delivery.next_attempt_at = datetime.now(UTC), None
    else:
        later = RETRIES[delivery.attempts - 1] if delivery.attempts <= len(RETRIES) else None
        delivery.next_attempt_at = None if later is None else datetime.now(UTC) + timedelta(seconds=later)


if __name__ == "__main__":
    uvloop.run(main())
