"""Deliveries of an event over HTTP: what became of them, and sending it again (contract, section 7)."""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET

from owed.api.commands import carry_out, read_form, render
from owed.api.composites import Object
from owed.api.events import find_event
from owed.api.fields import Pattern
from owed.api.lists import Paging
from owed.api.messages import Request, Response
from owed.api.service import Service
from owed.core.outcomes import Done, Outcome
from owed.core.replays import Redeliver
from owed.core.state import NAME
from owed.model.answer import Answer

EXAMPLE = "we_0Nn4c3kXq1J8eY2bT5vR7s"

REDELIVER = Object(
    {
        "endpoint": Pattern(
            NAME,
            255,
            "the id of a webhook endpoint",
            "The endpoint that gets it, whatever its `events`. Without it, all that are enabled and take its type.",
            EXAMPLE,
        )
    },
    dict,
    "Who gets the event again.",
)


async def list_deliveries(service: Service, request: Request) -> Response:
    """GET /billing/events/{event}/deliveries: list the attempts, newest first, and what is still to be delivered."""
    event = await find_event(service, request)
    paging = Paging.alone(service, request)
    page = await service.attempts.page(event, paging.cursor, paging.limit)
    pending = await service.attempts.pending(event)
    return paging.response(page, pending=[each.shown() for each in pending])


async def redeliver(service: Service, request: Request) -> Response:
    """POST /billing/events/{event}/redeliver: send an event again, to one endpoint or to all that take its type."""
    (name,) = request.arguments
    form = read_form(request, may_be_empty=True)
    given = form.members(REDELIVER)
    tenant_id = request.key.tenant_id
    event = await service.events.find(tenant_id, name)
    command = Redeliver(
        tenant_id=tenant_id,
        actor=form.actor,
        event_id=name,
        event_type=None if event is None else event.type,
        endpoint=given.get("endpoint", UNSET),
        endpoints=() if "endpoint" in given else tuple(await service.endpoints.ids(tenant_id)),
        faults=tuple(form.faults.found),
    )
    return await carry_out(service, request, form, command, rendered=accepted)


def accepted(request: Request, outcome: Outcome, further: Mapping[str, object] | None = None) -> Answer:
    """Make the answer of what was asked for and is yet to be done; for a refusal, problem details.

    Args:
        further: Members that the object itself has not.
    """
    if not isinstance(outcome, Done):
        return render(request, outcome)
    return Answer(202, msgspec.json.encode({**outcome.object.shown(), **(further or {})}))
