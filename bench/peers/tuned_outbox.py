"""The same outbox by hand: asyncpg, leases taken and outcomes recorded many at a time, and aiohttp."""

import asyncio
import os
from datetime import UTC, datetime
from typing import Any

import aiohttp
import asyncpg
import uvloop
from standardwebhooks import Webhook

from bench.peers.retries import RETRIES

CONCURRENCY = 64
BATCH = 512
POLL_SECONDS = 0.05
TIMEOUT = aiohttp.ClientTimeout(15)

CLAIM = """
    -- What is due, for a minute nobody else's.
    UPDATE webhook_delivery
       SET next_attempt_at = now() + interval '1 minute'
     WHERE id = ANY (ARRAY(SELECT id
                             FROM webhook_delivery
                            WHERE next_attempt_at <= now()
                            ORDER BY next_attempt_at, id
                            LIMIT $1
                              FOR UPDATE SKIP LOCKED))
 RETURNING id, endpoint_id, event_id, body, attempts
"""
RECORD = """
    UPDATE webhook_delivery
       SET attempts = attempts + 1, last_status = outcome.status, last_error = outcome.error,
           delivered_at = CASE WHEN outcome.delivered THEN now() END,
           next_attempt_at = now() + make_interval(secs => outcome.later)
      FROM unnest($1::bigint[], $2::int[], $3::text[], $4::bool[], $5::float8[])
        AS outcome (id, status, error, delivered, later)
     WHERE webhook_delivery.id = outcome.id
"""
ENDPOINTS = "SELECT id, url, secret FROM webhook_endpoint"

Outcome = tuple[int, int | None, str | None, bool, float | None]


class Worker:
    """Claims, sends and records, all at once."""

    def __init__(self, pool: asyncpg.Pool, http: aiohttp.ClientSession) -> None:
        self.pool, self.http = pool, http
        self.claimed: asyncio.Queue[asyncpg.Record] = asyncio.Queue(BATCH)
        self.outcomes: list[Outcome] = []
        self.some = asyncio.Event()
        self.endpoints: dict[str, tuple[str, Webhook]] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.claim())
            tasks.create_task(self.record())
            for _ in range(CONCURRENCY):
                tasks.create_task(self.send())

    async def claim(self) -> None:
        while True:
            rows = await self.pool.fetch(CLAIM, BATCH)
            if not rows:
                await asyncio.sleep(POLL_SECONDS)
                continue
            found = await self.pool.fetch(ENDPOINTS)
            self.endpoints = {each["id"]: (each["url"], Webhook(each["secret"])) for each in found}
            for row in rows:
                await self.claimed.put(row)

    async def send(self) -> None:
        while True:
            outcome = await self.attempt(await self.claimed.get())
            self.outcomes.append(outcome)
            self.some.set()

    async def attempt(self, delivery: asyncpg.Record) -> Outcome:
        url, webhook = self.endpoints[delivery["endpoint_id"]]
        now = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery["event_id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": webhook.sign(delivery["event_id"], now, delivery["body"]),
        }
        status, error = None, None
        try:
            body = delivery["body"].encode()
            async with self.http.post(url, data=body, headers=headers, allow_redirects=False) as response:
                await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as failure:
            error = repr(failure)
        delivered = status is not None and 200 <= status < 300
        tried = delivery["attempts"]
        later = None if delivered or tried >= len(RETRIES) else float(RETRIES[tried])
        return delivery["id"], status, error, delivered, later

    async def record(self) -> None:
        while True:
            await self.some.wait()
            self.some.clear()
            outcomes, self.outcomes = self.outcomes, []
            columns: list[Any] = [list(column) for column in zip(*sorted(outcomes), strict=True)]
            await self.pool.execute(RECORD, *columns)


async def main() -> None:
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with (
        asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=4) as pool,
        aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as http,
    ):
        await Worker(pool, http).run()


if __name__ == "__main__":
    uvloop.run(main())
