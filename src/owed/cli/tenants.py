"""Whose data a command is about: a merchant's, in test or in live mode."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NamedTuple, TypeVar

import asyncpg
import typer

from owed.cli.errors import Refused
from owed.cli.session import run_as_worker
from owed.core.settings import settings_of
from owed.core.state import is_name
from owed.database.pool import Pool
from owed.model.access import Mode
from owed.model.tenant_settings import SettingsRecord
from owed.settings import Settings
from owed.store.failures import translated
from owed.store.lookups import Lookups

T = TypeVar("T")

Merchant = Annotated[str | None, typer.Option(help="The merchant's id; not needed where there is only one.")]
ModeOption = Annotated[Mode, typer.Option(help="Whether it is about test or live data.")]

FIND = """
    -- Two are enough to know that there are several.
    SELECT id
      FROM tenant
     WHERE mode = $1 AND ($2::text IS NULL OR merchant_id = $2)
     ORDER BY merchant_id
     LIMIT 2
"""


class Tenant(NamedTuple):
    """A merchant's data in one mode, and the way to it."""

    id: int
    mode: Mode
    pool: Pool
    dsn: str

    async def settings(self) -> SettingsRecord:
        """Read the settings as they stand."""
        found: SettingsRecord = await Lookups(self.pool).find(settings_of(self.id))
        return found


def run(settings: Settings, merchant: str | None, mode: Mode, work: Callable[[Tenant], Awaitable[T]]) -> T:
    """Do some work on the data of a merchant in one mode.

    Raises:
        Refused: There is no such merchant, or none was named and there are several.
    """

    async def found(pool: Pool, dsn: str) -> T:
        return await work(Tenant(await find(pool, merchant, mode), mode, pool, dsn))

    return run_as_worker(settings, found)


async def find(pool: Pool, merchant: str | None, mode: Mode) -> int:
    """Find the tenant of a merchant and a mode; without a merchant, of the only one."""
    if merchant is not None and not is_name(merchant):
        raise Refused(f"there is no merchant {merchant!r}")
    found = [row["id"] for row in await fetch(pool, FIND, mode, merchant)]
    if len(found) > 1:
        raise Refused("there are several merchants: say whose with --merchant; `owed merchants list` shows their ids")
    if not found:
        named = f"there is no merchant {merchant}"
        raise Refused(named if merchant else "there is no merchant yet: `owed merchants create NAME` makes one")
    tenant_id: int = found[0]
    return tenant_id


async def fetch(pool: Pool, sql: str, *values: Any) -> list[asyncpg.Record]:
    """Read rows."""
    with translated():
        async with pool.connection() as connection:
            return await connection.fetch(sql, *values)
