"""The schemas of events: the envelope, and what each type tells."""

from owed.api.books import Json
from owed.api.docs import webhook_story
from owed.api.docs.ledger_schemas import currency
from owed.api.docs.nouns import identifier
from owed.api.docs.payment_schemas import OBLIGATIONS, ONE_OBLIGATION, minor_units
from owed.api.docs.schema import moment, objects, page_of, reference
from owed.api.fields import Schema
from owed.api.forms import LASTING_METADATA
from owed.model import identifiers
from owed.model.webhook_endpoint import EVENT_TYPES

TOLD = {
    "obligation.amount_applied": "AppliedAmount",
    "obligation.amount_reversed": "ReversedAmount",
    **{name: name.partition(".")[0].title() for name in EVENT_TYPES if not name.startswith("obligation.")},
}
"""What the `data` of each type is."""

EVENT_ID = identifier(identifiers.EVENT, "The event's id, which stays the same however often it is sent.")

ALWAYS = ("id", "type", "data")

REDACTED: Schema = {
    "type": "boolean",
    "const": True,
    "description": "There where a person was erased from it since: ids and amounts are all that is left of `data`.",
}


def title_of(event_type: str) -> str:
    """Name the schema of the events of a type."""
    return event_type.title().replace(".", "").replace("_", "")


def schemas_of_events() -> dict[str, Schema]:
    """Give the schemas of events: of any, of each type, and of a page."""
    latest = webhook_story.latest_events()
    return {
        "Event": {**any_event(), "examples": latest},
        "EventPage": page_of("Event", *latest),
        **{title_of(name): {**event(name), "examples": [first(name)]} for name in EVENT_TYPES},
        "AppliedAmount": {**applied(), "examples": [first("obligation.amount_applied")["data"]]},
        "ReversedAmount": {**reversed_(), "examples": [first("obligation.amount_reversed")["data"]]},
    }


def first(event_type: str) -> Json:
    """Give an event of a type as it may look."""
    return webhook_story.envelope(webhook_story.event(event_type))


def any_event() -> Schema:
    """Describe an event of whatever type."""
    members: Schema = {
        "id": EVENT_ID,
        "type": {"type": "string", "enum": list(EVENT_TYPES), "description": "What happened."},
        "redacted": REDACTED,
        "data": {"type": "object", "description": "What it happened to; for each type the same, as `webhooks` says."},
    }
    of_types = [reference("schemas", title_of(name)) for name in EVENT_TYPES]
    description = "Something that happened to one object. It never changes, unless a person is erased from it."
    return objects(members, ALWAYS, description, oneOf=of_types)


def event(event_type: str) -> Schema:
    """Describe the events of a type."""
    members: Schema = {
        "id": EVENT_ID,
        "type": {"type": "string", "const": event_type, "description": "What happened."},
        "redacted": REDACTED,
        "data": reference("schemas", TOLD[event_type]),
    }
    return objects(members, ALWAYS, f"A `{event_type}` event.")


def amount(description: str, **more: Schema) -> Schema:
    """Describe what the events of an amount tell.

    Args:
        more: Further members, of which there may be one.
    """
    always: Schema = {
        "id": identifier(identifiers.APPLICATION, "The id of the application of an amount to an obligation."),
        "amount": minor_units("In minor units.", 1),
        "currency": currency("The currency of the amount."),
        "payment_id": identifier(identifiers.PAYMENT, "The payment that it is of."),
        "metadata": {**LASTING_METADATA.schema, "description": "The payment's."},
        "created_at": moment("When it was applied."),
        "updated_at": moment("When this happened."),
    }
    return objects({**always, **OBLIGATIONS, **more}, tuple(always), description, **ONE_OBLIGATION)


def applied() -> Schema:
    """Describe what is told of an amount that was applied."""
    ways: Schema = {
        "allocation_id": identifier(identifiers.ALLOCATION, "The allocation that applied it, where one did."),
        "move_id": identifier(identifiers.MOVE, "The move that applied it, where one did."),
    }
    return amount("What of a payment was applied to one obligation: a bill, or a balance.", **ways)


def reversed_() -> Schema:
    """Describe what is told of an amount that was taken back."""
    ways: Schema = {
        "refund_id": identifier(identifiers.REFUND, "The refund that took it back, where it is one."),
        "reversal_id": identifier(identifiers.REVERSAL, "The reversal that took it back, where it is one."),
        "move_id": identifier(identifiers.MOVE, "The move that took it elsewhere, where it is one."),
    }
    described = amount("What was taken back of one application of a payment.", **ways)
    return {**described, "allOf": [{"anyOf": [{"required": [name]} for name in ways]}]}
