"""Whose data a command is about: a merchant's, in test or in live mode."""

from collections.abc import Awaitable, Callable
from typing import Annotated, NamedTuple, TypeVar

import typer

from owed.cli.errors import Refused
from owed.cli.session import run_as_worker
from owed.core.settings import settings_of
from owed.core.state import is_name
from owed.database.pool import Connection, Pool
from owed.model.access import Mode
from owed.model.tenant_settings import SettingsRecord
from owed.settings import Settings
from owed.store.failures import translated
from owed.store.lookups import Lookups
from owed.store.merchants import find_tenants

T = TypeVar("T")

Merchant = Annotated[str | None, typer.Option(help="The merchant's id; not needed where there is only one.")]
ModeOption = Annotated[Mode, typer.Option(help="Whether it is about test or live data.")]


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
    found = await read(pool, lambda connection: find_tenants(connection, mode, merchant, most=2))
    if len(found) > 1:
        raise Refused("there are several merchants: say whose with --merchant; `owed merchants list` shows their ids")
    if not found:
        named = f"there is no merchant {merchant}"
        raise Refused(named if merchant else "there is no merchant yet: `owed merchants create NAME` makes one")
    return found[0]


async def read(pool: Pool, reading: Callable[[Connection], Awaitable[T]]) -> T:
    """Read something on a connection of its own."""
    with translated():
        async with pool.connection() as connection:
            return await reading(connection)
