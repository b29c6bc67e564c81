"""Deliveries of an event over HTTP: what became of them, and sending it again (contract, section 7)."""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET

from owed.api import query
from owed.api.commands import carry_out, read_form, render
from owed.api.composites import Object
from owed.api.fields import Faults, Pattern
from owed.api.filters import PAGING
from owed.api.lists import Paging
from owed.api.messages import Request, Response
from owed.api.problems import Refusal
from owed.api.service import Service
from owed.core.outcomes import Done, Outcome
from owed.core.replays import Redeliver, no_event
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
    (name,) = request.arguments
    event = await service.events.find(request.key.tenant_id, name)
    if event is None:
        raise Refusal(no_event(name))
    faults = Faults()
    pairs = query.parameters(request, faults)
    query.known_of(pairs, PAGING, faults)
    paging = Paging.of(service, request, pairs, faults)
    query.refuse_faulty(faults)
    page = await service.attempts.page(event, paging.cursor, paging.limit)
    pending = await service.attempts.pending(event)
    shown = {"data": [each.shown() for each in page.objects], "pending": [each.shown() for each in pending]}
    return Response(200, msgspec.json.encode(shown), paging.response(page).headers)


async def redeliver(service: Service, request: Request) -> Response:
    """POST /billing/events/{event}/redeliver: send an event again, to one endpoint or to all that take its type."""
    (name,) = request.arguments
    form = read_form(request, may_be_empty=True)
    given = {} if form.value is UNSET else REDELIVER.check_members(form.value, "", form.faults)
    tenant_id = request.key.tenant_id
    event = await service.events.find(tenant_id, name)
    command = Redeliver(
        tenant_id=tenant_id,
        actor=form.actor,
        event_id=name,
        event_type=None if event is None else event.type,
        endpoint=given.get("endpoint", UNSET),
        endpoints=() if "endpoint" in given else tuple(await service.attempts.endpoints(tenant_id)),
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
