"""Verification over HTTP: why a receiver refuses what we sent it, step by step (contract, section 7)."""

import asyncio
from collections import Counter
from typing import Any

from msgspec import UNSET

from owed.api import query
from owed.api.commands import read_form
from owed.api.composites import Object
from owed.api.fields import Faults, Pattern, Schema, Text, escaped, json_type
from owed.api.idempotency import check_key
from owed.api.messages import Request, Response, json_response
from owed.api.problems import Refusal
from owed.api.service import Service
from owed.core.outcomes import Code, Fault, Refused
from owed.core.state import NAME, Name
from owed.model.webhook_endpoint import WebhookEndpoint
from owed.webhooks.verification import HEADERS, Holder, Received, verify

LONGEST_HEADER = 4_096
LONGEST_BODY = 262_144


class ReceivedHeaders:
    """The headers of a request that a receiver got, by name in any case. Only those of the signature count."""

    def __init__(self) -> None:
        self.schema: Schema = {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": f"The headers of the request, in any case: {', '.join(HEADERS)}. Others may be there too.",
            "examples": [
                {
                    "webhook-id": "evt_0Nn4c3kXq1J8eY2bT5vR7s",
                    "webhook-timestamp": "1769851800",
                    "webhook-signature": "v1,6sZ1yJ4Ls0cM2rSGyHYrbJzr8rG3kTqYv9oXvT2mW5E=",
                }
            ],
        }

    def check(self, value: Any, pointer: str, faults: Faults) -> Any:
        """Give the headers that count, if all are strings and each that counts is there once."""
        if type(value) is not dict:
            return faults.note(pointer, f"This must be an object of strings, not {json_type(value)}.")
        before = faults.number
        times = Counter(name.lower() for name in value)
        for name, text in value.items():
            if fault := header_fault(name.lower(), text, times[name.lower()]):
                faults.note(f"{pointer}/{escaped(name)}", fault)
        counting = {name.lower(): text for name, text in value.items() if name.lower() in HEADERS}
        return {name: text.strip() for name, text in counting.items()} if faults.number == before else UNSET


def header_fault(name: str, text: Any, times: int) -> str | None:
    """Tell what is wrong with a header; of those that do not count, only that it is no string."""
    if type(text) is not str:
        return f"This must be a string, not {json_type(text)}."
    if name not in HEADERS:
        return None
    if times > 1:
        return "This is given twice, in different cases; give it once."
    return None if len(text) <= LONGEST_HEADER else f"This may have up to {LONGEST_HEADER} characters."


RECEIVED = Object(
    {
        "headers": ReceivedHeaders(),
        "body": Text(
            LONGEST_BODY, "The body of the request, as raw as it came.", '{"id":"evt_0Nn4c3kXq1J8eY2bT5vR7s"}'
        ),
        "secret": Pattern(
            NAME, 255, "the id of a secret", "The secret that the receiver knows.", "sec_0Nn4c3kXq1J8eY2bT5vR7s"
        ),
    },
    dict,
    "What a receiver got, and the id of the secret that it verifies with.",
    required=("headers", "body", "secret"),
)


async def verify_signature(service: Service, request: Request) -> Response:
    """POST /billing/webhook_endpoints/verify-signature: say whether a receiver should accept what it got."""
    form = read_form(request)
    check_key(request, form.faults)
    given = form.members(RECEIVED)
    query.refuse_faulty(form.faults)
    received = Received(given["headers"], given["body"].encode())
    holders = await holders_of(service, request.key.tenant_id)
    chosen = chosen_of(holders, given["secret"])
    event = await service.events.find(request.key.tenant_id, received.event_id or "")
    now = service.engine.stamp().now
    sent = None if event is None else event.body
    return json_response((await asyncio.to_thread(verify, received, chosen, holders, sent, now)).shown())


async def holders_of(service: Service, tenant_id: int) -> list[Holder]:
    """List the secrets of all endpoints of a tenant."""
    names = [Name(WebhookEndpoint.kind, tenant_id, each) for each in await service.endpoints.ids(tenant_id)]
    found = await asyncio.gather(*map(service.lookups.find, names))
    return [Holder(endpoint.id, secret) for endpoint in found if endpoint for secret in endpoint.secrets]


def chosen_of(holders: list[Holder], secret_id: str) -> Holder:
    """Choose the secret of an id.

    Raises:
        Refusal: There is none.
    """
    for holder in holders:
        if holder.secret.id == secret_id:
            return holder
    fault = Fault("/secret", f"There is no secret with the id {secret_id!r} for this key.")
    raise Refusal(Refused(Code.NOT_FOUND, fault.detail, (fault,)))
