"""Tests of endpoints over HTTP: a sample event, sent at once, and what came of it (contract, section 7)."""

from functools import cache
from typing import Any

import msgspec

from owed.api import query
from owed.api.commands import read_form
from owed.api.composites import Object
from owed.api.docs import story
from owed.api.fields import Choice
from owed.api.idempotency import check_key
from owed.api.messages import Request, Response, json_response
from owed.api.service import Service
from owed.api.webhook_endpoints import find_endpoint
from owed.model.delivery import Attempt
from owed.model.identifiers import EVENT
from owed.model.webhook_endpoint import DEFAULT_TYPES, EVENT_TYPES
from owed.webhooks.sender import Message

TEST = Object(
    {"type": Choice(EVENT_TYPES, f"The type of the sample; {DEFAULT_TYPES[0]}, if none is given.", DEFAULT_TYPES[0])},
    dict,
    "What is sent.",
)


async def send_test(service: Service, request: Request) -> Response:
    """POST /billing/webhook_endpoints/{endpoint}/test: send a sample event now, and say what came of it."""
    endpoint = await find_endpoint(service, request)
    form = read_form(request, may_be_empty=True)
    check_key(request, form.faults)
    given = form.members(TEST)
    query.refuse_faulty(form.faults)
    stamp = service.engine.stamp()
    event_id, event_type = stamp.new_id(EVENT), given.get("type", DEFAULT_TYPES[0])
    body = msgspec.json.encode({"id": event_id, "type": event_type, "data": sample(event_type)})
    secrets = tuple(secret.value for secret in endpoint.secrets_at(stamp.now))
    with service.tests.place(endpoint.tenant_id):
        attempt = await service.sender.send(Message(endpoint.url, event_id, body, secrets, request.key.mode))
    return json_response({"endpoint_id": endpoint.id, "event_id": event_id, **shown(attempt)})


@cache
def sample(event_type: str) -> dict[str, Any]:
    """Give what an event of a type tells of the demo merchant; of a change where there was none, the object itself."""
    told = {event.type: event for event in reversed(story.books().state.events)}
    event = told.get(event_type) or told[event_type.replace(".updated", ".created")]
    data: dict[str, Any] = msgspec.json.decode(event.body)["data"]
    return data


def shown(attempt: Attempt) -> dict[str, Any]:
    """Give the members of an attempt that the API shows; what is not set is absent."""
    members = {
        "attempted_at": attempt.attempted_at,
        "duration_ms": attempt.duration_ms,
        "address": attempt.address,
        "status": attempt.status,
        "answer": None if attempt.answer is None else attempt.answer.decode(errors="replace"),
        "error": attempt.error,
        "succeeded": attempt.succeeded,
    }
    return {name: value for name, value in members.items() if value is not None}
