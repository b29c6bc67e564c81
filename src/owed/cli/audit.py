"""`owed audit`: who did what to the data of a merchant, and why."""

from typing import Annotated, Any, NamedTuple

import typer
from msgspec.structs import asdict, replace

from owed.api.audit import filters_of
from owed.api.lists import DEFAULT_LIMIT, MOST
from owed.cli import tenants
from owed.cli.finding import checked
from owed.cli.nouns import Limit
from owed.cli.options import DatabaseUrl, DataDir, Json, settings_from
from owed.cli.output import print_json, print_rows
from owed.cli.tenants import Merchant, ModeOption, Tenant
from owed.store.audit import AuditLog, AuditQuery, AuditRecord

Command = Annotated[str | None, typer.Option(help="Only this command, such as settings.update or key.revoke.")]
ActorOption = Annotated[str | None, typer.Option(help="Only by this actor: an Owed-Actor, or a login name.")]
Key = Annotated[str | None, typer.Option(metavar="ID", help="Only by this key; `cli` is the command line.")]
ObjectOption = Annotated[str | None, typer.Option("--object", metavar="ID", help="Only what was done to this object.")]
After = Annotated[str | None, typer.Option(help="Recorded after this time, such as 2026-01-31T09:30:00Z.")]
Before = Annotated[str | None, typer.Option(help="Recorded before this time.")]


class Found(NamedTuple):
    """The newest records that were asked for, and whether there are older ones."""

    records: list[AuditRecord]
    are_more: bool


def audit(
    *,
    command: Command = None,
    actor: ActorOption = None,
    key: Key = None,
    object_: ObjectOption = None,
    recorded_after: After = None,
    recorded_before: Before = None,
    limit: Limit = DEFAULT_LIMIT,
    merchant: Merchant = None,
    mode: ModeOption,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """List who did what, newest first. Where several filters are given, all hold."""
    given = {"command": command, "actor": actor, "key": key, "object": object_}
    filters = checked({**given, "recorded_after": recorded_after, "recorded_before": recorded_before}, filters_of)

    async def work(tenant: Tenant) -> Found:
        return await newest(tenant, AuditQuery(tenant.id, MOST, **filters), limit)

    found = tenants.run(settings_from(data_dir=data_dir, database_url=database_url), merchant, mode, work)
    if as_json:
        print_json([record.shown() for record in found.records])
    else:
        print_rows([row(record) for record in found.records], empty=f"Nothing found in {mode} mode.")
    if found.are_more:
        typer.echo(f"There are more than these {limit}: a larger --limit shows them.", err=True)


async def newest(tenant: Tenant, asked: AuditQuery, limit: int) -> Found:
    """Read page after page, until there are enough records or no more."""
    log, found = AuditLog(tenant.pool), list[AuditRecord]()
    while True:
        page = await log.page(replace(asked, limit=min(MOST, limit - len(found))))
        found += page.objects
        if len(found) >= limit or page.older is None:
            return Found(found, are_more=page.has_older)
        asked = replace(asked, cursor=page.older)


def row(record: AuditRecord) -> dict[str, Any]:
    """Give what a table shows of a record."""
    names = {"object_id": "object", "key_id": "key"}
    return {names.get(name, name): value for name, value in asdict(record).items() if name != "id"}
