"""`owed listen`: shows a developer what happens in test mode as it happens, and forwards it to their program."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from owed.api.fields import Faults
from owed.api.webhook_endpoints import EventTypes
from owed.cli import tenants
from owed.cli.commanding import actor, carry_out, done
from owed.cli.delivering import PATIENCE, beside, sending
from owed.cli.errors import wrong
from owed.cli.options import DatabaseUrl, DataDir, settings_from
from owed.cli.stopping import Stopping
from owed.cli.tenants import Merchant, Tenant
from owed.core.outcomes import Fault
from owed.core.retries import Schedule
from owed.core.update import Update
from owed.core.webhook_endpoints import CreateEndpoint, Deletion, EndpointMembers
from owed.engine.store import Conflict, Unavailable
from owed.model.delivery import Attempt, EndpointKey
from owed.model.webhook_endpoint import EVERY_TYPE, WebhookEndpoint
from owed.settings import Settings
from owed.store.listeners import keep_seen
from owed.webhooks import urls
from owed.webhooks.addresses import Policy
from owed.webhooks.deliverer import Deliverer
from owed.webhooks.sender import Message, Sender

SEEN_EVERY = 30.0
"""Seconds between two signs that we are there."""

NOWHERE = "http://localhost/"
"""Where an endpoint is that only shows what it gets."""

ForwardTo = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Where your program takes webhooks, such as http://localhost:3000/hook."),
]
EventsOption = Annotated[
    str, typer.Option("--events", metavar="TYPES", help="Only these types, with commas between them; * is all.")
]


def listen(
    *,
    forward_to: ForwardTo = None,
    events: EventsOption = EVERY_TYPE,
    merchant: Merchant = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show what happens in test mode, and forward it signed, until Ctrl-C. `owed events resend` reaches it too."""
    settings = settings_from(data_dir=data_dir, database_url=database_url)
    types = checked_types(events)
    with suppress(asyncio.CancelledError):
        tenants.run(settings, merchant, "test", lambda tenant: listen_in(tenant, settings, forward_to, types))


def checked_types(text: str) -> tuple[str, ...]:
    """Read types of events.

    Raises:
        SettingsError: There is no such type.
    """
    faults = Faults()
    types = EventTypes("").check([part.strip() for part in text.split(",")], "", faults)
    if faults.found:
        raise wrong(Fault("--events", fault.detail) for fault in faults.found)
    return tuple(types)


async def listen_in(tenant: Tenant, settings: Settings, forward_to: str | None, types: tuple[str, ...]) -> None:
    """Listen to a tenant until told to stop."""
    stop = Stopping(settings.webhook_timeout + PATIENCE)
    stop.heed_signals()
    policy = Policy(settings.webhook_allow, loopback=True)
    if forward_to is not None and (refusal := await urls.refusal(forward_to, tenant.mode, policy)):
        raise wrong([Fault("--forward-to", refusal)])
    async with listener(tenant, forward_to or NOWHERE, types) as endpoint, sending(settings, policy) as sender:
        announce(endpoint, forward_to)
        sends = Showing(sender if forward_to else None)
        schedule = Schedule(settings.webhook_retries, in_order_for=0)  # a program under work may fail: show the next
        key = EndpointKey(tenant.id, endpoint.id)
        deliverer = Deliverer(tenant.pool, sends, schedule, patience=settings.webhook_timeout, listener=key)
        async with beside(stay(tenant, endpoint, stop)):
            await deliverer.run(stop.asked)


@asynccontextmanager
async def listener(tenant: Tenant, url: str, types: tuple[str, ...]) -> AsyncIterator[WebhookEndpoint]:
    """Have an endpoint for as long as the block lasts."""
    members = EndpointMembers(url=url, types=types, description="owed listen")
    create = CreateEndpoint(tenant_id=tenant.id, actor=actor(), members=members, is_listener=True)
    made = done(await carry_out(tenant, create)).object
    if not isinstance(made, WebhookEndpoint):
        raise TypeError(made)
    try:
        yield made
    finally:
        await carry_out(tenant, Update(tenant_id=tenant.id, actor=actor(), name=made.id, members=Deletion()))


async def stay(tenant: Tenant, endpoint: WebhookEndpoint, stop: Stopping) -> None:
    """Say again and again that we are there, and stop when the endpoint gets nothing any more."""
    while True:
        with suppress(Unavailable, Conflict):
            if not await keep_seen(tenant.pool, tenant.id, endpoint.id):
                typer.echo(f"{endpoint.id} was disabled or deleted: nothing comes any more.", err=True)
                stop.ask()
        await asyncio.sleep(SEEN_EVERY)


class Showing:
    """Shows each event, and sends it on where there is somewhere to send it to."""

    def __init__(self, sender: Sender | None) -> None:
        self._sender = sender

    async def send(self, message: Message) -> Attempt:
        """Show an event with what became of it."""
        if self._sender is None:
            attempt = Attempt(datetime.now(UTC), 0, status=200)
            show(message, attempt, message.body.decode())
        else:
            attempt = await self._sender.send(message)
            show(message, attempt, attempt.error or str(attempt.status))
        return attempt


def announce(endpoint: WebhookEndpoint, forward_to: str | None) -> None:
    """Say what is being done."""
    if forward_to:
        typer.echo(f"Forwarding to {forward_to}, signed with {endpoint.secret.value}")
    typer.echo(f"Listening as {endpoint.id}. Ctrl-C stops it.")


def show(message: Message, attempt: Attempt, what: str) -> None:
    """Print a line."""
    kind = msgspec.json.decode(message.body)["type"]
    line = f"{attempt.attempted_at:%Y-%m-%d %H:%M:%S} UTC  {kind}  {message.event_id}  {what}"
    typer.echo(line if line.isprintable() else ascii(line)[1:-1])
