"""The webhooks: what is sent to endpoints, and what their answers mean, in the terms of OpenAPI."""

from typing import NamedTuple

from owed.api.docs.event_schemas import title_of
from owed.api.docs.schema import reference
from owed.api.fields import Schema
from owed.api.messages import JSON
from owed.core.retries import LONGEST_REST
from owed.model.webhook_endpoint import EVENT_TYPES
from owed.settings import Settings

TAG = "Webhooks"

HEADERS = ("WebhookId", "WebhookTimestamp", "WebhookSignature")


class Sent(NamedTuple):
    """What is sent for one type of event.

    Attributes:
        id: Of the operation that the receiver has.
        summary: When it is sent.
    """

    id: str
    type: str
    summary: str
    description: str


WHEN = {
    "obligation.amount_applied": (
        "An amount was applied",
        "By a payment, to a bill or a balance: one event for each. It is what an endpoint gets that asks for no more.",
    ),
    "obligation.amount_reversed": (
        "An amount was taken back",
        "What was paid is taken back: `refund_id`, `reversal_id` or `move_id` says by what.",
    ),
    "customer.created": ("A customer was created", "Also one that was new in a request for an account or a bill."),
    "customer.updated": (
        "A customer was changed",
        "By a PATCH, a charge or a credit; a payment to the balance is told as an amount.",
    ),
    "account.created": ("An account was created", "Also one that was new in a request for a bill."),
    "account.updated": (
        "An account was changed",
        "By a PATCH, a charge or a credit; a payment to the balance is told as an amount.",
    ),
    "bill.created": ("A bill was created", "The bill as it was raised."),
    "bill.updated": ("A bill was changed", "By a PATCH or a credit; a payment of the bill is told as an amount."),
    "bill.paid": ("A bill is paid", "Nothing remains of it: a payment has settled it, a credit, or a PATCH."),
    "bill.voided": ("A bill was voided", "Nothing is owed on it any more."),
}
"""What each type tells of: in short, and what there is to know beside."""

WEBHOOKS = tuple(Sent(f"on{title_of(name)}", name, *WHEN[name]) for name in EVENT_TYPES)

DESCRIPTION = """\
What is sent to your endpoints: for each event a POST of the body that `GET /billing/events/{event}` shows, signed as \
Standard Webhooks has it. Verify the bytes as they came, with any library of that scheme and the endpoint's secret.

The events of one object come in order, each at least once: keep the ids that you have seen. One that fails for long \
is set aside, and comes after later ones. Answer soon, with any status of 200 to 299, and do the work afterwards."""


def pauses() -> str:
    """Say how long it takes from each failed attempt to the next."""
    return ", ".join(duration(seconds) for seconds in Settings().webhook_retries)


def duration(seconds: float) -> str:
    """Write a duration in its largest unit."""
    unit, length = next(each for each in (("h", 3600), ("min", 60), ("s", 1)) if seconds >= each[1])
    return f"{seconds / length:g} {unit}"


def webhooks() -> dict[str, Schema]:
    """Describe what is sent, by type."""
    return {sent.type: {"post": described(sent)} for sent in WEBHOOKS}


def described(sent: Sent) -> Schema:
    """Describe what is sent for one type of event."""
    return {
        "operationId": sent.id,
        "summary": sent.summary,
        "description": sent.description,
        "tags": [TAG],
        "parameters": [reference("parameters", name) for name in HEADERS],
        "requestBody": {
            "required": True, "content": {JSON: {"schema": reference("schemas", title_of(sent.type))}},
        },
        "responses": answers(),
        "security": [],
    }  # fmt: skip


def answers() -> dict[str, Schema]:
    """Describe what a receiver may answer, and what follows."""
    patience = f"within {Settings().webhook_timeout:g} seconds"
    rest = {"Retry-After": reference("headers", "Retry-After")}
    resting = f"Not now. With `Retry-After` nothing is sent there until then, {duration(LONGEST_REST)} at most."
    return {
        "2XX": {"description": "The event was taken. Nothing of the body counts.", "headers": {}},
        "410": {"description": "Nothing more is wanted: the endpoint is disabled, as `gone`.", "headers": {}},
        "429": {"description": resting, "headers": rest},
        "503": {"description": resting, "headers": rest},
        "default": {
            "description": f"Anything else is a failure, a redirect too, and so is no answer {patience}. The event is "
            f"sent again after {pauses()}, and a little more by chance; then the endpoint is disabled, as `failing`, "
            "if it has taken nothing in between. The operator of the server may have chosen other times.",
            "headers": {},
        },
    }
