"""What the lists share: filters that every noun has, and pages by the last id."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Request, Response
from sqlalchemy import func, literal_column
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import Select

from bench.peers import contract
from bench.peers.usual_stack.tables import Bill, Customer

Limit = Annotated[int, Query(ge=1, le=100)]


def filtered(
    found: Select[Any], of: type[Customer | Bill], request: Request, exact: dict[str, str | None],
    created_after: datetime | None, created_before: datetime | None, q: str | None,
) -> tuple[Select[Any], str]:  # fmt: skip
    """Add the filters that were given, and say what a cursor of the list stands for."""
    tags = {name[9:-1]: value for name, value in request.query_params.items() if name.startswith("metadata[")}
    for name, value in exact.items():
        found = found if value is None else found.where(getattr(of, name) == value)
    found = found if created_after is None else found.where(of.created_at > created_after)
    found = found if created_before is None else found.where(of.created_at < created_before)
    found = found.where(of.attributes.contains(tags)) if tags else found
    if q:
        found = found.where(literal_column("words").op("@@")(func.plainto_tsquery("simple", q)))
    return found, f"{of.__tablename__}{exact}{created_after}{created_before}{tags}{q}"


async def one_page(
    session: AsyncSession, found: Select[Any], of: type[Customer | Bill], response: Response, limit: int,
    cursor: str | None, filters: str,
) -> list[Any]:  # fmt: skip
    """Fetch the rows of a page, and name the pages beside it in the headers."""
    direction, last_id = contract.read_cursor(cursor, filters) if cursor else ("<", None)
    if last_id:
        found = found.where(of.id < last_id if direction == "<" else of.id > last_id)
    found = found.order_by(of.id.desc() if direction == "<" else of.id).limit(limit + 1)
    rows = list(await session.scalars(found))
    more, rows = len(rows) > limit, rows[:limit]
    if direction == ">":
        rows.reverse()
    if rows and (more or direction == ">"):
        response.headers["Next-Cursor"] = contract.sign_cursor("<", rows[-1].id, filters)
    if rows and (cursor if direction == "<" else more):
        response.headers["Prev-Cursor"] = contract.sign_cursor(">", rows[0].id, filters)
    return rows
