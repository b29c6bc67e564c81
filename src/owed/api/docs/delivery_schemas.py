"""The schemas of deliveries: attempts, what is sent again, and what verifies."""

from typing import Any

from owed.api.deliveries import REDELIVER
from owed.api.docs import webhook_story
from owed.api.docs.event_schemas import EVENT_ID
from owed.api.docs.nouns import identifier
from owed.api.docs.schema import moment, objects, taken
from owed.api.docs.webhook_schemas import ENDPOINT_ID, whether
from owed.api.fields import Schema
from owed.api.lists import MOST
from owed.api.replays import REPLAY
from owed.api.verification import RECEIVED
from owed.api.webhook_tests import TEST
from owed.model import identifiers

STEPS = ("headers", "time", "secret", "body")

REPLAY_ID = identifier(identifiers.REPLAY, "The id of what was asked for.")

AN_ATTEMPT: Schema = {
    "attempted_at": moment("When it began."),
    "duration_ms": {"type": "integer", "minimum": 0, "description": "Milliseconds that it took."},
    "succeeded": whether("Whether the receiver has taken it: a status of 200 to 299."),
}
"""What is always told of an attempt."""

AS_FAR_AS_IT_CAME: Schema = {
    "address": {"type": "string", "description": "The address that was connected to."},
    "status": {"type": "integer", "minimum": 100, "maximum": 999, "description": "The status of the answer."},
    "answer": {"type": "string", "description": "The first 2 KiB of the answer's body, as text."},
    "error": {"type": "string", "description": "What went wrong, where there was no answer or only half of one."},
}
"""What else is told of it."""

OUT_OF_ORDER = whether(
    "Whether it went by itself, and later events of its object did not wait for it: it had failed for long, or was "
    "sent again."
)


def schemas_of_deliveries() -> dict[str, Schema]:
    """Give the schemas of deliveries, and of the requests to send something again."""
    shown = {"data": webhook_story.attempts(), "pending": []}
    waiting = {"data": webhook_story.attempts()[1:], "pending": [webhook_story.pending()]}
    return {
        "DeliveryPage": {**deliveries(), "examples": [waiting, shown]},
        "NewRedelivery": {**taken(REDELIVER), "examples": [webhook_story.one_endpoint()]},
        "Redelivery": {**redelivery(), "examples": [webhook_story.redelivery()]},
        "NewReplay": {**taken(REPLAY), "examples": [webhook_story.COUNTED_FIRST, webhook_story.ONLY_FAILED]},
        "Replay": {**replay(id=REPLAY_ID), "examples": [webhook_story.replay()]},
        "DryRun": {**replay(), "examples": [webhook_story.dry_run()]},
        "NewTest": {**taken(TEST), "examples": [webhook_story.TEST]},
        "TestResult": {**test(), "examples": webhook_story.tests()},
        "ReceivedWebhook": {**taken(RECEIVED), "examples": [*webhook_story.received_by_two()]},
        "SignatureCheck": {**check(), "examples": [*map(webhook_story.verified, webhook_story.received_by_two())]},
    }


def listed(items: Schema, description: str, **more: Any) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": items, "description": description, **more}


def deliveries() -> Schema:
    """Describe what became of the deliveries of an event."""
    members: Schema = {
        "data": listed(attempt(), "The attempts at all endpoints, newest first.", maxItems=MOST),
        "pending": listed(pending(), "The endpoints that have yet to get it, on every page the same."),
    }
    return objects(members, tuple(members), "What became of the deliveries of an event.")


def attempt() -> Schema:
    """Describe an attempt that is kept."""
    always: Schema = {
        "id": identifier(identifiers.ATTEMPT, "The attempt's id."),
        "endpoint_id": ENDPOINT_ID,
        "number": {"type": "integer", "minimum": 1, "description": "Its place among the attempts at this endpoint."},
        **AN_ATTEMPT,
        "out_of_order": OUT_OF_ORDER,
    }
    further = {"next_attempt_at": moment("When the next one was to be made, if one was.")}
    return objects({**always, **AS_FAR_AS_IT_CAME, **further}, tuple(always), "An attempt to deliver an event.")


def pending() -> Schema:
    """Describe an endpoint that has yet to get an event."""
    always: Schema = {
        "endpoint_id": ENDPOINT_ID,
        "attempts": {"type": "integer", "minimum": 0, "description": "How many there have been."},
        "out_of_order": OUT_OF_ORDER,
        "failed": whether("Whether the last retry was used up: it is sent again only where you ask for that."),
    }
    further = {"next_attempt_at": moment("When the next attempt is due; absent while it waits, or is made.")}
    return objects({**always, **further}, tuple(always), "An endpoint that has yet to get the event.")


def redelivery() -> Schema:
    """Describe what was asked for to send one event again."""
    members: Schema = {"id": REPLAY_ID, "endpoint_id": ENDPOINT_ID, "event_id": EVENT_ID}
    item = objects(members, tuple(members), "The event, on its way to one endpoint.")
    return objects({"data": listed(item, "One for each endpoint.", minItems=1)}, ("data",), "What is sent again.")


def replay(**identity: Schema) -> Schema:
    """Describe what was asked for to send the events of a time again.

    Args:
        identity: Its id, where it is more than a count.
    """
    taken_up = REPLAY.schema["properties"]
    always: Schema = {
        **identity,
        "endpoint_id": ENDPOINT_ID,
        **{name: taken_up[name] for name in ("since", "until", "types", "only_failed")},
    }
    count: Schema = {
        "type": "integer",
        "minimum": 0,
        "description": "How many they are; absent where they are too many to be counted in time.",
    }
    return objects({**always, "count": count}, tuple(always), "Which events are sent again.")


def test() -> Schema:
    """Describe what came of a test."""
    always: Schema = {"endpoint_id": ENDPOINT_ID, "event_id": EVENT_ID, **AN_ATTEMPT}
    return objects({**always, **AS_FAR_AS_IT_CAME}, tuple(always), "What came of a test.")


def check() -> Schema:
    """Describe what a verification has found."""
    name: Schema = {"type": "string", "enum": list(STEPS)}
    always: Schema = {
        "step": {**name, "description": "What was looked at."},
        "detail": {"type": "string", "description": "What was found, and what would be right."},
    }
    step = objects(
        {**always, "passed": whether("Whether it is right; absent where nobody can say.")}, tuple(always), "One step."
    )
    members: Schema = {
        "verified": whether("Whether every step is right."),
        "steps": listed(step, "The steps, in order.", minItems=len(STEPS), maxItems=len(STEPS)),
        "failed_step": {**name, "description": "The first step that is wrong, if one is."},
    }
    return objects(members, ("verified", "steps"), "What a verification has found.")
