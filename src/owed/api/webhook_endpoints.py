"""Webhook endpoints over HTTP: where a merchant is told what happened (contract, section 7)."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from owed.api import conditions, query
from owed.api.commands import Form, carry_out, read_form, render
from owed.api.composites import Object
from owed.api.fields import Anything, Boolean, Choice, Faults, Field, Integer, OnlyNull, Schema, Text, json_type
from owed.api.forms import fixed, ours
from owed.api.lists import Paging
from owed.api.messages import MERGE_PATCH, Request, Response, json_response
from owed.api.problems import Refusal
from owed.api.resource import shown, update
from owed.api.service import Service
from owed.core.outcomes import Code, Done, Outcome, Refused
from owed.core.state import Name
from owed.core.webhook_endpoints import (
    LONGEST_OVERLAP,
    OVERLAP,
    Backlog,
    CreateEndpoint,
    Deletion,
    EndpointMembers,
    RotateSecret,
    no_endpoint,
)
from owed.model.answer import Answer
from owed.model.webhook_endpoint import DEFAULT_TYPES, EVENT_TYPES, EVERY_TYPE, WebhookEndpoint
from owed.webhooks import urls


class EventTypes:
    """A list of types of events, or of `*` alone, which is all of them."""

    def __init__(self, description: str) -> None:
        self.schema: Schema = {
            "type": "array",
            "minItems": 1,
            "maxItems": len(EVENT_TYPES),
            "uniqueItems": True,
            "items": {"type": "string", "enum": [*EVENT_TYPES, EVERY_TYPE]},
            "if": {"contains": {"const": EVERY_TYPE}},
            "then": {"maxItems": 1},
            "description": description,
            "examples": [list(DEFAULT_TYPES)],
        }

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the types, if there are such and each is named once."""
        if type(value) is not list:
            return faults.note(pointer, f"This must be a list, not {json_type(value)}.")
        if not 1 <= len(value) <= len(EVENT_TYPES):
            right = f"1 to {len(EVENT_TYPES)} types, or {EVERY_TYPE} for all"
            return faults.note(pointer, f"This must name {right}; it has {len(value)} items.")
        before = faults.number
        for place, name in enumerate(value):
            if type(name) is not str or name not in (*EVENT_TYPES, EVERY_TYPE):
                faults.note(f"{pointer}/{place}", f"There is no such type; there are {', '.join(EVENT_TYPES)}.")
            elif name in value[:place]:
                faults.note(f"{pointer}/{place}", "This type is named twice; name it once.")
            elif name == EVERY_TYPE and len(value) > 1:
                faults.note(f"{pointer}/{place}", f"{EVERY_TYPE} stands for all types; give it alone.")
        return tuple(value) if faults.number == before else UNSET


MEMBERS: Mapping[str, Field] = {
    "url": Text(urls.LONGEST, "Where events are sent, by POST.", "https://acme.example/hooks/owed"),
    "events": EventTypes(f"The types of the events that it gets; `{EVERY_TYPE}` alone is all of them."),
    "description": Text(255, "What it is for, in your own words.", "the accounting system"),
    "enabled": Boolean("Whether events are sent."),
}

CREATE = Object(
    {**ours("id", "disabled_reason", "secret_id", "secret", "listener", "created_at", "updated_at"), **MEMBERS},
    dict,
    f"A new endpoint. It gets {', '.join(DEFAULT_TYPES)} unless `events` asks for more.",
    required=("url",),
)

UPDATE = Object(
    {
        **fixed("id", "disabled_reason", "secret_id", "created_at", "updated_at"),
        **fixed("listener", json_type="boolean"),
        "secret": OnlyNull("This cannot be chosen: leave it out. rotate-secret gives a new one."),
        **MEMBERS,
        "backlog": Choice(
            tuple(Backlog),
            "What to do with the events that it has missed, where it becomes enabled again.",
            Backlog.RESUME.value,
        ),
    },
    dict,
    "The members to change.",
)

ROTATION = Object(
    {
        "expires_in": Integer(
            0, LONGEST_OVERLAP, "Seconds that the secrets until now go on signing beside the new one.", OVERLAP
        )
    },
    dict,
    f"How long the secrets until now stay valid; for a day ({OVERLAP} seconds), if nothing is said.",
)

DELETION = Object({}, dict, "Nothing.")

CLEARABLE = frozenset({"description"})


async def create_endpoint(service: Service, request: Request) -> Response:
    """POST /billing/webhook_endpoints: create an endpoint, and show its secret, this once."""
    form = read_form(request)
    members = await read_members(service, request, form, CREATE)
    command = CreateEndpoint(
        tenant_id=request.key.tenant_id,
        actor=form.actor,
        members=members,
        standing=await service.endpoints.count(request.key.tenant_id),
        faults=tuple(form.faults.found),
    )
    return await carry_out(service, request, form, command, rendered=with_secret)


async def update_endpoint(service: Service, request: Request) -> Response:
    """PATCH /billing/webhook_endpoints/{endpoint}: change the given members."""
    form = read_form(request)
    standing: WebhookEndpoint | None = await service.lookups.find(endpoint_name(request))
    members = await read_members(service, request, form, UPDATE, standing.url if standing else None)
    return await carry_out(service, request, form, update(request, form, members, *request.arguments))


async def delete_endpoint(service: Service, request: Request) -> Response:
    """DELETE /billing/webhook_endpoints/{endpoint}: delete an endpoint, for good."""
    form = read_form(request, may_be_empty=True)
    form.members(DELETION)
    command = update(request, form, Deletion(), *request.arguments)
    return await carry_out(service, request, form, command, rendered=with_nothing)


async def rotate_secret(service: Service, request: Request) -> Response:
    """POST /billing/webhook_endpoints/{endpoint}/rotate-secret: give an endpoint a new secret, and show it."""
    form = read_form(request, may_be_empty=True)
    given = form.members(ROTATION)
    if_match = conditions.if_match(request.header(b"if-match"), form.faults)
    command = RotateSecret(
        tenant_id=request.key.tenant_id,
        actor=form.actor,
        endpoint=request.arguments[0],
        if_match=if_match,
        expires_in=given.get("expires_in", OVERLAP),
        faults=tuple(form.faults.found),
    )
    return await carry_out(service, request, form, command, rendered=with_secret)


async def retrieve_endpoint(service: Service, request: Request) -> Response:
    """GET /billing/webhook_endpoints/{endpoint}: retrieve an endpoint by its id."""
    endpoint = await find_endpoint(service, request)
    query.refuse_any(request)
    return shown(request, endpoint)


async def list_endpoints(service: Service, request: Request) -> Response:
    """GET /billing/webhook_endpoints: list the endpoints, newest first."""
    paging = Paging.alone(service, request)
    return paging.response(await service.endpoints.page(request.key.tenant_id, paging.limit, paging.cursor))


async def list_secrets(service: Service, request: Request) -> Response:
    """GET /billing/webhook_endpoints/{endpoint}/secrets: list the secrets that are valid, newest first."""
    endpoint = await find_endpoint(service, request)
    query.refuse_any(request)
    secrets = endpoint.secrets_at(service.engine.stamp().now)
    return json_response({"data": [secret.shown() for secret in secrets]})


async def retrieve_secret(service: Service, request: Request) -> Response:
    """GET /billing/webhook_endpoints/{endpoint}/secrets/{secret}: show a secret that is valid."""
    endpoint, name = await find_endpoint(service, request), request.arguments[1]
    for secret in endpoint.secrets_at(service.engine.stamp().now):
        if secret.id == name:
            query.refuse_any(request)
            return json_response({**secret.shown(), "secret": secret.value})
    detail = f"The webhook endpoint {endpoint.id} has no secret with the id {name!r} that is valid now."
    raise Refusal(Refused(Code.NOT_FOUND, detail))


async def retrieve_status(service: Service, request: Request) -> Response:
    """GET /billing/webhook_endpoints/{endpoint}/status: tell how delivery comes along."""
    endpoint = await find_endpoint(service, request)
    query.refuse_any(request)
    return json_response(await service.endpoints.status(endpoint.tenant_id, endpoint.id))


async def find_endpoint(service: Service, request: Request) -> WebhookEndpoint:
    """Find the endpoint of a path by its id.

    Raises:
        Refusal: There is none.
    """
    found: WebhookEndpoint | None = await service.lookups.find(endpoint_name(request))
    if found is None:
        raise Refusal(no_endpoint(request.arguments[0]))
    return found


def endpoint_name(request: Request) -> Name:
    """Give the name of the endpoint of a path."""
    return Name(WebhookEndpoint.kind, request.key.tenant_id, request.arguments[0])


async def read_members(
    service: Service, request: Request, form: Form, fields: Object, standing_url: str | None = None
) -> EndpointMembers:
    """Read the members that are right, and note every fault of the others.

    Args:
        standing_url: Where the endpoint is; where another URL leads is a fault if events may not be sent there.
    """
    checked = form.members(fields, CLEARABLE if request.media_type == MERGE_PATCH else None)
    given = {name: value for name, value in checked.items() if value is not UNSET}
    if given.get("url", standing_url) != standing_url:
        refusal = await urls.refusal(given["url"], request.key.mode, service.webhook_policy)
        if refusal is not None:
            form.faults.note("/url", refusal)
    return members_of(given, fields, faulty=frozenset(checked.keys() - given.keys()))


def members_of(given: dict[str, Any], fields: Object, faulty: frozenset[str]) -> EndpointMembers:
    """Make the members of an endpoint of values that are right."""
    sent_back = {name: given.pop(name) for name in list(given) if isinstance(fields.members[name], Anything)}
    if "events" in given:
        given["types"] = given.pop("events")
    if "backlog" in given:
        given["backlog"] = Backlog(given["backlog"])
    return EndpointMembers(**given, sent_back=sent_back, faulty=faulty)


def with_secret(request: Request, outcome: Outcome) -> Answer:
    """Make the answer that shows an endpoint, and its newest secret too."""
    answer = render(request, outcome)
    if not isinstance(outcome, Done) or not isinstance(outcome.object, WebhookEndpoint):
        return answer
    told = {**outcome.object.shown(), "secret": outcome.object.secret.value}
    return msgspec.structs.replace(answer, body=msgspec.json.encode(told))


def with_nothing(request: Request, outcome: Outcome) -> Answer:
    """Make the answer that shows nothing, for nothing is there any more."""
    return Answer(204, b"") if isinstance(outcome, Done) else render(request, outcome)
