"""The operations that tell what became of deliveries and send again, as the documentation tells of them."""

from owed.api.docs import webhook_story
from owed.api.docs.events import EVENT_PATH
from owed.api.docs.operation import ALWAYS, PAGING, READER, REPLAYED, WRITER, WRITING, Operation, Operations, Success
from owed.api.docs.webhooks import ENDPOINT_PATH, ENDPOINTS_PATH
from owed.api.messages import JSON
from owed.core.outcomes import Code

TAG = "Deliveries"

LISTED = (
    "Each attempt, newest first, at whatever endpoint: when, how long, where to, what came back, and when the next one "
    "is due. `pending` names the endpoints that have yet to get the event, on every page."
)

REDELIVERED = (
    "To `endpoint`, whatever its `events`, or with no body to all that are enabled and take its type. It goes by "
    "itself, and nothing waits for it. An endpoint that is disabled is 409; so is an event that none takes. "
    "`webhook-id` stays the same: a receiver that keeps ids knows the event again."
)

REPLAYED_EVENTS = (
    "The events that were recorded from `since` to `until`, those times included. With `only_failed`: of these, those "
    "that were attempted at this endpoint, and never with success. Count them first with `dry_run`: nothing is sent, "
    "and the answer is 200. An endpoint that is disabled is 409."
)

TESTED = (
    "Sends a sample event at once, signed, and tells what came of it; also at an endpoint that is disabled, and "
    "whatever its `events`. That it failed is no error here: look at `succeeded`. Nothing is stored, and no later "
    "attempt is made; few may be under way at a time: 429. It needs no `Idempotency-Key`."
)

VERIFIED = (
    "Give the headers and the body that a receiver got, and the id of the secret that it knows. Every step of a "
    "verification is taken as far as it can be, and `failed_step` names the first that goes wrong: a header is "
    "missing, the time is more than 5 minutes away, the secret is another one's, or the body is not in the bytes that "
    "were sent, for it was parsed and written anew. Nothing is stored. It needs no `Idempotency-Key`."
)

CHECKING = (*ALWAYS, Code.NOT_FOUND, Code.PAYLOAD_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE)
"""What a request that stores nothing may be refused for."""

SENDING = (*WRITING, Code.NOT_FOUND, Code.CONFLICT)

DELIVERIES: Operations = {
    (f"{EVENT_PATH}/deliveries", "GET"): Operation(
        "listDeliveries",
        "See what became of an event",
        LISTED,
        TAG,
        {200: Success("A page of attempts.", "DeliveryPage", (), PAGING)},
        (*ALWAYS, Code.NOT_FOUND),
        ("Event", "Limit", "Cursor", *READER),
    ),
    (f"{EVENT_PATH}/redeliver", "POST"): Operation(
        "redeliverEvent",
        "Send an event again",
        REDELIVERED,
        TAG,
        {202: Success("It will be sent.", "Redelivery", (), REPLAYED, example=webhook_story.redelivery())},
        SENDING,
        ("Event", *WRITER),
        {JSON: "NewRedelivery"},
        needs_body=False,
    ),
    (f"{ENDPOINT_PATH}/replay", "POST"): Operation(
        "replayEvents",
        "Send the events of a time again",
        REPLAYED_EVENTS,
        TAG,
        {
            200: Success("They were counted, and nothing is sent.", "DryRun"),
            202: Success("They will be sent.", "Replay", (), REPLAYED),
        },
        SENDING,
        ("Endpoint", *WRITER),
        {JSON: "NewReplay"},
    ),
    (f"{ENDPOINT_PATH}/test", "POST"): Operation(
        "testWebhookEndpoint",
        "Test a webhook endpoint",
        TESTED,
        TAG,
        {200: Success("What came of it.", "TestResult")},
        CHECKING,
        ("Endpoint", "OwedActor", "OwedReason", *READER),
        {JSON: "NewTest"},
        needs_body=False,
    ),
    (f"{ENDPOINTS_PATH}/verify-signature", "POST"): Operation(
        "verifySignature",
        "Verify a signature",
        VERIFIED,
        TAG,
        {200: Success("What was found.", "SignatureCheck")},
        CHECKING,
        ("OwedActor", "OwedReason", *READER),
        {JSON: "ReceivedWebhook"},
    ),
}
