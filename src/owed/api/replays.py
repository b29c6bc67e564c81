"""Replays over HTTP: the events of a time, sent to an endpoint again (contract, section 7)."""

from functools import partial
from typing import Any

from msgspec import UNSET

from owed.api.commands import Form, carry_out, read_form
from owed.api.composites import Object
from owed.api.deliveries import accepted
from owed.api.fields import Boolean, Moment
from owed.api.idempotency import check_key
from owed.api.messages import Request, Response, json_response
from owed.api.problems import Refusal
from owed.api.service import Service
from owed.api.webhook_endpoints import EventTypes
from owed.core.outcomes import Refused
from owed.core.replays import ReplayEvents
from owed.core.state import State
from owed.store.attempts import Period

REPLAY = Object(
    {
        "since": Moment("Of the events that were recorded then or later.", "2026-01-31T00:00:00Z"),
        "until": Moment("The last moment of them; now, if it is not given.", "2026-02-01T00:00:00Z"),
        "types": EventTypes("Only those of these types; those that the endpoint gets, if none are given."),
        "only_failed": Boolean("Only those that were attempted at this endpoint, and never with success."),
        "dry_run": Boolean("Whether to count them, and do nothing."),
    },
    dict,
    "Which events are sent again.",
    required=("since",),
)


async def replay(service: Service, request: Request) -> Response:
    """POST /billing/webhook_endpoints/{endpoint}/replay: send the events of a time again, or only count them."""
    form = read_form(request)
    given = {name: value for name, value in form.members(REPLAY).items() if value is not UNSET}
    is_dry_run, now = given.pop("dry_run", False), service.engine.stamp().now
    if is_dry_run:
        check_key(request, form.faults)
    asked, state = await read_replay(service, request, form, {"until": now, **given})
    found = asked.check(state, now)
    counted = {} if isinstance(found, Refused) else await count(service, asked)
    if not is_dry_run:
        return await carry_out(service, request, form, asked, rendered=partial(accepted, further=counted))
    if isinstance(found, Refused):
        raise Refusal(found)
    return json_response({"endpoint_id": found.id, **asked.period, **counted})


async def read_replay(
    service: Service, request: Request, form: Form, given: dict[str, Any]
) -> tuple[ReplayEvents, State]:
    """Make the command of a request, and give the state that it would be decided on now."""
    always: dict[str, Any] = {"tenant_id": request.key.tenant_id, "actor": form.actor, "endpoint": request.arguments[0]}
    asked = ReplayEvents(**always, **given, faults=tuple(form.faults.found))
    found = await service.lookups.find(*asked.reads())
    if found is None:
        return asked, State()
    return ReplayEvents(**always, **{"types": found.types, **given}, faults=asked.faults), State([found])


async def count(service: Service, asked: ReplayEvents) -> dict[str, int]:
    """Count the events that a replay is of; where there are too many to be counted in time, nothing is said."""
    since, until, types, only_failed = asked.period.values()
    period = Period(asked.tenant_id, since, until, types, asked.endpoint if only_failed else None)
    number = await service.attempts.count(period)
    return {} if number is None else {"count": number}
