"""What the lists share: filters that every noun has, and pages by the last id."""

from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec
from fastapi import Request
from fastapi.responses import Response

from bench.peers import contract
from bench.peers.tuned_stack import database


async def listed(
    request: Request, key: asyncpg.Record, select: str, tests: dict[str, Any],
    shown: Callable[[asyncpg.Record], dict[str, Any]], limit: int, cursor: str | None,
) -> Response:  # fmt: skip
    """Answer with a page; a test is a column with an operator, and the value that was given for it."""
    tags = {name[9:-1]: value for name, value in request.query_params.items() if name.startswith("metadata[")}
    tests = {**tests, "metadata @>": msgspec.json.encode(tags).decode() if tags else None}
    tests = {test: value for test, value in tests.items() if value is not None}
    filters, words = f"{select}{tests}", request.query_params.get("q")
    direction, last_id = contract.read_cursor(cursor, filters) if cursor else ("<", None)
    if last_id:
        tests[f"id {direction}"] = last_id
    conditions = [f"AND {test} ${number}" for number, test in enumerate(tests, 2)]
    if words:
        conditions.append(f"AND words @@ plainto_tsquery('simple', ${len(tests) + 2})")
    order = "DESC" if direction == "<" else "ASC"
    query = f"{select} WHERE tenant_id = $1 {' '.join(conditions)} ORDER BY id {order} LIMIT {limit + 1}"
    rows = await database.pool.fetch(query, key["tenant_id"], *tests.values(), *([words] if words else []))
    more, rows = len(rows) > limit, rows[:limit]
    if direction == ">":
        rows.reverse()
    response = Response(msgspec.json.encode({"data": [shown(row) for row in rows]}), media_type="application/json")
    if rows and (more or direction == ">"):
        response.headers["Next-Cursor"] = contract.sign_cursor("<", rows[-1]["id"], filters)
    if rows and (cursor if direction == "<" else more):
        response.headers["Prev-Cursor"] = contract.sign_cursor(">", rows[0]["id"], filters)
    return response
