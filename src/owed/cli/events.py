"""`owed events`: to look up what happened and who was told of it, and to tell them again."""

from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from msgspec import UNSET
from msgspec.structs import replace

from owed.api.events import FILTERS, TIMES, checked_of
from owed.api.fields import Faults
from owed.api.lists import DEFAULT_LIMIT, MOST
from owed.cli import tenants
from owed.cli.commanding import actor, carry_out, done
from owed.cli.errors import Refused
from owed.cli.finding import checked
from owed.cli.nouns import Limit
from owed.cli.options import DatabaseUrl, DataDir, Json, settings_from
from owed.cli.output import print_json, print_rows, print_sheet
from owed.cli.tenants import Merchant, ModeOption, Tenant
from owed.core.replays import Redeliver, Redelivery
from owed.core.state import Name
from owed.model.event import Event
from owed.model.webhook_endpoint import EVENT_TYPES, WebhookEndpoint
from owed.store.attempts import Attempted, Attempts, Pending
from owed.store.endpoint_reads import EndpointReads
from owed.store.events import EventQuery, Events
from owed.store.lookups import Lookups

EventArgument = Annotated[str, typer.Argument(metavar="EVENT", help="The id, evt_…")]
Endpoint = Annotated[
    str | None,
    typer.Option(metavar="ID", help="The endpoint that gets it; without it, all that are enabled and take its type."),
]
Type = Annotated[str | None, typer.Option("--type", metavar="|".join(EVENT_TYPES), help="Only those of this type.")]
ObjectOption = Annotated[
    str | None, typer.Option("--object", metavar="ID", help="Only those of one customer, account or bill.")
]
After = Annotated[str | None, typer.Option(help="Recorded after this time, such as 2026-01-31T09:30:00Z.")]
Before = Annotated[str | None, typer.Option(help="Recorded before this time.")]

app = typer.Typer(help="What happened to the objects of a merchant, and who was told of it.", no_args_is_help=True)


class Found(NamedTuple):
    """The newest events that were asked for, and whether there are older ones."""

    events: list[Event]
    are_more: bool


class Whole(NamedTuple):
    """An event, with what became of it at the endpoints."""

    event: Event
    attempts: list[Attempted]
    pending: list[Pending]


@app.command("list")
def list_all(
    *,
    type_: Type = None,
    object_: ObjectOption = None,
    created_after: After = None,
    created_before: Before = None,
    limit: Limit = DEFAULT_LIMIT,
    merchant: Merchant = None,
    mode: ModeOption,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """List events, newest first. Where several filters are given, all hold."""
    given = {"type": type_, "object": object_, "created_after": created_after, "created_before": created_before}
    filters = checked(given, filters_of)

    async def work(tenant: Tenant) -> Found:
        return await newest(tenant, EventQuery(tenant.id, MOST, **filters), limit)

    place = settings_from(data_dir=data_dir, database_url=database_url)
    found = tenants.run(place, merchant, mode, work)
    if as_json:
        print_json([msgspec.Raw(event.body) for event in found.events])
    else:
        print_rows([row(event) for event in found.events], empty=f"No event found in {mode} mode.")
    if found.are_more:
        typer.echo(f"There are more than these {limit}: a larger --limit shows them.", err=True)


@app.command()
def show(
    name: EventArgument,
    *,
    merchant: Merchant = None,
    mode: ModeOption,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Show an event, the latest attempts to deliver it, and what is still to be delivered."""
    place = settings_from(data_dir=data_dir, database_url=database_url)
    whole = tenants.run(place, merchant, mode, lambda tenant: find_whole(tenant, name))
    if as_json:
        print_json(as_data(whole))
        return
    print_sheet(sheet(whole.event))
    typer.echo("\nAttempts to deliver it:")
    print_rows([attempt_row(each) for each in whole.attempts], empty=" none")
    if whole.pending:
        typer.echo("\nStill to be delivered:")
        print_rows([msgspec.structs.asdict(each) for each in whole.pending], empty="")


@app.command()
def resend(
    name: EventArgument,
    *,
    endpoint: Endpoint = None,
    merchant: Merchant = None,
    mode: ModeOption,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Send an event again, to one endpoint or to all that take it; a worker does so within a moment."""
    place = settings_from(data_dir=data_dir, database_url=database_url)
    redelivery = tenants.run(place, merchant, mode, lambda tenant: send_again(tenant, name, endpoint))
    if as_json:
        print_json(redelivery.shown())
        return
    for replay in redelivery.replays:
        typer.echo(f"{replay.event_id} is to be sent to {replay.endpoint_id} again.")


def filters_of(given: dict[str, str], faults: Faults) -> dict[str, Any]:
    """Give the filters as far as they are right, and note what is wrong with the others."""
    checked = checked_of(given, {**FILTERS, **TIMES}, faults)
    return {"object_id" if name == "object" else name: value for name, value in checked.items()}


async def newest(tenant: Tenant, asked: EventQuery, limit: int) -> Found:
    """Read page after page, until there are enough events or no more."""
    events, found = Events(tenant.pool, tenant.pool), list[Event]()
    while True:
        page = await events.page(replace(asked, limit=min(MOST, limit - len(found))))
        found += [told.event for told in page.objects]
        if len(found) >= limit or page.older is None:
            return Found(found, are_more=page.has_older)
        asked = replace(asked, cursor=page.older)


async def find(tenant: Tenant, name: str) -> Event:
    """Find an event by its id.

    Raises:
        Refused: There is none.
    """
    found = await Events(tenant.pool, tenant.pool).find(tenant.id, name)
    if found is None:
        raise Refused(f"there is no event {name!r} in {tenant.mode} mode")
    return found


async def find_whole(tenant: Tenant, name: str) -> Whole:
    """Find an event, with what became of it at the endpoints."""
    event, attempts = await find(tenant, name), Attempts(tenant.pool)
    return Whole(event, (await attempts.page(event, None, MOST)).objects, await attempts.pending(event))


async def send_again(tenant: Tenant, name: str, endpoint: str | None) -> Redelivery:
    """Ask for an event to be sent again.

    Raises:
        Refused: There is no such event, or no endpoint that could get it.
    """
    event = await find(tenant, name)
    if endpoint is not None:
        await require_endpoint(tenant, endpoint)
    command = Redeliver(
        tenant_id=tenant.id,
        actor=actor(),
        event_id=event.id,
        event_type=event.type,
        endpoint=UNSET if endpoint is None else endpoint,
        endpoints=tuple(await EndpointReads(tenant.pool).ids(tenant.id)) if endpoint is None else (),
    )
    asked = done(await carry_out(tenant, command)).object
    if not isinstance(asked, Redelivery):
        raise TypeError(asked)
    return asked


async def require_endpoint(tenant: Tenant, name: str) -> None:
    """Refuse the name of no endpoint."""
    found = await Lookups(tenant.pool).find(Name(WebhookEndpoint.kind, tenant.id, name))
    if found is None:
        raise Refused(f"there is no webhook endpoint {name!r} in {tenant.mode} mode")


def row(event: Event) -> dict[str, Any]:
    """Give what a table shows of an event."""
    return {"recorded_at": event.recorded_at, "type": event.type, "event": event.id, "object": event.object_id}


def sheet(event: Event) -> dict[str, Any]:
    """Give what is known of an event itself, as people read it."""
    return {**row(event), "sequence": event.sequence, "body": event.body.decode()}


def attempt_row(attempt: Attempted) -> dict[str, Any]:
    """Give what a table shows of an attempt."""
    return {
        "attempted_at": attempt.attempted_at,
        "endpoint": attempt.endpoint_id,
        "number": attempt.number,
        "succeeded": attempt.succeeded,
        "status": attempt.status,
        "error": attempt.error,
        "took": f"{attempt.duration_ms} ms",
        "next_attempt_at": attempt.next_attempt_at,
    }


def as_data(whole: Whole) -> dict[str, Any]:
    """Give an event with what became of it, as programs read it."""
    event = whole.event
    return {
        **msgspec.json.decode(event.body),
        "object_id": event.object_id,
        "sequence": event.sequence,
        "recorded_at": event.recorded_at,
        "attempts": [each.shown() for each in whole.attempts],
        "pending": [each.shown() for each in whole.pending],
    }
