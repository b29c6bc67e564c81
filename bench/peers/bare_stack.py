"""The bare stack: an ASGI app that does one prepared SELECT a request and returns the bytes that it finds.

No routing, no authentication, no checks: what is left is the server, the driver and PostgreSQL. Connections wait on a
plain stack, each with both statements prepared: asyncpg's pool would cost more than the query.
"""

import asyncio
import os
from typing import Any

import asyncpg

BY_ID = "SELECT body FROM customer WHERE id = $1"
BY_REFERENCE = "SELECT body FROM customer WHERE external_reference = $1"
PREFIX = len("/billing/customers/")
CONNECTIONS = 16  # 8 to 32 do as well; 4 and 64 are slower
HEADERS = [(b"content-type", b"application/json")]

Statements = tuple[asyncpg.prepared_stmt.PreparedStatement, asyncpg.prepared_stmt.PreparedStatement]
idle: list[Statements] = []
waiting: list[asyncio.Future[Statements]] = []


async def connect() -> None:
    for _ in range(CONNECTIONS):
        connection = await asyncpg.connect(os.environ["DATABASE_URL"])
        idle.append((await connection.prepare(BY_ID), await connection.prepare(BY_REFERENCE)))


async def fetch(name: str) -> bytes | None:
    if idle:
        statements = idle.pop()
    else:
        waiting.append(turn := asyncio.get_running_loop().create_future())
        statements = await turn
    try:
        return await statements[0 if name.startswith("bcus_") else 1].fetchval(name)
    finally:
        if waiting:
            waiting.pop(0).set_result(statements)
        else:
            idle.append(statements)


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await connect()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = await fetch(scope["path"][PREFIX:])
    headers = [*HEADERS, (b"content-length", b"%d" % len(body or b""))]
    await send({"type": "http.response.start", "status": 200 if body else 404, "headers": headers})
    await send({"type": "http.response.body", "body": body or b""})
